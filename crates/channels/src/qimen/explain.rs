//! The check of a Qimen call, told step by step, in the order of `authenticate`.

use jiff::Timestamp;

use baoqiao_domain::refusal::Distrust;
use baoqiao_domain::time::{format_gmt8, parse_gmt8};

use super::sign::{MAX_PARAMETERS, SignedParts};
use crate::access::Partner;
use crate::explain::{Check, Evidence, Explanation, Kept, Known, Signing, Standing, Step, Subject, shown};
use crate::rule::Rule;
use crate::sign_method::SignMethod;

pub(super) fn explain(evidence: &Evidence, known: &Known<'_>, now: Timestamp) -> Explanation {
    let parts = SignedParts::of(&evidence.raw);
    let app_key = parts.text("app_key");
    let partner = app_key.as_deref().and_then(|app_key| known.access.partner(app_key));
    let named = parts.text("sign_method").filter(|name| !name.is_empty());
    let method = named.as_deref().map_or(Ok(SignMethod::Md5), str::parse).ok();
    let secrets = known.for_partner(app_key.as_deref());
    let check = Check {
        rule: Rule::Receiver,
        method: method.unwrap_or(SignMethod::Md5),
        secrets: &secrets,
        header: None,
        body_only: false,
    };
    let signing = Signing::of(evidence, &check);
    let mut steps = Vec::new();
    if parts.too_many() {
        steps.push(Step::new(
            Standing::Failed,
            format!("参数超过 {MAX_PARAMETERS} 个，一律不看"),
            format!("more than {MAX_PARAMETERS} parameters: none is looked at"),
        ));
    }
    steps.push(app_key_step(app_key.as_deref(), partner));
    steps.push(method_step(named.as_deref(), method, partner));
    let at = steps.len();
    let timestamp = parts.text("timestamp");
    let window_s = partner.map_or(DEFAULT_WINDOW_S, |partner| partner.timestamp_window_s);
    steps.push(timestamp_step(timestamp.as_deref(), window_s, now));
    if evidence.kept == Kept::HeadCut {
        // What is missing may stand in the part that was not kept.
        steps
            .iter_mut()
            .filter(|step| step.standing == Standing::Failed)
            .for_each(|step| step.standing = Standing::Unknown);
    }
    Explanation::of(steps, signing, at, &Subject::of_parameters(&parts))
}

/// The platform's own ten minutes.
pub(crate) const DEFAULT_WINDOW_S: i64 = 600;

fn app_key_step(app_key: Option<&str>, partner: Option<&Partner>) -> Step {
    match (app_key, partner) {
        (None, _) => Step::new(Standing::Failed, "没有参数 app_key", "there is no parameter app_key"),
        (Some(_), Some(partner)) => {
            let (app_key, id) = (&partner.app_key, &partner.id);
            let (zh, en) = (format!("app_key {app_key} 是伙伴 {id}"), format!("app_key {app_key} is the partner {id}"));
            Step::new(Standing::Passed, zh, en)
        }
        (Some(app_key), None) => {
            // Shortened as in the log: who mistakes one setting for another sends a secret here.
            let app_key = match Distrust::unknown_caller(app_key) {
                Distrust::UnknownCaller(shortened) => shown(&shortened),
                _ => String::new(),
            };
            let zh = format!("app_key {app_key} 不属于任何伙伴（[[partner]]）");
            Step::new(Standing::Failed, zh, format!("app_key {app_key} belongs to no [[partner]]"))
        }
    }
}

fn method_step(named: Option<&str>, method: Option<SignMethod>, partner: Option<&Partner>) -> Step {
    let stated = named.map_or_else(|| "md5".to_owned(), shown);
    let (absent_zh, absent_en) = if named.is_none() { ("（未写，缺省）", " (by default)") } else { ("", "") };
    let Some(method) = method else {
        return Step::new(
            Standing::Failed,
            format!("sign_method {stated} 不是 md5、hmac、hmac-sha256 之一"),
            format!("sign_method {stated} is none of md5, hmac, hmac-sha256"),
        );
    };
    if partner.is_none_or(|partner| partner.sign_methods.contains(&method)) {
        let (zh, en) = (format!("签名方法 {stated}{absent_zh}"), format!("signed by {stated}{absent_en}"));
        return Step::new(Standing::Passed, zh, en);
    }
    Step::new(
        Standing::Failed,
        format!("签名方法 {stated}{absent_zh}不在该伙伴的 sign_methods 之内"),
        format!("signed by {stated}{absent_en}, which the partner's sign_methods do not have"),
    )
}

/// Whether the call's time is near enough to that of its arrival.
pub(crate) fn timestamp_step(timestamp: Option<&str>, window_s: i64, now: Timestamp) -> Step {
    let Some(text) = timestamp else {
        return Step::new(Standing::Failed, "没有参数 timestamp", "there is no parameter timestamp");
    };
    let Some(stated) = parse_gmt8(text) else {
        let text = shown(text);
        return Step::new(
            Standing::Failed,
            format!("timestamp {text} 不是 yyyy-MM-dd HH:mm:ss"),
            format!("timestamp {text} is not yyyy-MM-dd HH:mm:ss"),
        );
    };
    let offset_s = stated.as_second().saturating_sub(now.as_second());
    let off_s = offset_s.saturating_abs();
    let (ahead_zh, ahead_en) = if offset_s < 0 { ("早", "behind") } else { ("晚", "ahead of") };
    let (stated, now) = (format_gmt8(stated), format_gmt8(now));
    Step::passed_if(
        off_s <= window_s,
        format!("timestamp {stated} 比收到的时间 {now} {ahead_zh} {off_s} 秒，允许 {window_s} 秒"),
        format!("timestamp {stated} is {off_s} s {ahead_en} the arrival at {now}; {window_s} s are allowed"),
    )
}
