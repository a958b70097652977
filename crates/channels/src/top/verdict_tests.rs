//! Every row of the table, by answers as they come; and the document that shows the table.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::SignedDuration;

use super::verdict::{RULES, Ruling};
use crate::outbound::{Judgement, Outbound, OutboundResponse, Verdict};
use crate::top::{AuctionResult, SurrenderSync};

const TOP: &[&dyn Outbound] = &[&SurrenderSync, &AuctionResult];
const SURRENDER: &str = "alibaba_alihealth_insurance_inst_surrender_info_sync_response";
const AUCTION: &str = "auction_insurance_insuranceresultcallback_response";

fn answer_with(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> OutboundResponse {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    OutboundResponse::Answer { status, headers: headers.collect(), body: body.into() }
}

fn answer(body: &str) -> OutboundResponse {
    answer_with(200, &[], body.to_owned())
}

/// An error in every spelling: JSON with a number, JSON with text, XML.
fn errors(code: u32, sub_code: &str, sub_msg: &str) -> Vec<OutboundResponse> {
    let rest = format!(r#""msg":"m","sub_code":"{sub_code}","sub_msg":"{sub_msg}","request_id":"r1""#);
    vec![
        answer(&format!(r#"{{"error_response":{{"code":{code},{rest}}}}}"#)),
        answer(&format!(r#"{{"error_response":{{"code":"{code}",{rest}}}}}"#)),
        answer(&format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\" ?><error_response><code>{code}</code><msg>m</msg><sub_code>{sub_code}</sub_code><sub_msg>{sub_msg}</sub_msg><request_id>r1</request_id></error_response>"
        )),
    ]
}

/// A success envelope in both spellings.
fn envelope(root: &str, fields: &[(&str, &str)]) -> Vec<OutboundResponse> {
    let json: Vec<String> = fields
        .iter()
        .map(|(name, value)| match *value {
            "true" | "false" => format!(r#""{name}":{value}"#),
            _ => format!(r#""{name}":"{value}""#),
        })
        .collect();
    let xml: Vec<String> = fields.iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
    vec![
        answer(&format!(r#"{{"{root}":{{{}}}}}"#, json.join(","))),
        answer(&format!("<{root}>\n    {}\n</{root}>", xml.join("\n    "))),
    ]
}

fn retry() -> Verdict {
    Verdict::Retry { after: None }
}

fn slow() -> Verdict {
    Verdict::SlowDown { pause: None }
}

/// Errors by code and sub-code, the row that each must meet, and its verdict.
fn error_cases() -> Vec<(u32, &'static str, &'static str, Verdict)> {
    let mut cases = vec![
        (7, "", "app-call-limited", slow()),
        (7, "isv.whatever", "app-call-limited", slow()),
        (7, "accesscontrol.limited-by-api-access-count", "app-call-limited", slow()),
        (4, "", "kindred-call-limited", slow()),
        (5, "", "kindred-call-limited", slow()),
        (6, "", "kindred-call-limited", slow()),
        (8, "", "kindred-call-limited", slow()),
        (15, "isp.call-limited", "isp-call-limited", slow()),
        (11, "accesscontrol.limited-by-app-access-count", "access-limited", slow()),
        (15, "accesscontrol.limited-by-dynamic-access-count", "access-limited", slow()),
        (15, "isp.remote-service-timeout", "platform-sub-code", retry()),
        (40, "isp.top-parameter-lost", "platform-sub-code", retry()),
        (50, "ISP.UNKNOWN-ERROR", "platform-sub-code", retry()),
        (15, "isv.invalid-parameter", "caller-sub-code", Verdict::Dead),
        (50, "isv.invalid-parameter", "caller-sub-code", Verdict::Dead),
        (50, "isv.invalid-parameter:biz_id", "caller-sub-code", Verdict::Dead),
        (10, "", "service-unavailable", retry()),
        (9, "", "http-action-not-allowed", Verdict::Dead),
        (11, "", "insufficient-permissions", Verdict::Dead),
        (12, "", "insufficient-permissions", Verdict::Dead),
        (13, "", "insufficient-permissions", Verdict::Dead),
        (15, "", "remote-service-error", retry()),
        (15, "SYSTEM_ERROR", "remote-service-error", retry()),
        (50, "", "remote-service-error-50", retry()),
        (0, "", "unknown-error", retry()),
        (14, "", "unknown-error", retry()),
        (20, "", "unknown-error", retry()),
        (44, "unheard-of", "unknown-error", retry()),
        (900, "accesscontrol.other", "unknown-error", retry()),
    ];
    cases.extend((21..=43).map(|code| (code, "", "caller-code", Verdict::Dead)));
    cases.extend((21..=43).map(|code| (code, "unheard-of", "caller-code", Verdict::Dead)));
    cases
}

/// Answers that are no errors: which interface, the row, its verdict.
fn other_cases() -> Vec<(&'static dyn Outbound, Vec<OutboundResponse>, &'static str, Verdict)> {
    let surrender = |fields: &[(&str, &str)]| envelope(SURRENDER, fields);
    // Named by the rule, and as in the document.
    let auction =
        |fields: &[(&str, &str)]| [envelope(&format!("taobao_{AUCTION}"), fields), envelope(AUCTION, fields)].concat();
    let unintelligible = ["", " ", "ok", "{", "[]", "<html><body>502</body></html>", "{\"x\":1}", "<a", "null"];
    vec![
        (&AuctionResult, auction(&[("call_success", "true"), ("request_id", "r")]), "accepted", Verdict::Delivered),
        (&AuctionResult, auction(&[("call_success", "false"), ("fail_code", "X")]), "business-refusal", Verdict::Dead),
        (&AuctionResult, auction(&[("fail_code", "X")]), "no-word-of-acceptance", retry()),
        (&AuctionResult, auction(&[("call_success", "maybe")]), "no-word-of-acceptance", retry()),
        (&AuctionResult, auction(&[]), "no-word-of-acceptance", retry()),
        (&SurrenderSync, surrender(&[("result_status", ""), ("data", "true")]), "accepted", Verdict::Delivered),
        (&SurrenderSync, surrender(&[("result_status", "SUCCESS"), ("data", "true")]), "accepted", Verdict::Delivered),
        (&SurrenderSync, surrender(&[("result_status", "OTHER"), ("data", "true")]), "accepted", Verdict::Delivered),
        (&SurrenderSync, surrender(&[("result_status", "success")]), "accepted", Verdict::Delivered),
        (&SurrenderSync, surrender(&[("data", "false")]), "business-refusal", Verdict::Dead),
        (
            &SurrenderSync,
            surrender(&[("result_status", "SUCCESS"), ("data", "false")]),
            "business-refusal",
            Verdict::Dead,
        ),
        (&SurrenderSync, surrender(&[("result_status", "FAIL"), ("data", "true")]), "business-refusal", Verdict::Dead),
        (&SurrenderSync, surrender(&[("result_status", "biz_error")]), "business-refusal", Verdict::Dead),
        (&SurrenderSync, surrender(&[("result_status", "F")]), "business-refusal", Verdict::Dead),
        (&SurrenderSync, surrender(&[("result_status", "WAITING")]), "no-word-of-acceptance", retry()),
        (&SurrenderSync, surrender(&[("request_id", "r")]), "no-word-of-acceptance", retry()),
        (&AuctionResult, surrender(&[("data", "true"), ("call_success", "true")]), "unintelligible", retry()),
        (&SurrenderSync, unintelligible.map(answer).to_vec(), "unintelligible", retry()),
        (&SurrenderSync, unintelligible.map(|body| answer_with(404, &[], body)).to_vec(), "unintelligible", retry()),
        (&SurrenderSync, unintelligible.map(|body| answer_with(503, &[], body)).to_vec(), "server-error", retry()),
        (&SurrenderSync, vec![OutboundResponse::TimedOut], "timeout", retry()),
        (
            &SurrenderSync,
            vec![OutboundResponse::NetworkFailed { detail: "reset".to_owned() }],
            "network-failure",
            retry(),
        ),
    ]
}

fn check(interface: &dyn Outbound, response: &OutboundResponse, rule: &str, verdict: Verdict) {
    let judgement = interface.verdict(response);
    assert_eq!((judgement.rule, judgement.verdict), (rule, verdict), "{response:?}");
}

#[test]
fn every_row_of_the_table_decides_what_it_says() {
    let mut met = BTreeSet::new();
    for (code, sub_code, rule, verdict) in error_cases() {
        for response in errors(code, sub_code, "") {
            for interface in TOP {
                check(*interface, &response, rule, verdict);
            }
        }
        met.insert(rule);
    }
    for (interface, responses, rule, verdict) in other_cases() {
        for response in &responses {
            check(interface, response, rule, verdict);
        }
        met.insert(rule);
    }
    let rows: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(rows.len(), RULES.len(), "two rows have one name");
    assert_eq!(met, rows, "rows without a case, or cases without a row");
}

#[test]
fn the_documents_own_answers() {
    let success = include_str!("golden/surrender_sync/example.answer.xml");
    check(&SurrenderSync, &answer(success), "accepted", Verdict::Delivered);
    let success = include_str!("golden/auction_result/example.answer.xml");
    check(&AuctionResult, &answer(success), "accepted", Verdict::Delivered);
    let error = include_str!("golden/surrender_sync/example.error.xml");
    check(&SurrenderSync, &answer(error), "caller-sub-code", Verdict::Dead);
    let error = r#"{"error_response":{"code":50,"msg":"Remote service error","sub_code":"isv.invalid-parameter","sub_msg":"非法参数","request_id":"9d"}}"#;
    let judgement = AuctionResult.verdict(&answer(error));
    assert_eq!(judgement.verdict, Verdict::Dead);
    let detail = "code=50, sub_code=isv.invalid-parameter, msg=Remote service error, request_id=9d";
    assert_eq!(judgement.detail, detail, "codes, and not what may quote the notice");
}

/// The body decides whatever the HTTP status is, and the status nothing by itself.
#[test]
fn the_http_status_never_decides_alone() {
    let accepted = r#"{"taobao_auction_insurance_insuranceresultcallback_response":{"call_success":true}}"#;
    let refused = r#"{"error_response":{"code":25,"msg":"Invalid signature"}}"#;
    for status in [200, 302, 403, 404, 429, 500, 503] {
        check(&AuctionResult, &answer_with(status, &[], accepted), "accepted", Verdict::Delivered);
        check(&AuctionResult, &answer_with(status, &[], refused), "caller-code", Verdict::Dead);
        let nothing = AuctionResult.verdict(&answer_with(status, &[], ""));
        assert!(matches!(nothing.verdict, Verdict::Retry { .. }), "{status}");
    }
}

#[test]
fn how_long_to_wait_is_taken_from_the_platforms_words() {
    let pause = |seconds| Verdict::SlowDown { pause: Some(SignedDuration::from_secs(seconds)) };
    let limited = "accesscontrol.limited-by-api-access-count";
    for (words, seconds) in
        [("This ban will last for 1 more seconds", 1), ("This ban will last for 31062 more seconds", 31_062)]
    {
        for response in errors(7, limited, words) {
            check(&SurrenderSync, &response, "app-call-limited", pause(seconds));
        }
    }
    for response in errors(7, limited, "This ban will last for 99999999 more seconds") {
        check(&SurrenderSync, &response, "app-call-limited", pause(86_400));
    }
    for words in ["This ban will last for -5 more seconds", "This ban will last for some more seconds", "wait"] {
        for response in errors(7, limited, words) {
            check(&SurrenderSync, &response, "app-call-limited", slow());
        }
    }
    let busy = answer_with(503, &[("retry-after", "30")], "");
    let after = Verdict::Retry { after: Some(SignedDuration::from_secs(30)) };
    check(&SurrenderSync, &busy, "server-error", after);
    let dated = answer_with(503, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], "");
    check(&SurrenderSync, &dated, "server-error", retry());
}

#[test]
fn a_wrong_charset_spoils_words_and_not_verdicts() {
    let text = r#"{"taobao_auction_insurance_insuranceresultcallback_response":{"call_success":false,"fail_message":"保单不存在"}}"#;
    let (gbk, _, _) = encoding_rs::GBK.encode(text);
    let gbk = gbk.into_owned();
    for content_type in
        ["application/json;charset=GBK", "application/json;charset=utf-8", "text/plain", "text/xml;charset=big5"]
    {
        let response = answer_with(200, &[("content-type", content_type)], gbk.clone());
        check(&AuctionResult, &response, "business-refusal", Verdict::Dead);
    }
    let broken = [b"<error_response><code>10</code><msg>\xff\xfe".as_slice(), b"</msg></error_response>"].concat();
    check(&AuctionResult, &answer_with(200, &[], broken), "service-unavailable", retry());
}

#[test]
fn a_judgement_is_one_short_line() {
    let response = errors(40, &format!("odd\\n{}", "长".repeat(500)), "").remove(0);
    let Judgement { detail, .. } = SurrenderSync.verdict(&response);
    assert!(!detail.contains('\n') && detail.chars().count() < 200, "{detail}");
}

/// `docs/verdicts.md` shows the table as it is.
#[test]
fn the_document_shows_this_table() {
    let document = include_str!("../../../../docs/verdicts.md");
    let shown: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    let table: Vec<String> = RULES
        .iter()
        .map(|rule| format!("| `{}` | {} | {} | {} |", rule.name, rule.when, rule.ruling, rule.why))
        .collect();
    assert_eq!(shown, table, "docs/verdicts.md should read:\n{}", table.join("\n"));
    for ruling in [Ruling::Delivered, Ruling::Retry, Ruling::SlowDown, Ruling::Dead] {
        assert!(document.contains(&format!("**{ruling}**")), "{ruling} is not explained");
    }
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let response = answer_with(status, &[], body);
            for interface in TOP {
                prop_assert_ne!(interface.verdict(&response).verdict, Verdict::Delivered);
            }
        }

        #[test]
        fn no_json_makes_it_panic(fields in "(\"(code|sub_code|data|call_success)\":(1|\"\"|\\{\\}|\\[\\]|null|99999999999),?){0,4}") {
            let body = format!("{{\"error_response\":{{{}}}}}", fields.trim_end_matches(','));
            for interface in TOP {
                prop_assert_ne!(interface.verdict(&answer(&body)).verdict, Verdict::Delivered);
            }
        }
    }
}
