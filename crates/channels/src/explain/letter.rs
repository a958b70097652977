//! What can be forwarded to the other side: what is wrong, why, and how it is done right. It holds no secret, and of the
//! message only names, its `app_key`, its time and its signature.

use std::fmt::Write as _;

use super::material::Source;
use super::search::{Cause, Comparison};
use super::signing::{Part, SignedBody, Signing};
use super::words::{Audience, Words, listed, shown};
use crate::qimen::sign::SignedParts;
use crate::rule::Rule;
use crate::sign_method::SignMethod;

/// How the message is named to its sender.
pub(crate) struct Subject {
    /// What is checked, such as `sign`.
    pub(crate) signature: &'static str,
    /// What tells the message from others: name and value.
    pub(crate) named: Vec<(&'static str, String)>,
}

impl Subject {
    /// A message that is signed in its parameters.
    pub(crate) fn of_parameters(parts: &SignedParts<'_>) -> Self {
        let named = |name: &'static str| parts.text(name).map(|value| (name, value.into_owned()));
        Self { signature: "sign", named: ["app_key", "method", "timestamp"].into_iter().filter_map(named).collect() }
    }
}

/// The letter about a signature that is wrong and explained.
pub(crate) fn letter(subject: &Subject, signing: &Signing) -> Option<Words> {
    let Comparison::Explained(causes) = &signing.comparison else { return None };
    let named: Vec<String> = subject.named.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    let sent = shown(signing.sent.as_deref().unwrap_or_default());
    let (mut zh, mut en) = (String::new(), String::new());
    // Writing to a string cannot fail.
    let _ = writeln!(zh, "贵方的这次调用未通过验签：{}", named.join("，"));
    let _ = writeln!(en, "This call of yours did not pass the signature check: {}", named.join(", "));
    let _ = writeln!(zh, "收到的签名（{}）：{sent}", subject.signature);
    let _ = writeln!(en, "The signature that came ({}): {sent}", subject.signature);
    let reasons = |language: fn(Words) -> String, by| {
        let told = causes.iter().map(|cause| language(cause.words(signing, Audience::OtherSide)));
        told.collect::<Vec<_>>().join(by)
    };
    let _ = writeln!(zh, "经逐项比对，原因是：{}。", reasons(|words| words.zh, "；并且"));
    let _ = writeln!(en, "Why: {}.", reasons(|words| words.en, "; and "));
    let remedies = |language: fn(Words) -> String, by| {
        remedies(causes, signing).into_iter().map(language).collect::<Vec<_>>().join(by)
    };
    let _ = writeln!(zh, "更正办法：{}。", remedies(|words| words.zh, "；"));
    let _ = writeln!(en, "What to do: {}.", remedies(|words| words.en, "; "));
    let rule = rule(signing);
    let _ = write!(zh, "{}", rule.zh);
    let _ = write!(en, "{}", rule.en);
    Some(Words { zh, en })
}

/// Each remedy once.
fn remedies(causes: &[Cause], signing: &Signing) -> Vec<Words> {
    let mut remedies: Vec<Words> = Vec::new();
    for remedy in causes.iter().map(|cause| cause.remedy(signing)) {
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

/// How it is signed right.
fn rule(signing: &Signing) -> Words {
    let parameters = parameters(signing);
    let body = match signing.body {
        SignedBody::Text { bytes, .. } => {
            Words::new(format!("，其后接报文体原文（{bytes} 字节）"), format!(", then the body's text ({bytes} bytes)"))
        }
        SignedBody::Cut { body_bytes, .. } => Words::new(
            format!("，其后接报文体原文（{body_bytes} 字节；表单则各字段作为参数）"),
            format!(", then the body's text ({body_bytes} bytes; the fields of a form are parameters)"),
        ),
        SignedBody::Form | SignedBody::None => Words::new("", ""),
    };
    let digest = digest(signing.method);
    Words::new(
        format!("正确的待签名串：{}{}，字符集 {}。签名：{}。", parameters.zh, body.zh, signing.charset, digest.zh),
        format!(
            "The string to sign: {}{}, in {}. The signature: {}.",
            parameters.en, body.en, signing.charset, digest.en
        ),
    )
}

fn parameters(signing: &Signing) -> Words {
    if signing.signed.is_empty() {
        return Words::new("没有参数", "no parameters");
    }
    let marked = |header, empty| -> Vec<String> {
        signing.signed.iter().map(|part| marked(part, signing.rule, header, empty)).collect()
    };
    let (zh, en) = (marked("（请求头）", "（空值）"), marked(" (header)", " (empty)"));
    let (zh, en) = (listed(zh.iter().map(String::as_str)).zh, listed(en.iter().map(String::as_str)).en);
    Words::new(
        format!("按参数名升序，依次拼接名与值：{zh}"),
        format!("name and value of each parameter, joined in the order of their names: {en}"),
    )
}

fn marked(part: &Part, rule: Rule, header: &str, empty: &str) -> String {
    let header = if part.source == Source::Header { header } else { "" };
    let empty = if rule == Rule::Receiver && part.value.is_empty() { empty } else { "" };
    format!("{}{header}{empty}", part.name)
}

fn digest(method: SignMethod) -> Words {
    match method {
        SignMethod::Md5 => Words::new(
            "MD5(密钥 + 待签名串 + 密钥)，大写十六进制",
            "MD5(secret + string to sign + secret) in upper-case hex",
        ),
        SignMethod::Hmac => Words::new(
            "以密钥为键对待签名串作 HMAC-MD5，大写十六进制",
            "HMAC-MD5 of the string to sign, keyed with the secret, in upper-case hex",
        ),
        SignMethod::HmacSha256 => Words::new(
            "以密钥为键对待签名串作 HMAC-SHA256，大写十六进制",
            "HMAC-SHA256 of the string to sign, keyed with the secret, in upper-case hex",
        ),
    }
}
