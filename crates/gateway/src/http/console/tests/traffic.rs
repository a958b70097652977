//! Messages, strangers, pasted calls, deliveries and conflicts.

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use serde_json::json;

use super::world::{APP_KEY, EVIL, RARE, SECRET, World};
use crate::console::audit::Action;
use crate::console::role::Role;
use crate::outbox::store::Next;

/// The address of the first row of a page's list.
fn first_row(page: &str) -> String {
    page.split("data-open=\"").nth(1).expect("a row").split('"').next().unwrap().to_owned()
}

fn rows(page: &str) -> usize {
    page.matches("data-open=").count()
}

#[tokio::test]
async fn messages_are_listed_filtered_and_walked_through() {
    let world = World::with_users();
    for n in 0..60 {
        world.issue(&format!("{n}"), json!({})).await;
        world.advance(SignedDuration::from_secs(1));
    }
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console/messages").await;
    page.says("出单")
        .says("已受理")
        .says("data-live=\"/console/messages/live?\"")
        .says("/console/policies/CESI")
        .says_not(EVIL);
    assert_eq!(rows(&page.text), 50);
    let older = page.text.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let older = older.split('"').next().unwrap().replace("&amp;", "&");
    let rest = viewer.get(&older).await;
    assert_eq!(rows(&rest.text), 10);
    rest.says_not("data-live=");
    assert_eq!(rows(&viewer.get("/console/messages?key=7").await.text), 1);
    assert_eq!(rows(&viewer.get("/console/messages?from=2026-01-02T11%3A05%3A00").await.text), 5);
    viewer.get("/console/messages?verdict=refused").await.says("没有符合条件的报文");
    viewer.get("/console/messages?key=%3Cscript%3E").await.says("value=\"&lt;script&gt;\"");
}

