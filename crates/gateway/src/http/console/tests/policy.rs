//! One policy: what is masked, what is shown for a reason, what may be done, and what happened.

use http::Request;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use jiff::SignedDuration;
use serde_json::json;

use super::world::{EVIL, RARE, World};
use crate::console::audit::Action;

const NUMBER: &str = "11010119900307123X";

#[tokio::test]
async fn a_policy_is_shown_masked_and_escaped() {
    let world = World::with_users();
    let number = world.issue("01", json!({"attrs": {"custom": EVIL}})).await;
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get(&format!("/console/policies/{number}")).await;
    page.says(&number).says("1,018.00").says("6.36").says("信用保险").says("保障中");
    page.says("110*************3X").says("&lt;*****").says("𠮷**");
    page.says_not(NUMBER).says_not("13912312323").says_not("alert(1)").says_not(RARE);
    // A viewer may neither look closer nor act.
    page.says_not("show-people").says_not("id=\"surrender\"").says_not("id=\"show-document\"");
    for order in ["people", "document", "surrender", "resend"] {
        let answer = viewer.post(&format!("/console/policies/{number}/{order}"), &[("reason", "test")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{order}");
    }
    for nowhere in ["CESI20260102QAA000099", "nonsense", EVIL] {
        let path = format!("/console/policies/{}", nowhere.replace('<', "%3C").replace('>', "%3E"));
        assert_eq!(viewer.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn personal_data_is_shown_for_a_reason_and_each_look_is_written_down_first() {
    let world = World::with_users();
    let insured = json!({"personName": RARE, "personLicenseType": "PASSPORT"});
    let number = world.issue("01", json!({"insuredPersonalInfo": insured})).await;
    let mut operator = world.signed_in("operator").await;
    let path = format!("/console/policies/{number}");
    operator.get(&path).await.says("show-people").says("护照").says_not(NUMBER);
    operator.get("/console/preferences?language=en").await;
    operator.get(&path).await.says("passport").says_not("护照");
    operator.get("/console/preferences?language=zh-CN").await;
    let people = format!("{path}/people");
    assert_eq!(operator.post(&people, &[("reason", " ")]).await.status, StatusCode::BAD_REQUEST);
    let before = world.audit().len();
    let answer = operator.post(&people, &[("reason", "客户来电核对")]).await;
    answer.says(NUMBER).says("13912312323").says(RARE).says("&lt;script&gt;alert(1)&lt;/script&gt;").says_not(EVIL);
    let subject = format!("policy:{number}");
    let look = ("operator".to_owned(), Action::PeopleShown, subject, "客户来电核对".to_owned());
    assert_eq!(world.audit()[0], look);
    assert_eq!(world.audit().len(), before + 1);
    operator.get(&path).await.says_not(NUMBER);
    let mut admin = world.signed_in("admin").await;
    admin.get(&path).await.says("查看个人信息").says("客户来电核对");
    operator.get(&path).await.says_not("客户来电核对");
}

#[tokio::test]
async fn the_document_is_shown_for_a_reason_to_that_session_alone() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    let mut operator = world.signed_in("operator").await;
    let path = format!("/console/policies/{number}");
    operator.get(&path).await.says("尚未生成");
    let shown = operator.post(&format!("{path}/document"), &[("reason", "理赔")]).await;
    let frame = shown.text.split("<iframe").nth(1).unwrap();
    let address = frame.split("src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let pdf = operator.get(&address).await;
    assert_eq!(
        (pdf.status, pdf.headers.get(CONTENT_TYPE).unwrap().to_str().unwrap()),
        (StatusCode::OK, "application/pdf")
    );
    assert!(pdf.text.starts_with("%PDF-"));
    let policy = pdf.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'self'"), "{policy}");
    let looks =
        || world.audit().into_iter().filter(|(_, action, ..)| *action == Action::DocumentShown).collect::<Vec<_>>();
    assert_eq!(looks().len(), 1);
    assert_eq!(looks()[0].3, "理赔");
    operator.get(&address).await;
    assert_eq!(looks().len(), 2, "each fetch is a look");
    operator.get(&path).await.says("首次生成于 2026-01-02 11:04:05");

    let mut other = world.signed_in("operator").await;
    assert_eq!(other.get(&address).await.status, StatusCode::NOT_FOUND);
    assert_eq!(operator.get(&format!("{path}/document.pdf?ticket=AAAA")).await.status, StatusCode::NOT_FOUND);
    world.advance(SignedDuration::from_mins(11));
    assert_eq!(operator.get(&address).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_policy_is_surrendered_once_and_was_in_force_before() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    let path = format!("/console/policies/{number}");
    let mut operator = world.signed_in("operator").await;
    world.advance(SignedDuration::from_mins(5));
    let page = operator.get(&path).await;
    page.says("id=\"surrender\"");
    let key = page.text.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let form = |reason: &'static str, refund: &'static str| {
        [
            ("reason", reason),
            ("key", key.as_str()),
            ("refund_money", refund),
            ("surrender_time", "2026-01-02T11:09:05"),
            ("endorsement_no", "E-1"),
        ]
    };
    let surrender = format!("{path}/surrender");
    let long = "k".repeat(129);
    for key in ["", "\u{0}", &long] {
        let mut form = form("客户申请", "5.00");
        form[1].1 = key;
        assert_eq!(operator.post(&surrender, &form).await.status, StatusCode::BAD_REQUEST, "{key:?}");
    }
    let done = format!("{path}?done=surrendered");
    assert_eq!(operator.post(&surrender, &form("客户申请", "5.00")).await.location(), done);
    operator.get("/console").await.says("退保指令（控制台）");
    assert_eq!(
        operator.post(&surrender, &form("客户申请", "5.00")).await.location(),
        done,
        "sent twice, it is one order"
    );
    let page = operator.get(&done).await;
    page.says("已退保，并按配置通知平台").says("由 console:operator 提出").says("退款 5.00 元");
    page.says("通知 1 待投递：退保信息同步").says_not("id=\"surrender\"");
    let (user, action, subject, reason) = world.audit().remove(0);
    assert_eq!((user.as_str(), action, reason.as_str()), ("operator", Action::PolicySurrendered, "客户申请"));
    assert_eq!(subject, format!("policy:{number}"));

    let before = operator.get(&format!("{path}?at=2026-01-02T11:08:00")).await;
    before
        .says("这是 2026-01-02 11:08:00 时的样子")
        .says("保障中")
        .says_not("由 console:operator 提出")
        .says_not("id=\"surrender\"");
    operator.get(&format!("{path}?at=2026-01-02T11:09:05")).await.says("已退保").says("由 console:operator 提出");
    operator.get(&format!("{path}?at=2026-01-01T00:00:00")).await.says("那时还没有这份保单");
    let again =
        form("再来一次", "5.00").map(|(name, value)| if name == "key" { (name, "another-key") } else { (name, value) });
    let refused = operator.post(&surrender, &again).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.says("未执行：保单此前已终止").says(&format!("保单 {number}")).says("由 console:operator 提出");
    let actions: Vec<Action> = world.audit().into_iter().take(2).map(|entry| entry.1).collect();
    assert_eq!(actions, [Action::SurrenderRefused, Action::PolicySurrendered], "asked for, and refused");
    let mut admin = world.signed_in("admin").await;
    admin.get("/console/audit").await.says("退保未执行").says("保单此前已终止").says("退款 5 元").says_not("refund");
    admin.get("/console/preferences?language=en").await;
    let english = admin.get("/console/audit").await;
    english.says("Surrender refused").says("the policy had ended before").says("refund 5 CNY").says("Details");
}

#[tokio::test]
async fn a_form_with_a_mistake_comes_back_as_it_was_filled_in() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    let path = format!("/console/policies/{number}");
    let mut operator = world.signed_in("operator").await;
    operator.get("/console/preferences?language=en").await;
    operator.get(&path).await.says("pattern=\"[0-9]+(\\.[0-9]{1,2})?\"");
    let surrender = format!("{path}/surrender");
    let before = world.audit().len();
    for (reason, refund, time, said) in [
        (" ", "5", "2026-01-02T11:09:05", "please give a reason"),
        ("客户申请", "1.234", "2026-01-02T11:09:05", "a number of at most two decimals"),
        ("客户申请", "five", "2026-01-02T11:09:05", "a number of at most two decimals"),
        ("客户申请", "5", "yesterday", "could not be read"),
        ("客户申请", "5", "2026-01-03T11:04:06", "a day ahead at most"),
        ("客户申请", "5", "2026-01-02T11:04:04", "before the policy was issued, 2026-01-02 11:04:05"),
        ("客户申请", "6.37", "2026-01-02T11:09:05", "more than the premium"),
    ] {
        let fields = [
            ("reason", reason),
            ("key", "k1"),
            ("refund_money", refund),
            ("surrender_time", time),
            ("endorsement_no", "E-1"),
        ];
        let page = operator.post(&surrender, &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        page.says(said).says("Nothing was done").says("aria-labelledby=\"surrender-title\" open>");
        for value in ["k1", refund, time, "E-1"] {
            page.says(&format!("value=\"{value}\""));
        }
        page.says_not("refundMoney");
    }
    assert_eq!(world.audit().len(), before, "nothing was done, nothing is written down");
}

#[tokio::test]
async fn a_refund_above_the_premium_is_confirmed_by_its_amount() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    let path = format!("/console/policies/{number}");
    let mut operator = world.signed_in("operator").await;
    operator.get(&path).await.says_not("name=\"confirmed\"");
    let mut send = async |refund: &'static str, confirmed: &'static str, time: &'static str| {
        let fields = [
            ("reason", "多退"),
            ("key", "k1"),
            ("refund_money", refund),
            ("surrender_time", time),
            ("endorsement_no", ""),
            ("confirmed", confirmed),
        ];
        operator.post(&format!("{path}/surrender"), &fields).await
    };
    let noon = "2026-01-02T12:00:00";
    let asked = send("10", "", noon).await;
    asked.says("退款 10.00 元，多于保费 6.36 元").says("name=\"confirmed\" value=\"10\">");
    send("11", "10", noon).await.says("name=\"confirmed\" value=\"11\">");
    send("11", "11", "2036-01-02T12:00:00").await.says("name=\"confirmed\" value=\"11\" checked>");
    assert_eq!(send("11", "11", noon).await.location(), format!("{path}?done=surrendered"));
}

#[tokio::test]
async fn what_was_sent_is_sent_again_for_a_reason() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    let path = format!("/console/policies/{number}");
    let notice = world.kill_a_notice(&format!("policy:{number}")).to_string();
    let mut operator = world.signed_in("operator").await;
    operator.get(&path).await.says("死信").says("第 1 次投递通知").says(&format!("id=\"resend-{notice}\""));
    let resend = format!("{path}/resend");
    let form = [("reason", "平台已修复"), ("notice", notice.as_str())];
    assert_eq!(
        operator.post(&resend, &[("reason", ""), ("notice", &notice)]).await.location(),
        format!("{path}?done=reason")
    );
    assert_eq!(operator.post(&resend, &form).await.location(), format!("{path}?done=resent"));
    operator.get(&path).await.says("待投递");
    let (_, action, _, reason) = world.audit().remove(0);
    assert_eq!((action, reason.as_str()), (Action::NoticesResent, "平台已修复"));
    let other = world.issue("02", json!({})).await;
    let foreign = operator.post(&format!("/console/policies/{other}/resend"), &form).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "a notice about another policy");
}

#[tokio::test]
async fn a_piece_of_a_page_is_sent_where_a_piece_is_asked_for() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    let mut operator = world.signed_in("operator").await;
    operator.get(&format!("/console/policies/{number}")).await;
    let body = format!("form_token={}&reason=test", operator.form_token());
    let request = Request::post(format!("/console/policies/{number}/people"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .header("hx-request", "true");
    let piece = operator.send(request, body).await;
    piece.says("id=\"people\"").says(NUMBER).says_not("<html");
}
