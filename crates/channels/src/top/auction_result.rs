//! 保险结果通知, `taobao.auction.insurance.insuranceresultcallback`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use baoqiao_domain::auction::AuctionNotice;
use baoqiao_domain::notice::{Notice, NoticeContent, NoticeKind};
use baoqiao_domain::time::format_gmt8;

use super::answer::truth;
use super::call::Call;
use super::verdict::{Acceptance, judge, said};
use crate::channel::{Examples, Label};
use crate::outbound::{Judgement, Outbound, OutboundRequest, OutboundResponse, TopApp, WrongInterface};

/// The interface.
#[derive(Debug, Clone, Copy)]
pub struct AuctionResult;

const METHOD: &str = "taobao.auction.insurance.insuranceresultcallback";

/// The parameter's name, as the platform's own naming makes it of `insuranceResultAPIRequest`.
const PARAMETER: &str = "insurance_result_a_p_i_request";

/// The parameter's fields, in the document's order.
#[derive(Serialize)]
struct InsuranceResult<'a> {
    biz_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    insurance_company: Option<u32>,
    stage: u8,
    status: u8,
    time_of_occurrence: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    bank_account_manager_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    insurance_document: &'a str,
    insurance_type: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    appkey: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

impl<'a> InsuranceResult<'a> {
    fn of(notice: &'a AuctionNotice) -> Self {
        Self {
            biz_id: &notice.biz_id,
            policy_number: notice.policy_number.as_deref().unwrap_or_default(),
            insurance_company: notice.insurance_company,
            stage: notice.stage.number(),
            status: notice.status.number(),
            time_of_occurrence: format_gmt8(notice.time_of_occurrence),
            bank_account_manager_name: notice.bank_account_manager_name.as_deref().unwrap_or_default(),
            insurance_document: notice.insurance_document.as_deref().unwrap_or_default(),
            insurance_type: notice.insurance_type.number(),
            appkey: notice.appkey.as_deref().unwrap_or_default(),
            request_id: notice.request_id.as_deref().unwrap_or_default(),
        }
    }
}

impl Outbound for AuctionResult {
    fn kind(&self) -> NoticeKind {
        NoticeKind::AuctionResult
    }

    fn label(&self) -> Label {
        Label { zh: "拍卖保险结果通知", en: "Auction insurance result" }
    }

    fn method(&self) -> &'static str {
        METHOD
    }

    fn examples(&self) -> Examples {
        Examples {
            request: include_str!("golden/auction_result/example.request"),
            answer: include_str!("golden/auction_result/example.answer.xml"),
        }
    }

    fn request(&self, notice: &Notice, app: &TopApp, now: Timestamp) -> Result<OutboundRequest, WrongInterface> {
        let NoticeContent::AuctionResult(content) = &notice.content else {
            return Err(WrongInterface { interface: self.kind(), notice: notice.content.kind() });
        };
        // Text, numbers and options alone: writing them cannot fail.
        let result = serde_json::to_string(&InsuranceResult::of(content)).unwrap_or_default();
        Ok(Call { method: METHOD, parameters: &[(PARAMETER, &result)] }.signed(app, now))
    }

    fn verdict(&self, response: &OutboundResponse) -> Judgement {
        judge(response, METHOD, acceptance)
    }
}

/// `call_success` alone decides: the document's own answer of success carries a `fail_code`.
fn acceptance(fields: &Map<String, Value>) -> Acceptance {
    let detail = said(fields, &["call_success", "fail_code", "request_id"]);
    match truth(fields, "call_success") {
        Some(true) => Acceptance::Accepted(detail),
        Some(false) => Acceptance::Refused(detail),
        None => Acceptance::Unsaid(detail),
    }
}
