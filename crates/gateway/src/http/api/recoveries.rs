//! Recoveries, 追缴: the list.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::access::{Caller, need};
use super::page::{Page, cursor};
use super::parameters::Parameters;
use super::problem::Problem;
use crate::ledger::lists::{RecoveryFilter, RecoveryRecord};

const LIST: &str = "recoveries";

/// A recovery. Amounts and rates are decimal text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoveryView {
    /// The message that brought it.
    message_id: u64,
    /// The partner that reported it.
    partner: String,
    /// The platform's idempotency key.
    identifier: String,
    /// 机构.
    institution: String,
    /// 机构险种编号.
    product_code: String,
    /// The policy number as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    stated_policy_no: Option<String>,
    /// The policy beside which it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_no: Option<String>,
    /// Why it is recorded beside none: `no-number`, `unknown`, `other-partner` or `other-product`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unmatched: Option<String>,
    /// 追偿金额, in `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    recover_amount: Option<String>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Yuan for one unit of `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency_rate: Option<String>,
    /// 人民币追缴金额, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    recover_amount_of_cny: Option<String>,
    /// 人民币追缴成本, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    recover_cost_of_cny: Option<String>,
    /// 追缴时间.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    recover_time: Option<Timestamp>,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// The amounts in yuan that are not the amount times the rate.
    #[schema(value_type = Vec<Object>)]
    discrepancies: Value,
}

impl From<RecoveryRecord> for RecoveryView {
    fn from(record: RecoveryRecord) -> Self {
        Self {
            message_id: record.message_id,
            partner: record.partner,
            identifier: record.identifier,
            institution: record.institution,
            product_code: record.product_code,
            stated_policy_no: record.stated_policy_no,
            policy_no: record.policy_no.map(|number| number.to_string()),
            unmatched: record.unmatched,
            recover_amount: record.recover_amount,
            currency: record.currency,
            currency_rate: record.currency_rate,
            recover_amount_of_cny: record.recover_amount_of_cny,
            recover_cost_of_cny: record.recover_cost_of_cny,
            recover_time: record.recovered_at,
            recorded_at: record.recorded_at,
            // The ledger checks that it is JSON.
            discrepancies: serde_json::from_str(&record.discrepancies).unwrap_or_default(),
        }
    }
}

/// Lists recoveries, the newest first.
#[utoipa::path(
    get, path = "/recoveries", tag = "recoveries", operation_id = "listRecoveries",
    security(("token" = ["recoveries:read"])),
    params(
        ("partner" = Option<String>, Query, description = "Reported by this partner."),
        ("policyNo" = Option<String>, Query, description = "Recorded beside this policy."),
        ("matched" = Option<bool>, Query, description = "Recorded beside a policy, or beside none."),
        ("discrepant" = Option<bool>, Query, description = "With amounts that disagree, or without."),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; with the same filter."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Rows a page; 50 when absent."),
    ),
    responses(
        (status = 200, body = Page<RecoveryView>, description = "One page."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _caller: Caller<need::RecoveriesRead>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<RecoveryView>>, Problem> {
    let parameters = Parameters::of(query.as_deref());
    let filter = RecoveryFilter {
        partner: parameters.text("partner"),
        policy_no: parameters.parsed("policyNo", "保单号"),
        matched: parameters.flag("matched"),
        discrepant: parameters.flag("discrepant"),
    };
    let (before, limit) = (cursor(&parameters, LIST), parameters.limit());
    parameters.finish()?;
    let slice = api.read(move |api| Ok(api.lists.recoveries(&filter, before, limit)?)).await?;
    Ok(Json(Page::of(LIST, slice, RecoveryView::from)))
}
