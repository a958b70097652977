//! Avatar, 阿凡达: a channel calls the insurer (protocols.md §3).
//!
//! `POST` of JSON to an address of its own: a `head` and one named object. The document has no signature: who calls is
//! told by `head.policySource` together with the address that the call comes from, and, where the configuration asks for
//! them, by a client certificate and by an HMAC of the body in a header.

mod compose;
mod envelope;
mod explain;
pub mod rescission_notice;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::Sha256;

use baoqiao_domain::refusal::{Distrust, FieldProblem, Refusal};

use self::envelope::Deal;
use crate::access::{Access, Secret, SourceAccess};
use crate::channel::{Channel, Draft, Interface, RawRequest, Reply, Verified};
use crate::document;
use crate::explain::{Evidence, Explanation, Known};
use crate::origin::Origin;

/// The channel.
#[derive(Debug, Clone, Copy)]
pub struct Avatar;

/// The header with the lower- or upper-case hex of HMAC-SHA256 over the body as it goes over the wire.
pub const HMAC_HEADER: &str = "x-avatar-signature";

const INTERFACES: &[&dyn Interface] = &[&rescission_notice::RescissionNotice];

impl Channel for Avatar {
    fn name(&self) -> &'static str {
        "avatar"
    }

    fn path(&self) -> &'static str {
        "/avatar/refund/second/refundNotice"
    }

    fn interfaces(&self) -> &'static [&'static dyn Interface] {
        INTERFACES
    }

    fn callers(&self, access: &Access) -> Vec<String> {
        access.sources().into_iter().map(|source| source.code.clone()).collect()
    }

    fn signs(&self, caller: &str, access: &Access) -> bool {
        access.source(caller).is_some_and(|source| !source.hmac_secrets.is_empty())
    }

    /// The address has one interface; `interfaceType` names the order it is about, and is read as a field.
    fn interface(&self, _raw: &RawRequest, _access: &Access) -> Option<&'static dyn Interface> {
        INTERFACES.first().copied()
    }

    fn authenticate<'a>(
        &self,
        raw: &'a RawRequest,
        origin: &Origin,
        access: &'a Access,
        _now: Timestamp,
    ) -> Result<Verified<'a>, Refusal> {
        let object = body(raw)?;
        let code = head_text(&object, "policySource")
            .ok_or_else(|| Refusal::InvalidFields(vec![FieldProblem::missing("head.policySource")]))?;
        let untrusted = |why| Err(Refusal::Untrusted(why));
        let Some(source) = access.source(&code) else { return untrusted(Distrust::UnknownSource(code)) };
        if !origin.address.is_some_and(|address| source.addresses.iter().any(|range| range.contains(address))) {
            let peer = origin.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
            return untrusted(Distrust::AddressNotAllowed { source_code: code, peer });
        }
        certified(source, origin).map_err(Refusal::Untrusted)?;
        match fitting_secret(&source.hmac_secrets, raw) {
            Some(secret_index) => Ok(Verified::new(raw, &source.code, secret_index)),
            None => untrusted(Distrust::WrongHmac(code)),
        }
    }

    fn explain(&self, evidence: &Evidence, known: &Known<'_>, _now: Timestamp) -> Explanation {
        explain::explain(evidence, known)
    }

    fn fields(&self, raw: &RawRequest) -> Result<Map<String, Value>, Refusal> {
        body(raw)
    }

    fn compose(
        &self,
        _interface: &dyn Interface,
        caller: &str,
        draft: &Draft,
        access: &Access,
        _now: Timestamp,
    ) -> Option<RawRequest> {
        compose::compose(caller, draft, access)
    }

    fn unknown_interface(&self, call: &Verified<'_>) -> Refusal {
        let object = body(call.raw()).unwrap_or_default();
        Refusal::UnknownInterface { method: head_text(&object, "interfaceType").unwrap_or_default() }
    }

    fn told_code(&self, refusal: &Refusal) -> &'static str {
        Deal::refused(refusal).code()
    }

    fn reply_refused(&self, raw: &RawRequest, refusal: &Refusal, now: Timestamp) -> Reply {
        rescission_notice::RescissionNotice.reply(raw, &Err(refusal.clone()), now)
    }
}

/// Whether the caller has shown a certificate of the source, where it has to show one.
fn certified(source: &SourceAccess, origin: &Origin) -> Result<(), Distrust> {
    if source.client_certificates.is_empty() {
        return Ok(());
    }
    let source_code = source.code.clone();
    let Some(certificate) = &origin.certificate else { return Err(Distrust::NoCertificate(source_code)) };
    if source.client_certificates.iter().any(|identity| certificate.is(identity)) {
        return Ok(());
    }
    Err(Distrust::CertificateNotAllowed { source_code, certificate: certificate.fingerprint().to_string() })
}

/// The body as JSON, whatever its content type says. The document's own samples end lists with a comma.
fn body(raw: &RawRequest) -> Result<Map<String, Value>, Refusal> {
    let text = document::decoded(&raw.headers, &raw.body)?;
    document::json(&text).or_else(|strict| document::json(&without_trailing_commas(&text)).map_err(|_| strict))
}

/// The text without the commas that stand before a closing bracket, strings left alone.
fn without_trailing_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    // Where the last comma stands in `kept`, as long as only blanks have followed it.
    let mut comma = None;
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                ',' => comma = Some(kept.len()),
                ']' | '}' => {
                    if let Some(at) = comma.take() {
                        kept.remove(at);
                    }
                }
                '"' => (in_string, comma) = (true, None),
                other if other.is_whitespace() => {}
                _ => comma = None,
            }
        }
        kept.push(character);
    }
    kept
}

/// A field of `head` as text, where it has any.
fn head_text(object: &Map<String, Value>, name: &str) -> Option<String> {
    text(object.get("head")?.get(name)?)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Which secret made the header's HMAC, counted from 0; also 0 where the source has no secret and needs no header.
fn fitting_secret(secrets: &[Secret], raw: &RawRequest) -> Option<usize> {
    if secrets.is_empty() {
        return Some(0);
    }
    let mac = header_hmac(&raw.headers)?;
    secrets.iter().position(|secret| {
        // HMAC takes a key of any length: the error cannot occur.
        <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose().as_bytes())
            .is_ok_and(|hmac| hmac.chain_update(&raw.body).verify_slice(&mac).is_ok())
    })
}

fn header_hmac(headers: &HeaderMap) -> Option<Vec<u8>> {
    let hex = headers.get(HMAC_HEADER)?.to_str().ok()?.trim();
    let digits: Option<Vec<u8>> =
        hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests;
