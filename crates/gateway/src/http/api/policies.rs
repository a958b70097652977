//! Policies: the list, one with what has happened to it, and its surrender.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::money::Amount;
use baoqiao_domain::party::{Company, Person, masked};
use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::refusal::Refusal;
use baoqiao_domain::surrender::{Surrender, SurrenderStatus, SurrenderType};

use super::Api;
use super::access::{Caller, need};
use super::misreading::instant;
use super::order::{Order, OrderKey, SURRENDER, Told};
use super::page::{Page, cursor};
use super::parameters::{Parameters, Segment, none};
use super::problem::{Problem, unavailable};
use crate::ledger::lists::{EndingRecord, PolicyFilter, RecoveryFilter, RecoveryRecord};
use crate::ledger::store::PolicyRecord;
use crate::outbox::store::{Filter, NoticeRecord};
use crate::vault::Purpose;

const LIST: &str = "policies";
/// The most entries of one kind in a timeline.
const TIMELINE: usize = 200;

/// A policy, without its parties. Amounts are decimal text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyView {
    /// 保单号.
    policy_no: String,
    /// The partner that sold it.
    partner: String,
    /// 产品码.
    product_code: String,
    /// The platform's idempotency key.
    identifier: String,
    /// The platform's number of it.
    insure_id: String,
    /// Sum insured, in `currency`.
    amount: String,
    /// Premium, in `currency`.
    premium: String,
    /// Premium in yuan.
    premium_of_cny: String,
    /// ISO 4217.
    currency: String,
    /// The first moment insured.
    #[schema(value_type = String, format = DateTime)]
    effect_time: Timestamp,
    /// The last moment insured.
    #[schema(value_type = String, format = DateTime)]
    expire_time: Timestamp,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    issued_at: Timestamp,
    /// What has become of it: `issued`, `rescinded` or `surrendered`.
    state: &'static str,
    /// Where it stands at the moment of the answer: `pending`, `in-force`, `expired`, `rescinded` or `surrendered`.
    phase: &'static str,
}

impl PolicyView {
    fn of(policy: &Policy, now: Timestamp) -> Self {
        Self {
            policy_no: policy.number.to_string(),
            partner: policy.partner.clone(),
            product_code: policy.product_code.clone(),
            identifier: policy.identifier.clone(),
            insure_id: policy.insure_id.clone(),
            amount: policy.amount.to_string(),
            premium: policy.premium.to_string(),
            premium_of_cny: policy.premium_of_cny.to_string(),
            currency: policy.currency.to_string(),
            effect_time: policy.effect_time,
            expire_time: policy.expire_time,
            issued_at: policy.issued_at,
            state: policy.state.as_str(),
            phase: policy.phase(now).as_str(),
        }
    }
}

/// A party of a policy. Without the scope `people:read` its name and numbers are masked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartyView {
    /// `applicant` or `insured`.
    role: &'static str,
    /// `person` or `company`.
    kind: &'static str,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The number of its licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    license_no: Option<String>,
    /// Its telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// A name without the right to it: the first character.
fn masked_name(name: &str) -> String {
    name.chars().take(1).chain(name.chars().skip(1).map(|_| '*')).collect()
}

impl PartyView {
    fn person(role: &'static str, person: &Person) -> Self {
        let (name, license_no) = (person.person_name.clone(), person.person_license_no.clone());
        Self { role, kind: "person", name, license_no, phone: person.person_phone.clone() }
    }

    fn company(role: &'static str, company: &Company) -> Self {
        let (name, license_no) = (company.company_name.clone(), company.company_license_no.clone());
        Self { role, kind: "company", name, license_no, phone: company.company_phone.clone() }
    }

    fn masked(self) -> Self {
        Self {
            name: self.name.as_deref().map(masked_name),
            license_no: self.license_no.as_deref().map(masked),
            phone: self.phone.as_deref().map(masked),
            ..self
        }
    }
}

fn parties(application: &PolicyApplication) -> Vec<PartyView> {
    let applicant = application.applicant_person.as_ref().map(|person| PartyView::person("applicant", person));
    let company = application.applicant_company.as_ref().map(|company| PartyView::company("applicant", company));
    let insured = application.insured_person.as_ref().map(|person| PartyView::person("insured", person));
    let insured_company = application.insured_company.as_ref().map(|company| PartyView::company("insured", company));
    [applicant, company, insured, insured_company].into_iter().flatten().collect()
}

/// Something that happened to a policy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `issued`, `recovery-recorded`, `rescinded`, `surrendered` or `delivery-queued`.
    #[serde(rename = "type")]
    kind: String,
    /// The message that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<u64>,
    /// The delivery that was queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_id: Option<u64>,
    /// Where that delivery stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_state: Option<&'static str>,
    /// Who asked for it: a partner, a `policySource`, a token's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What was recovered or is refunded, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_of_cny: Option<String>,
}

