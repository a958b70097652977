//! The check of an Avatar call, told step by step, in the order of `authenticate`.

use std::net::IpAddr;

use http::HeaderValue;
use serde_json::{Map, Value};

use baoqiao_domain::refusal::Refusal;

use super::{HMAC_HEADER, body, head_text};
use crate::access::SourceAccess;
use crate::explain::{Check, Evidence, Explanation, Kept, Known, Signing, Standing, Step, Subject, shown};
use crate::rule::Rule;
use crate::sign_method::SignMethod;

pub(super) fn explain(evidence: &Evidence, known: &Known<'_>) -> Explanation {
    let read = body(&evidence.raw);
    let cut = evidence.kept != Kept::Whole;
    let code = match &read {
        Ok(object) => head_text(object, "policySource"),
        // Where only the beginning is at hand, the code may stand in it.
        Err(_) if cut => code_by_look(&evidence.raw.body),
        Err(_) => None,
    };
    let source = code.as_deref().and_then(|code| known.access.source(code));
    let mut steps = Vec::new();
    if !cut {
        steps.push(body_step(&read));
    }
    steps.push(code_step(code.as_deref(), source, cut));
    if let Some(source) = source {
        steps.push(address_step(source, evidence.peer));
        steps.extend(certificate_step(source));
    }
    let sent = evidence.raw.headers.get(HMAC_HEADER).map(HeaderValue::as_bytes);
    let sent = sent.map(|sent| String::from_utf8_lossy(sent).trim().to_owned());
    if source.is_none_or(|source| source.hmac_secrets.is_empty()) {
        if source.is_some() {
            let (zh, en) =
                ("没有约定共享密钥，不看 HMAC 请求头", "no shared key is configured: the HMAC header is not looked at");
            steps.push(Step::new(Standing::Passed, zh, en));
        }
        return Explanation { steps, signing: None, letter: None };
    }
    let secrets = known.for_source(code.as_deref());
    let check = Check {
        rule: Rule::Receiver,
        method: SignMethod::HmacSha256,
        secrets: &secrets,
        header: Some(sent.unwrap_or_default()),
        body_only: true,
    };
    let signing = Signing::of(evidence, &check);
    let subject = Subject { signature: "X-Avatar-Signature", named: named_by(&read, code) };
    let at = steps.len();
    Explanation::of(steps, signing, at, &subject)
}

fn named_by(read: &Result<Map<String, Value>, Refusal>, code: Option<String>) -> Vec<(&'static str, String)> {
    let field = |name| read.as_ref().ok().and_then(|object| head_text(object, name));
    let named = [("policySource", code), ("uuid", field("uuid")), ("orderNo", field("orderNo"))];
    named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `"policySource":"…"` somewhere in a text that is no longer JSON.
fn code_by_look(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("\"policySource\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    value.split_once('"').map(|(code, _)| code.to_owned())
}

fn body_step(read: &Result<Map<String, Value>, Refusal>) -> Step {
    match read {
        Ok(_) => Step::new(Standing::Passed, "报文体是 JSON", "the body is JSON"),
        Err(refusal) => {
            let why = refusal.public_message();
            Step::new(Standing::Failed, format!("报文体读不出来：{why}"), format!("the body cannot be read: {why}"))
        }
    }
}

fn code_step(code: Option<&str>, source: Option<&SourceAccess>, cut: bool) -> Step {
    match (code.map(shown), source) {
        (None, _) if cut => Step::new(
            Standing::Unknown,
            "无法判定：留存的部分里没有 head.policySource",
            "cannot be decided: head.policySource is not in the part that was kept",
        ),
        (None, _) => Step::new(Standing::Failed, "没有 head.policySource", "there is no head.policySource"),
        (Some(code), Some(_)) => {
            Step::new(Standing::Passed, format!("渠道 {code}"), format!("the policy source is {code}"))
        }
        (Some(code), None) => Step::new(
            Standing::Failed,
            format!("head.policySource {code} 没有配置（[[policy_source]]）"),
            format!("head.policySource {code} is no configured [[policy_source]]"),
        ),
    }
}

fn address_step(source: &SourceAccess, peer: Option<IpAddr>) -> Step {
    let code = &source.code;
    let Some(peer) = peer else {
        return Step::new(
            Standing::Unknown,
            "来源地址未知，无法对照白名单",
            "the address that it came from is not known: it cannot be held against the allowed ones",
        );
    };
    if source.addresses.iter().any(|range| range.contains(peer)) {
        let (zh, en) = (format!("来自 {peer}，在白名单内"), format!("it came from {peer}, which is allowed"));
        return Step::new(Standing::Passed, zh, en);
    }
    Step::new(
        Standing::Failed,
        format!("来自 {peer}，不在渠道 {code} 的白名单（allowed_addresses）内；若经反向代理，这里是代理的地址"),
        format!(
            "it came from {peer}, which is none of the allowed_addresses of {code}; behind a reverse proxy this is the proxy's"
        ),
    )
}

/// Which certificate was shown is known to the moment alone.
fn certificate_step(source: &SourceAccess) -> Option<Step> {
    let code = &source.code;
    (!source.client_certificates.is_empty()).then(|| {
        Step::new(
            Standing::Unknown,
            format!("渠道 {code} 须出示客户端证书；出示了哪一张不在留存记录里，见拒绝原因"),
            format!("{code} must show a client certificate; which it showed is not in the record: see the reason of the refusal"),
        )
    })
}
