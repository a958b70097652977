//! 拍卖保险: the core system reports how a stage ended, and the platform is told.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use baoqiao_channels::fields::{is_key, key_expected};
use baoqiao_domain::auction::{AuctionInsuranceType, AuctionNotice, AuctionReport, AuctionStage, AuctionStatus};
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::refusal::{FieldProblem, Refusal};

use super::Api;
use super::access::{Caller, need};
use super::misreading::instant;
use super::order::{AUCTION_STAGE, Order, OrderKey, Told};
use super::parameters::Segment;
use super::problem::Problem;

/// How a stage of an auction's insurance ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StageOrder {
    /// The platform that is told: the `id` of a `[[platform]]` of the configuration.
    partner: String,
    /// 保险类型: 1 家财险, 2 履约险.
    #[schema(value_type = u8, minimum = 1, maximum = 2)]
    insurance_type: AuctionInsuranceType,
    /// 保险阶段: 1 预保, 2 核保, 3 投保, 4 退保, 5 批改. Which may follow which, `docs/auction-stages.md` tells.
    #[schema(value_type = u8, minimum = 1, maximum = 5)]
    stage: AuctionStage,
    /// 状态: 1 成功, 2 失败.
    #[schema(value_type = u8, minimum = 1, maximum = 2)]
    status: AuctionStatus,
    /// 发生时间; the platform is told the second.
    #[serde(deserialize_with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    time_of_occurrence: Timestamp,
    /// 保险单号.
    policy_number: Option<String>,
    /// 保险公司: the platform's number of the insurer.
    insurance_company: Option<u32>,
    /// 客户经理姓名.
    bank_account_manager_name: Option<String>,
    /// 保险单 PDF 文件, such as `oss:aakkloi122`.
    insurance_document: Option<String>,
    /// `appkey` inside the message; the call's own `app_key` is the configuration's.
    appkey: Option<String>,
    /// `request_id` inside the message.
    request_id: Option<String>,
}

/// What a report came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StageReported {
    /// 拍卖业务编号.
    biz_id: String,
    /// The stage.
    stage: u8,
}

fn reported(outcome: &Outcome) -> Option<Value> {
    match outcome {
        Outcome::AuctionStageRecorded { biz_id, stage } => {
            Some(json!(StageReported { biz_id: biz_id.clone(), stage: stage.number() }))
        }
        _ => None,
    }
}

/// Reports how a stage of an auction's insurance ended.
#[utoipa::path(
    post, path = "/auctions/{bizId}/stages", tag = "auctions", operation_id = "reportAuctionStage",
    security(("token" = ["auctions:report"])),
    params(
        ("bizId" = String, Path, min_length = 1, max_length = 128, description = "拍卖业务编号, at most 128 bytes."),
        OrderKey,
    ),
    request_body = StageOrder,
    responses(
        (status = 200, body = StageReported, description = "Recorded, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn report(
    State(api): State<Arc<Api>>,
    caller: Caller<need::AuctionsReport>,
    Segment(biz_id): Segment,
    order: Order<StageOrder>,
) -> Result<Response, Problem> {
    let asked = &order.content;
    if !is_key(&biz_id) {
        return Err(Refusal::InvalidFields(vec![FieldProblem::wrong("bizId", &biz_id, key_expected())]).into());
    }
    let content = AuctionReport {
        caller: caller.name.clone(),
        partner: asked.partner.clone(),
        result: AuctionNotice {
            biz_id,
            policy_number: asked.policy_number.clone(),
            insurance_company: asked.insurance_company,
            stage: asked.stage,
            status: asked.status,
            time_of_occurrence: asked.time_of_occurrence,
            bank_account_manager_name: asked.bank_account_manager_name.clone(),
            insurance_document: asked.insurance_document.clone(),
            insurance_type: asked.insurance_type,
            appkey: asked.appkey.clone(),
            request_id: asked.request_id.clone(),
        },
    };
    let command = Command::ReportAuctionStage(Box::new(content));
    api.settle(&caller.name, order, Told { scope: AUCTION_STAGE, command, answer: reported }).await
}