impl TimelineEntry {
    fn new(at: Timestamp, kind: impl Into<String>) -> Self {
        let kind = kind.into();
        Self { at, kind, message_id: None, delivery_id: None, delivery_state: None, by: None, amount_of_cny: None }
    }

    fn issued(policy: &Policy) -> Self {
        Self { by: Some(policy.partner.clone()), ..Self::new(policy.issued_at, "issued") }
    }

    fn ended(ending: EndingRecord) -> Self {
        let (message_id, by, amount_of_cny) = (Some(ending.message_id), Some(ending.asked_by), ending.refund_amount);
        Self { message_id, by, amount_of_cny, ..Self::new(ending.ended_at, ending.kind) }
    }

    fn recovered(recovery: RecoveryRecord) -> Self {
        let (message_id, by) = (Some(recovery.message_id), Some(recovery.partner));
        let amount_of_cny = recovery.recover_amount_of_cny;
        Self { message_id, by, amount_of_cny, ..Self::new(recovery.recorded_at, "recovery-recorded") }
    }

    fn queued(notice: &NoticeRecord) -> Self {
        let (message_id, delivery_id) = (notice.cause_message_id, Some(notice.id));
        let delivery_state = Some(notice.state.as_str());
        Self { message_id, delivery_id, delivery_state, ..Self::new(notice.created_at, "delivery-queued") }
    }
}

/// A policy with its parties and what has happened to it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyDetail {
    /// The policy.
    policy: PolicyView,
    /// Its parties; masked without the scope `people:read`.
    parties: Vec<PartyView>,
    /// What has happened to it, the oldest first.
    timeline: Vec<TimelineEntry>,
    /// The address of its electronic policy document; with the scope `people:read` only, as whoever has it may read
    /// the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_file_url: Option<String>,
    /// The whole application in the names of the issuing document; with the scope `people:read` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    application: Option<Value>,
}

