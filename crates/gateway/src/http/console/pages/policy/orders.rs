//! What may be done with a policy: surrender it, and have what was sent about it sent again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use baoqiao_channels::channel::{CallResult, Label, Reply};
use baoqiao_channels::fields::is_key;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::money::Amount;
use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::surrender::{Surrender, SurrenderStatus, SurrenderType};

use super::{address, entry, format_local, parse_local, parse_number};
use crate::console::audit::Action;
use crate::console::session::Token;
use crate::http::console::Console;
use crate::http::console::access::need;
use crate::http::console::failure::Failure;
use crate::http::console::language::messages;
use crate::http::console::order::Order;
use crate::http::console::parts::{Question, question, reason};
use crate::http::console::sign_in::to;
use crate::http::console::view::View;
use crate::ledger::store::{Arrival, Verdict};
use crate::ledger::{Asked, Submission};
use crate::statistics::Ending;
use crate::vault::Purpose;

messages! {
    SURRENDER: "退保", "Surrender";
    SURRENDER_ASK: "退保 {}？", "Surrender {}?";
    SURRENDER_HINT: "保单随即终止，不能撤回。合作方配置了退保通知的，会收到通知。", "The policy ends at once, and that cannot be undone. The partner is told where so configured.";
    REFUND: "退款金额（元，可不填）", "Refund in yuan, if any";
    TIME: "退保时间（GMT+8）", "Time of surrender (GMT+8)";
    ENDORSEMENT: "批单号（可不填）", "Endorsement number, if any";
    RESEND: "再次发送", "Send again";
    RESEND_ASK: "再次发送通知 {}？", "Send notice {} again?";
    RESEND_HINT: "无论之前结果如何都会再发送一次；排在同一保单其他通知之后。", "It is sent once more, whatever became of it before, and after what is before it about this policy.";
}

/// The interface, as the ledger knows it.
const SCOPE: &str = "console/surrender";
/// The interface and its name for people.
pub(in crate::http::console) const SURRENDER_ORDER: (&str, Label) =
    (SCOPE, Label { zh: "退保指令（控制台）", en: "Surrender order (console)" });
const CHANNEL: &str = "console";

#[derive(Deserialize)]
pub(super) struct SurrenderForm {
    reason: String,
    key: String,
    refund_money: String,
    surrender_time: String,
    endorsement_no: String,
}

#[derive(Deserialize)]
pub(super) struct ResendForm {
    reason: String,
    notice: u64,
}

/// A key for a form: sent twice, it is one order.
pub(super) fn key(console: &Console) -> Result<String, Failure> {
    let token = Token::random(console.entropy).map_err(|error| Failure::Unavailable(error.to_string()))?;
    Ok(token.expose())
}

/// What a form says, as a surrender; `None` where a field cannot be read.
fn read(form: &SurrenderForm, user: &str, number: &PolicyNumber) -> Option<Surrender> {
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let refund_money = match text(&form.refund_money) {
        Some(amount) => Some(amount.parse::<Amount>().ok()?),
        None => None,
    };
    Some(Surrender {
        caller: format!("{CHANNEL}:{user}"),
        policy_no: number.to_string(),
        status: SurrenderStatus::default(),
        refund_money,
        surrender_time: parse_local(&form.surrender_time)?,
        endorsement_no: text(&form.endorsement_no),
        alipay_open_id: None,
        pre_flow_id: None,
        surrender_type: SurrenderType::default(),
    })
}

/// `POST …/surrender`.
pub(super) async fn surrender(
    State(console): State<Arc<Console>>,
    Path(number): Path<String>,
    Order { view, content, .. }: Order<need::Operator, SurrenderForm>,
) -> Result<Response, Failure> {
    let number = parse_number(&number)?;
    let back = address(&number);
    let Some(why) = reason(&content.reason) else { return Ok(to(&format!("{back}?done=reason"))) };
    let order = read(&content, view.user_name(), &number).filter(|_| is_key(&content.key));
    let Some(order) = order else { return Ok(to(&format!("{back}?done=field"))) };
    let refund = order.refund_money.map(|amount| format!("refund {amount}")).unwrap_or_default();
    let entry = entry(&view, Action::PolicySurrendered, &number, &why, refund);
    console.read(move |console| Ok(console.store.record(&entry)?)).await?;
    settle(&console, &view, content.key, order).await?;
    Ok(to(&format!("{back}?done=surrendered")))
}

