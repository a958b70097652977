//! The documents' examples as of today: their dates moved to now, and made to tell of one another.

use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::time::{GMT8, format_gmt8};
use baoqiao_simulator::example::{ISSUING_REQUEST, RECOVERY_REQUEST, RESCISSION_REQUEST};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::failure::Failure;

/// `biz_id` of the auction document's example.
pub(super) const AUCTION: &str = "24010900100YSKSSG";

/// The product of both policies.
pub(super) const PRODUCT: &str = "PERFORMANCE_SURETY_BONDS";

/// Puts a value where the example has one.
pub(super) fn set(tree: &mut Value, path: &str, value: impl Into<Value>) {
    if let Some(place) = tree.pointer_mut(path) {
        *place = value.into();
    }
}

/// 出单: insured from now on, to the end of its fortieth day.
pub(super) fn issuing(now: Timestamp) -> Result<Value, Failure> {
    let mut tree = serde_json::from_str(ISSUING_REQUEST)?;
    let last_day = GMT8.to_datetime(now).date().checked_add(39.days())?;
    set(&mut tree, "/insureTime", format_gmt8(now));
    set(&mut tree, "/effectTime", format_gmt8(now));
    set(&mut tree, "/expireTime", format!("{last_day} 23:59:59"));
    Ok(tree)
}

/// 追缴, for that policy.
pub(super) fn recovery(policy_no: &PolicyNumber, now: Timestamp) -> Result<Value, Failure> {
    let mut tree = serde_json::from_str(RECOVERY_REQUEST)?;
    set(&mut tree, "/policyNo", policy_no.as_str());
    set(&mut tree, "/productCode", PRODUCT);
    set(&mut tree, "/recoverTime", format_gmt8(now));
    Ok(tree)
}

/// 解约, of that policy; its time is written with the blanks that the document has.
pub(super) fn rescission(policy_no: &PolicyNumber, now: Timestamp) -> Result<Value, Failure> {
    let mut tree = serde_json::from_str(RESCISSION_REQUEST)?;
    set(&mut tree, "/head/reqTime", format_gmt8(now).replace(':', ": "));
    set(&mut tree, "/secondRefundReq/policyNo", policy_no.as_str());
    set(&mut tree, "/secondRefundReq/secondRefundDate", format_gmt8(now));
    set(&mut tree, "/secondRefundReq/installmentList/0/refundTime", format_gmt8(now));
    Ok(tree)
}

/// A stage of the auction document's example, as the core system reports it.
pub(super) fn auction_stage(stage: u8, now: Timestamp) -> Value {
    json!({
        "partner": "alibaba", "insuranceType": 1, "insuranceCompany": 1, "policyNumber": "12345678A", "stage": stage,
        "status": 1, "timeOfOccurrence": now.to_string(), "bankAccountManagerName": "王小丫",
        "insuranceDocument": "oss:aakkloi122",
    })
}