/// Lists policies, the newest first.
#[utoipa::path(
    get, path = "/policies", tag = "policies", operation_id = "listPolicies",
    security(("token" = ["policies:read"])),
    params(
        ("partner" = Option<String>, Query, description = "Sold by this partner."),
        ("productCode" = Option<String>, Query, description = "Of this product."),
        ("state" = Option<String>, Query, pattern = "^(issued|rescinded|surrendered)$", description = "`issued`, `rescinded` or `surrendered`."),
        ("issuedFrom" = Option<String>, Query, format = DateTime, description = "Issued then or later."),
        ("issuedTo" = Option<String>, Query, format = DateTime, description = "Issued before that."),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; with the same filter."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Rows a page; 50 when absent."),
    ),
    responses(
        (status = 200, body = Page<PolicyView>, description = "One page."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _caller: Caller<need::PoliciesRead>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<PolicyView>>, Problem> {
    let parameters = Parameters::of(query.as_deref());
    let filter = PolicyFilter {
        partner: parameters.text("partner"),
        product_code: parameters.text("productCode"),
        state: parameters.read("state", "issued、rescinded 或 surrendered", PolicyState::from_name),
        issued_from: parameters.time("issuedFrom"),
        issued_to: parameters.time("issuedTo"),
    };
    let (after, limit) = (cursor(&parameters, LIST), parameters.limit());
    parameters.finish()?;
    let now = api.clock.now();
    let slice = api.read(move |api| Ok(api.lists.policies(&filter, after, limit)?)).await?;
    Ok(Json(Page::of(LIST, slice, |policy| PolicyView::of(&policy, now))))
}

/// Reads one policy with its parties and its timeline.
#[utoipa::path(
    get, path = "/policies/{policyNo}", tag = "policies", operation_id = "getPolicy",
    security(("token" = ["policies:read"])),
    params(("policyNo" = String, Path, description = "保单号.")),
    responses(
        (status = 200, body = PolicyDetail, description = "The policy."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<need::PoliciesRead>,
    Segment(policy_no): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<PolicyDetail>, Problem> {
    none(query.as_deref())?;
    api.read(move |api| detail(api, policy_no, caller.sees_people)).await.map(Json)
}

fn detail(api: &Api, policy_no: String, sees_people: bool) -> Result<PolicyDetail, Problem> {
    let Some(number) = policy_no.parse::<PolicyNumber>().ok() else {
        return Err(Refusal::PolicyNotFound { policy_no }.into());
    };
    let record = api.reader.policy(&number)?.ok_or(Refusal::PolicyNotFound { policy_no })?;
    let content = api.vault.open(Purpose::Content, &record.content).map_err(|error| unavailable(&error))?;
    let application: PolicyApplication = serde_json::from_slice(&content).map_err(|error| unavailable(&error))?;
    let parties = parties(&application).into_iter();
    let parties = if sees_people { parties.collect() } else { parties.map(PartyView::masked).collect() };
    Ok(PolicyDetail {
        policy: PolicyView::of(&record.policy, api.clock.now()),
        parties,
        timeline: timeline(api, &record)?,
        policy_file_url: sees_people.then(|| api.links.document(&number)),
        application: if sees_people { serde_json::to_value(&application).ok() } else { None },
    })
}

fn timeline(api: &Api, record: &PolicyRecord) -> Result<Vec<TimelineEntry>, Problem> {
    let number = &record.policy.number;
    let filter = RecoveryFilter { policy_no: Some(number.clone()), ..RecoveryFilter::default() };
    let recoveries = api.lists.recoveries(&filter, None, TIMELINE)?.items;
    let subject = Filter { subject: Some(format!("policy:{number}")), ..Filter::default() };
    let notices = api.desk.list(&subject, TIMELINE)?.items;
    let mut entries = vec![TimelineEntry::issued(&record.policy)];
    entries.extend(recoveries.into_iter().map(TimelineEntry::recovered));
    entries.extend(api.lists.ending(number)?.map(TimelineEntry::ended));
    entries.extend(notices.iter().map(TimelineEntry::queued));
    entries.sort_by_key(|entry| (entry.at, entry.message_id, entry.delivery_id));
    Ok(entries)
}

/// How a policy is surrendered. Amounts are decimal text in yuan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SurrenderOrder {
    /// 状态, as agreed with the platform; `APPLY` when absent.
    #[serde(default)]
    #[schema(value_type = String, required = false, pattern = "^[A-Z0-9_]{1,64}$", examples("APPLY"))]
    status: SurrenderStatus,
    /// 退保金额.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", examples("12.50"))]
    refund_money: Option<Amount>,
    /// 退保时间; the platform is told the minute.
    #[serde(deserialize_with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    surrender_time: Timestamp,
    /// 批单号.
    endorsement_no: Option<String>,
    /// 用户支付宝ID.
    alipay_open_id: Option<String>,
    /// 预投保流水ID.
    pre_flow_id: Option<String>,
    /// 类型, as agreed with the platform; `USER_SUBMIT` when absent.
    #[serde(rename = "type", default)]
    #[schema(value_type = String, required = false, pattern = "^[A-Z0-9_]{1,64}$", examples("USER_SUBMIT"))]
    surrender_type: SurrenderType,
}

/// What a surrender came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Surrendered {
    /// The policy.
    policy_no: String,
    /// `surrendered`.
    state: &'static str,
}

fn surrendered(outcome: &Outcome) -> Option<Value> {
    match outcome {
        Outcome::PolicySurrendered { policy_no } => {
            let state = PolicyState::Surrendered.as_str();
            Some(json!(Surrendered { policy_no: policy_no.to_string(), state }))
        }
        _ => None,
    }
}

/// Surrenders a policy; the platform is told of it where it wants to be.
#[utoipa::path(
    post, path = "/policies/{policyNo}/surrender", tag = "policies", operation_id = "surrenderPolicy",
    security(("token" = ["policies:surrender"])),
    params(
        ("policyNo" = String, Path, description = "保单号."),
        OrderKey,
    ),
    request_body = SurrenderOrder,
    responses(
        (status = 200, body = Surrendered, description = "Surrendered, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn surrender(
    State(api): State<Arc<Api>>,
    caller: Caller<need::PoliciesSurrender>,
    Segment(policy_no): Segment,
    order: Order<SurrenderOrder>,
) -> Result<Response, Problem> {
    let asked = &order.content;
    let content = Surrender {
        caller: caller.name.clone(),
        policy_no,
        status: asked.status.clone(),
        refund_money: asked.refund_money,
        surrender_time: asked.surrender_time,
        endorsement_no: asked.endorsement_no.clone(),
        alipay_open_id: asked.alipay_open_id.clone(),
        pre_flow_id: asked.pre_flow_id.clone(),
        surrender_type: asked.surrender_type.clone(),
    };
    let command = Command::SurrenderPolicy(Box::new(content));
    api.settle(&caller.name, order, Told { scope: SURRENDER, command, answer: surrendered }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_party_tells_no_more_than_its_first_character() {
        let person = Person {
            person_name: Some("𬭎三丰".to_owned()),
            person_phone: Some("13912312323".to_owned()),
            person_license_no: Some("123".to_owned()),
            ..Person::default()
        };
        let party = PartyView::person("applicant", &person).masked();
        assert_eq!(party.name.as_deref(), Some("𬭎**"));
        assert_eq!((party.phone.as_deref(), party.license_no.as_deref()), (Some("139******23"), Some("***")));
    }
}
