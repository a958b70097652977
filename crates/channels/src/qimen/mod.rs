//! Qimen, 奇门: the platform calls the insurer (protocols.md §2).
//!
//! `POST` to one address; `method` in the query names the interface, the receiver's signature tells the caller.

pub mod body;
mod compose;
mod envelope;
pub(crate) mod explain;
pub mod parameters;
pub mod policy_issuing;
pub mod recovery;
pub mod sign;

use jiff::Timestamp;
use serde_json::{Map, Value};

use baoqiao_domain::refusal::{Distrust, Refusal};
use baoqiao_domain::time::parse_gmt8;

use crate::access::{Access, Partner};
use crate::channel::{Channel, Draft, Interface, RawRequest, Reply, Verified};
use crate::explain::{Evidence, Explanation, Known};
use crate::origin::Origin;
use crate::sign_method::SignMethod;
use sign::SignedParts;

/// The channel.
#[derive(Debug, Clone, Copy)]
pub struct Qimen;

const INTERFACES: &[&dyn Interface] = &[&policy_issuing::PolicyIssuing, &recovery::Recovery];

impl Channel for Qimen {
    fn name(&self) -> &'static str {
        "qimen"
    }

    fn path(&self) -> &'static str {
        "/qimen"
    }

    fn interfaces(&self) -> &'static [&'static dyn Interface] {
        INTERFACES
    }

    fn callers(&self, access: &Access) -> Vec<String> {
        access.partners().into_iter().map(|partner| partner.id.clone()).collect()
    }

    fn signs(&self, _caller: &str, _access: &Access) -> bool {
        true
    }

    fn interface(&self, raw: &RawRequest, access: &Access) -> Option<&'static dyn Interface> {
        let method = method_name(raw)?;
        let scope = access.interface_of_method(&method)?;
        INTERFACES.iter().copied().find(|interface| interface.scope() == scope)
    }

    fn authenticate<'a>(
        &self,
        raw: &'a RawRequest,
        _origin: &Origin,
        access: &'a Access,
        now: Timestamp,
    ) -> Result<Verified<'a>, Refusal> {
        let parts = SignedParts::of(raw);
        let (partner, secret_index) = signer(&parts, access).map_err(Refusal::Untrusted)?;
        check_timestamp(&parts, partner, now).map_err(Refusal::Untrusted)?;
        Ok(Verified::new(raw, &partner.id, secret_index))
    }

    fn explain(&self, evidence: &Evidence, known: &Known<'_>, now: Timestamp) -> Explanation {
        explain::explain(evidence, known, now)
    }

    fn fields(&self, raw: &RawRequest) -> Result<Map<String, Value>, Refusal> {
        body::read(raw)
    }

    fn compose(
        &self,
        interface: &dyn Interface,
        caller: &str,
        draft: &Draft,
        access: &Access,
        now: Timestamp,
    ) -> Option<RawRequest> {
        compose::compose(interface, caller, draft, access, now)
    }

    fn unknown_interface(&self, call: &Verified<'_>) -> Refusal {
        Refusal::UnknownInterface { method: method_name(call.raw()).unwrap_or_default() }
    }

    fn told_code(&self, refusal: &Refusal) -> &'static str {
        refusal.code().as_str()
    }

    /// In the envelope of issuing, the first of the family's documents.
    fn reply_refused(&self, raw: &RawRequest, refusal: &Refusal, now: Timestamp) -> Reply {
        policy_issuing::PolicyIssuing.reply(raw, &Err(refusal.clone()), now)
    }
}

/// `method` of the query; the last wins where it is repeated.
fn method_name(raw: &RawRequest) -> Option<String> {
    let method = parameters::pairs(&raw.query).filter(|(name, _)| name.as_ref() == b"method").last();
    method.map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
}

/// Who signed: the partner of `app_key`, and which of its secrets fits.
fn signer<'a>(parts: &SignedParts<'_>, access: &'a Access) -> Result<(&'a Partner, usize), Distrust> {
    if parts.too_many() {
        return Err(Distrust::TooManyParameters(sign::MAX_PARAMETERS));
    }
    let app_key = parts.text("app_key").ok_or(Distrust::MissingParameter("app_key"))?;
    let partner = access.partner(&app_key).ok_or_else(|| Distrust::unknown_caller(&app_key))?;
    let named = parts.text("sign_method").filter(|name| !name.is_empty());
    let method = named.as_deref().map_or(Ok(SignMethod::Md5), str::parse).ok();
    let method = method
        .filter(|method| partner.sign_methods.contains(method))
        .ok_or_else(|| Distrust::sign_method(named.as_deref().unwrap_or(SignMethod::Md5.as_str())))?;
    parts.value("sign").ok_or(Distrust::MissingParameter("sign"))?;
    let fits = |secret: &crate::access::Secret| parts.is_signed_with(method, secret.expose());
    let secret_index = partner.secrets.iter().position(fits).ok_or(Distrust::WrongSignature)?;
    Ok((partner, secret_index))
}

/// The signature came first, so that only a partner's clock is ever reported as wrong.
fn check_timestamp(parts: &SignedParts<'_>, partner: &Partner, now: Timestamp) -> Result<(), Distrust> {
    let text = parts.text("timestamp").ok_or(Distrust::MissingParameter("timestamp"))?;
    let stated = parse_gmt8(&text).ok_or_else(|| Distrust::timestamp(&text))?;
    let offset_s = stated.as_second().saturating_sub(now.as_second());
    let window_s = partner.timestamp_window_s;
    if offset_s.saturating_abs() > window_s {
        return Err(Distrust::StaleTimestamp { offset_s, window_s });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