/// Has the ledger settle it, and waits until that is durable.
async fn settle(console: &Console, view: &View, key: String, order: Surrender) -> Result<(), Failure> {
    let key = IdempotencyKey { scope: SCOPE, key };
    let said = serde_json::to_vec(&order)?;
    let dump = [b"POST /console/policies surrender\r\n\r\n".as_slice(), &said].concat();
    let asked = Asked::new(&console.vault, key, None, Command::SurrenderPolicy(Box::new(order)))?;
    let submission = Submission {
        arrival: Arrival {
            received_at: view.now,
            channel: CHANNEL,
            scope: Some(SCOPE),
            caller: view.user_name().to_owned(),
            secret_index: 0,
            peer: view.peer.clone(),
            request: console.vault.seal(Purpose::Request, &dump)?,
        },
        asked: Ok(asked),
        render: Box::new(|result, _at| reply(result)),
    };
    let started = Instant::now();
    let settled = tokio::time::timeout(console.deadline, console.ledger.submit(submission)).await;
    let verdict = settled.as_ref().ok().and_then(|settled| settled.as_ref().ok()).map(|answered| answered.verdict);
    let ending = Ending::Settled(verdict.unwrap_or(Verdict::Refused));
    console.inbound.meter.record(SCOPE, ending, view.now, started.elapsed());
    match settled {
        Ok(Ok(answered)) => {
            let code = answered.result.as_ref().err().map_or("-", |refusal| refusal.code().as_str());
            let (user, verdict) = (view.user_name(), answered.verdict.as_str());
            tracing::info!(interface = SCOPE, user, verdict, code, "order answered");
            answered.result.map(|_| ()).map_err(Failure::from)
        }
        Ok(Err(refusal)) => Err(refusal.into()),
        // It may still become durable: the same form then has its answer.
        Err(_) => Err(Failure::TooSlow { waited: console.deadline }),
    }
}

/// What the traffic record keeps as the answer.
fn reply(result: &CallResult) -> Reply {
    let said = match result {
        Ok(outcome) => outcome.policy_no().map(ToString::to_string).unwrap_or_default(),
        Err(refusal) => refusal.public_message(),
    };
    let surrendered = matches!(result, Ok(Outcome::PolicySurrendered { .. }));
    let body = serde_json::json!({ "surrendered": surrendered, "said": said });
    Reply { status: 200, content_type: "application/json", body: body.to_string().into_bytes() }
}

/// `POST …/resend`.
pub(super) async fn resend(
    State(console): State<Arc<Console>>,
    Path(number): Path<String>,
    Order { view, content, .. }: Order<need::Operator, ResendForm>,
) -> Result<Response, Failure> {
    let number = parse_number(&number)?;
    let back = address(&number);
    let Some(why) = reason(&content.reason) else { return Ok(to(&format!("{back}?done=reason"))) };
    let entry = entry(&view, Action::NoticesResent, &number, &why, format!("notice {}", content.notice));
    let notice = content.notice;
    console
        .read(move |console| {
            let subject = super::subject(&number);
            console.desk.show(notice)?.filter(|(notice, _)| notice.subject == subject).ok_or(Failure::NotFound)?;
            console.store.record(&entry)?;
            console.desk.resend(&[notice])?;
            Ok(())
        })
        .await?;
    Ok(to(&format!("{back}?done=resent")))
}

/// The question before a surrender, where the policy can be.
pub(super) fn surrender_question(view: &View, policy: &Policy, key: &str) -> Markup {
    if !policy.state.may_become(PolicyState::Surrendered) {
        return html! {};
    }
    let fields = html! {
        input type="hidden" name="key" value=(key);
        div.field {
            label for="refund" { (view.t(REFUND)) }
            input #refund name="refund_money" inputmode="decimal" pattern="[0-9]+(\\.[0-9]+)?" maxlength="24" autocomplete="off";
        }
        div.field {
            label for="surrender-time" { (view.t(TIME)) }
            input #surrender-time name="surrender_time" type="datetime-local" step="1" required value=(format_local(view.now));
        }
        div.field {
            label for="endorsement" { (view.t(ENDORSEMENT)) }
            input #endorsement name="endorsement_no" maxlength="64" autocomplete="off";
        }
    };
    question(
        view,
        &Question {
            id: "surrender",
            button: view.t(SURRENDER),
            is_grave: true,
            title: &view.with(SURRENDER_ASK, &[&policy.number]),
            hint: view.t(SURRENDER_HINT),
            action: &format!("{}/surrender", address(&policy.number)),
            fields,
            target: None,
        },
    )
}

/// The question before a notice is sent again.
pub(super) fn resend_question(view: &View, number: &PolicyNumber, notice: u64) -> Markup {
    question(
        view,
        &Question {
            id: &format!("resend-{notice}"),
            button: view.t(RESEND),
            is_grave: false,
            title: &view.with(RESEND_ASK, &[&notice]),
            hint: view.t(RESEND_HINT),
            action: &format!("{}/resend", address(number)),
            fields: html! { input type="hidden" name="notice" value=(notice); },
            target: None,
        },
    )
}