#[tokio::test]
async fn a_message_is_explained_and_shown_to_whoever_says_why() {
    let world = World::with_users();
    world.issue("1", json!({})).await;
    let mut viewer = world.signed_in("viewer").await;
    let address = first_row(&viewer.get("/console/messages").await.text);
    viewer
        .get(&address)
        .await
        .says("签名正确")
        .says("验签密钥")
        .says("原文含个人信息，未显示")
        .says_not("script&gt;")
        .says("需要操作员角色");
    assert_eq!(viewer.post(&format!("{address}/show"), &[("reason", "想看看")]).await.status, StatusCode::FORBIDDEN);
    let mut operator = world.signed_in("operator").await;
    operator.get(&address).await.says("显示这条报文的原文？");
    assert_eq!(operator.post(&format!("{address}/show"), &[("reason", " ")]).await.status, StatusCode::BAD_REQUEST);
    let shown = operator.post(&format!("{address}/show"), &[("reason", "工单 17")]).await;
    shown.says("POST /qimen?app_key=24589063").says("&lt;script&gt;alert(1)").says_not(EVIL);
    let number = address.rsplit('/').next().unwrap();
    let entry = ("operator".to_owned(), Action::MessageShown, format!("message:{number}"), "工单 17".to_owned());
    assert_eq!(world.audit()[0], entry);
    assert_eq!(operator.get("/console/messages/999").await.status, StatusCode::NOT_FOUND);
    assert_eq!(operator.get("/console/messages/x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_secret_is_told_of_a_message_that_was_signed_with_none() {
    let world = World::with_users();
    world.rescind("u-1", "O-1").await;
    world.report_auction("A-1").await;
    let mut viewer = world.signed_in("viewer").await;
    for (channel, caller) in [("avatar", "解约通知"), ("api", "拍卖")] {
        let listed = viewer.get(&format!("/console/messages?channel={channel}")).await;
        viewer.get(&first_row(&listed.text)).await.says(caller).says_not("验签密钥");
    }
}

#[tokio::test]
async fn a_stranger_is_explained_in_words_for_the_other_side() {
    let world = World::with_users();
    world.stranger(&world.request("sandbox", "", RARE), 4_096).await;
    world.stranger(&world.request(SECRET, "&session=", RARE), 4_096).await;
    world.stranger(&world.request("else", "", RARE), 10).await;
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console/strangers").await;
    page.says("签名与该合作方的任何密钥都不符").says_not("the signature fits none");
    assert_eq!(rows(&page.text), 3);
    page.says("203.0.113.9");
    viewer.get("/console/strangers/1").await.says("alibaba 沙箱环境的密钥").says("请改用正式环境的密钥").says_not(RARE);
    viewer
        .get("/console/strangers/2")
        .await
        .says("空值参数没有参加签名：session")
        .says_not("&lt;script")
        .says_not(RARE);
    viewer.get("/console/strangers/3").await.says("无法判定：报文体共").says("traffic.stranger_body_bytes");
    viewer.get("/console/preferences?language=en").await;
    viewer
        .get("/console/strangers/1")
        .await
        .says("sign with the production secret")
        .says("it was signed with the sandbox");
    let mut operator = world.signed_in("operator").await;
    operator.get("/console/strangers/2").await;
    operator.post("/console/strangers/2/show", &[("reason", "联调")]).await.says(RARE).says("待签名串");
    assert_eq!(world.audit()[0].2, "stranger:2");
}

/// Who may look must not get a signature from us that they could send a call of their own with.
#[tokio::test]
async fn nobody_gets_a_signature_that_did_not_come() {
    let world = World::with_users();
    let request = String::from_utf8(world.request(SECRET, "", RARE)).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let query = head.split_once('?').unwrap().1.split_once(' ').unwrap().0;
    let sign = query.split('&').find_map(|pair| pair.strip_prefix("sign=")).unwrap();
    let command =
        |query: &str| format!("curl 'https://x/qimen?{query}' -H 'content-type: application/json' -d '{body}'");
    let unsigned = query.replace(sign, "00000000000000000000000000000000");
    let mut viewer = world.signed_in("viewer").await;
    viewer.get("/console/explain").await;
    let right = viewer.post("/console/explain", &[("command", &command(query)), ("protocol", "")]).await;
    right.says(sign).says("签名正确").says("与收到的一致");
    let guessed = viewer.post("/console/explain", &[("command", &command(&unsigned)), ("protocol", "")]).await;
    guessed.says("与收到的不同").says("baoqiao sign explain").says_not(sign);
    world.stranger(request.replace(sign, "00000000000000000000000000000000").as_bytes(), 4_096).await;
    viewer.get("/console/strangers/1").await.says("与收到的不同").says_not(sign);
}

#[tokio::test]
async fn a_pasted_command_is_explained_and_not_kept() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    viewer.get("/console/explain").await.says("curl 命令");
    let request = String::from_utf8(world.request(SECRET, "&session=", EVIL)).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let query = head.split_once('?').unwrap().1.split_once(' ').unwrap().0;
    let command = format!("curl 'https://x/qimen?{query}' -H 'content-type: application/json' -d '{body}'");
    let told = viewer.post("/console/explain", &[("command", &command), ("protocol", "")]).await;
    told.says("平台调用我方（qimen）").says("空值参数没有参加签名：session").says_not(EVIL).says("alert(1)");
    let wrong = viewer.post("/console/explain", &[("command", "curl x -F a=b"), ("protocol", "")]).await;
    wrong.says("选项 -F 无从解释");
    viewer.post("/console/explain", &[("command", "curl x -d @/etc/passwd")]).await.says("网页上不读取文件");
    let unknown = format!("curl 'https://x/?app_key={APP_KEY}&sign=A'");
    viewer.post("/console/explain", &[("command", &unknown), ("protocol", "top")]).await.says("我方调用平台（top）");
}

#[tokio::test]
async fn a_conflict_is_compared_field_by_field() {
    let world = World::with_users();
    let number = world.issue("1", json!({})).await;
    let policy = format!("href=\"/console/policies/{number}\"");
    let application = json!({"amount": "1019", "applicantPersonalInfo": {"personName": RARE}});
    assert!(world.apply("1", application).await.is_err());
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console/conflicts").await;
    assert_eq!(rows(&page.says(&policy).text), 1);
    let address = first_row(&page.text);
    let compared = viewer.get(&address).await;
    compared.says(&policy);
    compared.says("amount").says("1018").says("1019").says("applicantPersonalInfo.personName").says("•••");
    compared.says_not(RARE).says_not("alert(1)").says("需要操作员角色");
    viewer.get(&address.replace("conflicts", "messages")).await.says("逐字段对比");
    let mut operator = world.signed_in("operator").await;
    operator.get(&address).await;
    operator
        .post(&format!("{address}/show"), &[("reason", "核对")])
        .await
        .says(RARE)
        .says("&lt;script&gt;")
        .says_not(EVIL);
    assert_eq!(world.audit()[0].1, Action::MessageShown);
    let message = first_row(&viewer.get("/console/messages?verdict=accepted").await.text);
    assert_eq!(viewer.get(&message.replace("messages", "conflicts")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_dead_notice_is_explained_resent_and_skipped() {
    let world = World::with_users();
    let id = world.attempted("P1", "caller-sub-code: 40 isv.invalid-parameter", Next::Dead);
    let address = format!("/console/deliveries/{id}");
    let mut viewer = world.signed_in("viewer").await;
    viewer.get("/console/deliveries").await.says("死信").says("policy:<wbr>P1").says("各主题的队列");
    let page = viewer.get(&address).await;
    page.says("为什么成了死信")
        .says("我方的错误：原样再发，答复不变。")
        .says("12 毫秒")
        .says_not(EVIL)
        .says_not("alert(1)");
    page.says_not("/resend\"");
    let mut operator = world.signed_in("operator").await;
    operator.get(&address).await.says("重发这条通知？").says("跳过这条通知？");
    operator.post(&format!("{address}/show"), &[("reason", "核对")]).await.says("alert(1)").says_not(EVIL);
    let back = operator.post(&format!("{address}/resend"), &[("reason", "平台已修复")]).await;
    assert_eq!(back.location(), format!("{address}?done=resent"));
    operator.get(back.location()).await.says("已安排重发").says_not("为什么成了死信");
    assert_eq!(
        world.audit()[0],
        ("operator".to_owned(), Action::NoticesResent, format!("notice:{id}"), "平台已修复".to_owned())
    );
    let back = operator.post(&format!("{address}/skip"), &[("reason", "不再需要")]).await;
    assert_eq!(back.location(), format!("{address}?done=skipped"));
    let back = operator.post(&format!("{address}/skip"), &[("reason", "再来一次")]).await;
    operator.get(back.location()).await.says("未执行：已送达或已跳过");
    assert_eq!(operator.post("/console/deliveries/99/skip", &[("reason", "没有")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn many_are_resent_after_they_were_counted() {
    let world = World::with_users();
    for subject in ["P1", "P2", "P3"] {
        world.attempted(subject, "caller-code: 25", Next::Dead);
    }
    world.attempted("P4", "accepted: ok", Next::Delivered);
    let mut viewer = world.signed_in("viewer").await;
    assert_eq!(viewer.get("/console/deliveries/resend?state=dead").await.status, StatusCode::FORBIDDEN);
    let mut operator = world.signed_in("operator").await;
    operator.get("/console/deliveries/resend").await.says("请至少选择一个条件");
    operator.get("/console/deliveries/resend?state=dead").await.says("符合条件的通知共 3 条").says("重发这 3 条");
    operator.get("/console/deliveries/resend?state=dead&subject=policy%3AP9").await.says("无需重发");
    let path = "/console/deliveries/resend";
    operator.get("/console/deliveries/resend?state=dead").await;
    let fields = |count: &'static str, reason: &'static str| [("state", "dead"), ("count", count), ("reason", reason)];
    operator.post(path, &fields("2", "平台已修复")).await.says("已由 2 变为 3");
    operator.post(path, &fields("3", " ")).await.says("请填写事由");
    assert!(world.audit().iter().all(|entry| entry.1 != Action::NoticesResent), "nothing was done");
    let back = operator.post(path, &fields("3", "平台已修复")).await;
    assert_eq!(back.location(), "/console/deliveries?resent=3,0,0");
    operator.get(back.location()).await.says("3 条立即发送");
    assert_eq!(
        world.audit()[0],
        ("operator".to_owned(), Action::NoticesResent, "state=dead".to_owned(), "平台已修复".to_owned())
    );
    operator.get("/console/deliveries/resend?state=dead").await.says("无需重发");
    let all = operator.post(path, &[("count", "9"), ("reason", "全部重发")]).await;
    assert_eq!(all.status, StatusCode::BAD_REQUEST, "not everything at once");
}

#[tokio::test]
async fn many_are_skipped_after_they_were_counted() {
    let world = World::with_users();
    for subject in ["P1", "P2", "P3"] {
        world.attempted(subject, "caller-code: 25", Next::Dead);
    }
    world.attempted("P4", "accepted: ok", Next::Delivered);
    let mut viewer = world.signed_in("viewer").await;
    viewer.get("/console/deliveries").await.says_not("/console/deliveries/skip");
    assert_eq!(viewer.get("/console/deliveries/skip?state=dead").await.status, StatusCode::FORBIDDEN);
    let mut operator = world.signed_in("operator").await;
    operator.get("/console/deliveries").await.says("/console/deliveries/skip?");
    operator.get("/console/deliveries/skip").await.says("以免跳过全部通知");
    operator.get("/console/deliveries/skip?partner=alibaba").await.says("共 3 条").says("跳过这 3 条");
    operator.get("/console/deliveries/skip?state=delivered").await.says("无需跳过");
    let path = "/console/deliveries/skip";
    let fields =
        |count: &'static str, reason: &'static str| [("partner", "alibaba"), ("count", count), ("reason", reason)];
    operator.post(path, &fields("2", "平台已停用")).await.says("已由 2 变为 3");
    operator.post(path, &fields("3", " ")).await.says("请填写事由");
    assert!(world.audit().iter().all(|entry| entry.1 != Action::NoticeSkipped), "nothing was done");
    let back = operator.post(path, &fields("3", "平台已停用")).await;
    assert_eq!(back.location(), "/console/deliveries?skipped=3,0,0");
    operator.get(back.location()).await.says("已跳过 3 条");
    assert_eq!(
        world.audit()[0],
        ("operator".to_owned(), Action::NoticeSkipped, "partner=alibaba".to_owned(), "平台已停用".to_owned())
    );
    assert_eq!(rows(&operator.get("/console/deliveries?state=skipped").await.text), 3);
    let all = operator.post(path, &[("count", "9"), ("reason", "全部跳过")]).await;
    assert_eq!(all.status, StatusCode::BAD_REQUEST, "not everything at once");
}

#[tokio::test(start_paused = true)]
async fn what_is_live_follows_the_ledger_and_ends_with_the_gateway() {
    let world = World::with_users();
    world.issue("1", json!({})).await;
    let mut viewer = world.signed_in("viewer").await;
    let response = viewer.open(Request::get("/console/messages/live?verdict=accepted")).await;
    assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await?.unwrap().into_data().unwrap();
        Some(String::from_utf8(frame.to_vec()).unwrap())
    };
    let mut next_part = async || loop {
        match next().await {
            // Silence is no news.
            Some(text) if text == ":\n\n" => {}
            other => return other,
        }
    };
    let first = next_part().await.unwrap();
    assert!(first.starts_with("event: part\ndata: ") && rows(&first) == 1, "{first}");
    world.issue("2", json!({})).await;
    let second = next_part().await.unwrap();
    assert_eq!(rows(&second), 2, "{second}");
    world.feed.close();
    assert_eq!(next_part().await, None);
    assert_eq!(world.browser().get("/console/messages/live").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn channels_show_what_is_configured_and_no_secret() {
    let world = World::with_users();
    world.issue("1", json!({})).await;
    world.attempted("P1", "caller-code: 25", Next::Dead);
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console/channels").await;
    page.says(APP_KEY).says("没有在轮换密钥").says("100%（1 次）").says("HN_HT_QNW").says("127.0.0.0/8");
    page.says("死信").says("caller-code: 25").says("PBDI").says("policy.<wbr>issuing");
    page.says("1 个沙箱密钥").says_not(SECRET).says_not("\"sandbox\"");
    viewer.get("/console/preferences?language=en").await;
    viewer.get("/console/channels").await.says("No rotation is under way").says_not("：</");
}

#[tokio::test]
async fn nothing_is_told_of_a_webhook_that_nobody_configured() {
    let webhook = "[[webhook]]\nid = \"core\"\nurl = \"https://core.example.com/events\"\n\
                   secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    let world = World::with("https://gateway.test", webhook);
    world.add("viewer", Role::Viewer);
    let page = world.signed_in("viewer").await.get("/console/channels").await;
    page.says("core.<wbr>example.<wbr>com/<wbr>events").says("推送给我方系统").says("每秒 50 次").says_not("10000");
}

#[tokio::test]
async fn what_waits_is_counted_up_to_a_bound_and_what_is_ordered_exactly() {
    let world = World::with_users();
    let add = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001) \
               INSERT INTO notices (subject, kind, partner, content, created_ms) \
               SELECT 'policy:P', 'surrender-sync', 'alibaba', x'00', 1 FROM n";
    world.ledger_file().execute(add, []).unwrap();
    let mut operator = world.signed_in("operator").await;
    operator.get("/console/channels").await.says(">20,000+</a>");
    let none = operator.get("/console/deliveries?state=delivered&partner=alibaba").await;
    none.says("这一段里没有符合条件的通知").says("rel=\"next\"");
    operator.get("/console/deliveries/resend?state=pending").await.says("符合条件的通知共 20001 条");
}

#[tokio::test]
async fn an_interface_tells_its_fields_and_is_tried() {
    let world = World::with_users();
    let address = "/console/channels/qimen/policy-issuing";
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get(address).await;
    page.says("applicantPersonalInfo.personLicenseType").says("ALI、IDENTITY_CARD 或 PASSPORT").says("必填");
    page.says("试发需要操作员角色").says_not("really-send");
    for other in ["/console/channels/qimen/recovery", "/console/channels/avatar/rescission-notice"] {
        viewer.get(other).await.says("任意文本").says("示例");
    }
    let mut operator = world.signed_in("operator").await;
    let rescission = operator.get("/console/channels/avatar/rescission-notice").await;
    rescission.says("已配置的渠道代码").says("报文体（JSON）").says_not("JSON 或 XML").says_not("以选定的身份签名");
    rescission.says("head.interfaceType：缺少，必填").says_not("：policyNo：");
    operator.get(address).await.says("报文体（JSON 或 XML）").says("以选定的身份签名").says("amount：缺少，必填");
    operator.get("/console/channels/qimen/recovery").await.says("identifier：缺少，必填");
    operator.get("/console/preferences?language=en").await;
    operator
        .get(address)
        .await
        .says("a decimal amount without a sign, such as 1018.0")
        .says_not("不含正负号的十进制金额");
    operator.get("/console/preferences?language=zh-CN").await;
    assert_eq!(viewer.get("/console/channels/qimen/none").await.status, StatusCode::NOT_FOUND);
    let body = include_str!("../../../../../channels/src/qimen/golden/policy_issuing/example.json");
    operator.get(address).await.says("只校验").says("真的发送");
    let fields = |body: &str, mode: &'static str, reason: &'static str, charset: &'static str| {
        let text = str::to_owned;
        vec![
            ("caller", text("alibaba")),
            ("charset", text(charset)),
            ("body", text(body)),
            ("mode", text(mode)),
            ("reason", text(reason)),
        ]
    };
    let path = format!("{address}/try");
    let mut post = async |fields: Vec<(&str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        operator.post(&path, &fields).await
    };
    post(fields(body, "check", "", "utf8"))
        .await
        .says("校验通过：作为幂等号 010101004178221080402170019 的首次报文会被受理")
        .says("签名正确");
    let checked = post(fields(body, "check", "", "utf8")).await;
    let is_sign = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    let signature = checked.text.as_bytes().windows(32).find(|window| window.iter().all(is_sign));
    assert_eq!(signature, None, "it could be sent by other means, without a reason");
    let wrong = body.replace("\"premium\":\"6.36\"", "\"premium\":\"6,36\"");
    post(fields(&wrong, "check", "", "gbk")).await.says("会被拒绝：INVALID_ARGUMENT").says("6,36");
    post(fields("𬭎", "check", "", "gbk")).await.says("GBK 没有的字符");
    post(fields(body, "send", " ", "utf8")).await.says("没有发送：请填写事由");
    assert!(world.audit().iter().all(|entry| entry.1 != Action::MessageTried));
    assert_eq!(rows(&viewer.get("/console/messages").await.text), 0, "nothing of a check is kept");
    post(fields(body, "send", "联调", "gbk")).await.says("应答（HTTP 200）").says("PBDI");
    let entry = ("operator".to_owned(), Action::MessageTried, "qimen/policy-issuing".to_owned(), "联调".to_owned());
    assert_eq!(world.audit()[0], entry);
    assert_eq!(rows(&viewer.get("/console/messages").await.text), 1);
    post(vec![("caller", "nobody".to_owned()), ("body", "{}".to_owned()), ("mode", "check".to_owned())])
        .await
        .says("没有这样的调用方");
}

#[tokio::test]
async fn a_policy_source_is_tried_with_its_hmac_from_where_one_sits() {
    let world = World::with_users();
    let body = include_str!("../../../../../channels/src/avatar/golden/rescission_notice/example.json");
    let mut operator = world.signed_in("operator").await;
    operator.get("/console/channels/avatar/rescission-notice").await;
    let fields = [("caller", "HN_HT_QNW"), ("body", body), ("mode", "check")];
    let tried = operator.post("/console/channels/avatar/rescission-notice/try", &fields).await;
    tried.says("来自 192.0.2.7，不在渠道 HN_HT_QNW 的白名单").says("会被拒绝");
}

#[tokio::test]
async fn somebody_plays_the_platform() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    let address = "/console/channels/notices/surrender-sync";
    let told = viewer.get(address).await;
    told.says("扮演平台").says("判定表").says("平台自称是其自身的错误。").says("<code>code</code> 为 4 至 8");
    told.says("没有及时答复").says_not("no answer in time").says_not("`");
    let refused = "{\"error_response\":{\"code\":40,\"sub_code\":\"isv.invalid-parameter\"}}";
    viewer.post(address, &[("status", "200"), ("body", refused)]).await.says("caller-sub-code").says("死信");
    let taken = "<alibaba_alihealth_insurance_inst_surrender_info_sync_response><data>true</data></alibaba_alihealth_insurance_inst_surrender_info_sync_response>";
    viewer.post(address, &[("status", "200"), ("body", taken)]).await.says("已送达");
    viewer.get("/console/channels/notices/webhook").await.says("webhook-signature").says_not("判定表");
    assert_eq!(viewer.get("/console/channels/notices/pigeon").await.status, StatusCode::NOT_FOUND);
}
