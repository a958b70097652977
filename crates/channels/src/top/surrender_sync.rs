//! 保司向我方同步退保信息, `alibaba.alihealth.insurance.inst.surrender.info.sync`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use baoqiao_domain::notice::{Notice, NoticeContent, NoticeKind};
use baoqiao_domain::surrender::{SurrenderNotice, SurrenderStatus, SurrenderType, format_minute_gmt8};

use super::answer::{text, truth};
use super::call::Call;
use super::verdict::{Acceptance, judge};
use crate::channel::{Examples, Label};
use crate::outbound::{Judgement, Outbound, OutboundRequest, OutboundResponse, TopApp, WrongInterface};

/// The interface.
#[derive(Debug, Clone, Copy)]
pub struct SurrenderSync;

const METHOD: &str = "alibaba.alihealth.insurance.inst.surrender.info.sync";

/// `biz_data`, in the document's order.
#[derive(Serialize)]
struct BizData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_money: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    surrender_time: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    endorsement_no: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    inst_policy_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    alipay_open_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pre_flow_id: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    surrender_type: Option<&'a str>,
}

impl<'a> BizData<'a> {
    fn of(notice: &'a SurrenderNotice) -> Self {
        Self {
            status: notice.status.as_ref().map(SurrenderStatus::as_str),
            refund_money: notice.refund_money.map(|amount| amount.to_string()),
            surrender_time: notice.surrender_time.map(format_minute_gmt8),
            endorsement_no: notice.endorsement_no.as_deref().unwrap_or_default(),
            inst_policy_id: &notice.inst_policy_id,
            alipay_open_id: notice.alipay_open_id.as_deref().unwrap_or_default(),
            pre_flow_id: notice.pre_flow_id.as_deref().unwrap_or_default(),
            surrender_type: notice.surrender_type.as_ref().map(SurrenderType::as_str),
        }
    }
}

impl Outbound for SurrenderSync {
    fn kind(&self) -> NoticeKind {
        NoticeKind::SurrenderSync
    }

    fn label(&self) -> Label {
        Label { zh: "退保信息同步", en: "Surrender sync" }
    }

    fn method(&self) -> &'static str {
        METHOD
    }

    fn examples(&self) -> Examples {
        Examples {
            request: include_str!("golden/surrender_sync/example.request"),
            answer: include_str!("golden/surrender_sync/example.answer.xml"),
        }
    }

    fn request(&self, notice: &Notice, app: &TopApp, now: Timestamp) -> Result<OutboundRequest, WrongInterface> {
        let NoticeContent::SurrenderSync(content) = &notice.content else {
            return Err(WrongInterface { interface: self.kind(), notice: notice.content.kind() });
        };
        // Text and options alone: writing them cannot fail.
        let biz_data = serde_json::to_string(&BizData::of(content)).unwrap_or_default();
        Ok(Call { method: METHOD, parameters: &[("biz_data", &biz_data)] }.signed(app, now))
    }

    fn verdict(&self, response: &OutboundResponse) -> Judgement {
        judge(response, METHOD, acceptance)
    }
}

/// Parts of a `result_status` that fails. The document shows an empty one and lists no values.
const FAILING: [&str; 8] = ["FAIL", "ERROR", "EXCEPTION", "REJECT", "REFUSE", "DENIED", "INVALID", "失败"];

/// Values of `result_status` that say no, or yes, as a whole.
const NO: [&str; 5] = ["FALSE", "F", "E", "N", "NO"];
const YES: [&str; 7] = ["SUCCESS", "SUCCEED", "SUCCEEDED", "OK", "TRUE", "S", "成功"];

/// `data=false` or a failing `result_status` refuses. `data=true` accepts whatever else `result_status` says,
/// since `data` is what the document calls 成功; where `data` is absent a `result_status` of success accepts.
fn acceptance(fields: &Map<String, Value>) -> Acceptance {
    let status = text(fields, "result_status").to_uppercase();
    let status = status.as_str();
    let data = truth(fields, "data");
    let fails = NO.contains(&status) || FAILING.iter().any(|part| status.contains(part));
    let detail = || super::verdict::said(fields, &["data", "result_status", "result_code", "request_id"]);
    match data {
        Some(false) => Acceptance::Refused(detail()),
        _ if fails => Acceptance::Refused(detail()),
        Some(true) => Acceptance::Accepted(detail()),
        None if YES.contains(&status) => Acceptance::Accepted(detail()),
        None => Acceptance::Unsaid(detail()),
    }
}
