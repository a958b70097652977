//! What may be done with a policy: surrender it, and have what was sent about it sent again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use baoqiao_channels::channel::{CallResult, Label, Reply};
use baoqiao_channels::fields::is_key;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::refusal::Refusal;
use baoqiao_domain::surrender::Surrender;

use super::story::Story;
use super::surrender::{Mistake, SurrenderForm};
use super::{Told, address, entry, parse_number};
use crate::console::audit::Action;
use crate::console::role::Role;
use crate::console::session::Token;
use crate::http::console::Console;
use crate::http::console::access::need;
use crate::http::console::failure::Failure;
use crate::http::console::language::messages;
use crate::http::console::order::Order;
use crate::http::console::parts::{Question, Tone, question, reason};
use crate::http::console::sign_in::to;
use crate::http::console::view::View;
use crate::ledger::store::{Arrival, Verdict};
use crate::ledger::{Asked, Submission};
use crate::statistics::Ending;
use crate::vault::Purpose;

messages! {
    ENDED: "未执行：保单此前已终止。", "Nothing was done: the policy had ended before.";
    SENT_BEFORE: "未执行：同一表单此前已提交过，内容不同。请核对保单现在的状态。", "Nothing was done: the same form was sent before with other content. Please see how the policy is now.";
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
pub(super) struct ResendForm {
    reason: String,
    notice: u64,
}

/// A key for a form: sent twice, it is one order.
pub(super) fn key(console: &Console) -> Result<String, Failure> {
    let token = Token::random(console.entropy).map_err(|error| Failure::Unavailable(error.to_string()))?;
    Ok(token.expose())
}

/// `POST …/surrender`.
pub(super) async fn surrender(
    State(console): State<Arc<Console>>,
    Path(number): Path<String>,
    Order { view, content, .. }: Order<need::Operator, SurrenderForm>,
) -> Result<Response, Failure> {
    let number = parse_number(&number)?;
    if !is_key(&content.key) {
        return Err(Failure::Unreadable);
    }
    let asked = number.clone();
    let found = console.read(move |console| Ok(console.reader.policy(&asked)?)).await?;
    let policy = found.ok_or(Failure::NotFound)?.policy;
    let (order, why) = match content.read(format!("{CHANNEL}:{}", view.user_name()), &policy, view.now) {
        Ok(read) => read,
        Err(mistake) => {
            let said = mistake.words(&view, &policy);
            let page = shown_again(&console, &view, &number, (content, Some(mistake)), said).await?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let refund = order.refund_money.map(|amount| format!("refund {amount}")).unwrap_or_default();
    let entry = entry(&view, Action::PolicySurrendered, &number, &why, refund);
    console.read(move |console| Ok(console.store.record(&entry)?)).await?;
    let Some(refusal) = settle(&console, &view, content.key.clone(), order).await? else {
        return Ok(to(&format!("{}?done=surrendered", address(&number))));
    };
    // The entry before says what was asked, and stays.
    let code = refusal.code().as_str().to_owned();
    let entry = super::entry(&view, Action::SurrenderRefused, &number, &why, code);
    console.read(move |console| Ok(console.store.record(&entry)?)).await?;
    let said = match refusal {
        Refusal::WrongState { .. } => view.t(ENDED).to_owned(),
        Refusal::IdempotencyConflict { .. } => view.t(SENT_BEFORE).to_owned(),
        refusal => return Err(refusal.into()),
    };
    let page = shown_again(&console, &view, &number, (content, None), said).await?;
    Ok((StatusCode::CONFLICT, page).into_response())
}

/// The policy's page, with what was typed and what is said of it.
async fn shown_again(
    console: &Arc<Console>,
    view: &View,
    number: &PolicyNumber,
    (form, mistake): (SurrenderForm, Option<Mistake>),
    said: String,
) -> Result<Markup, Failure> {
    let (number, sees_audit) = (number.clone(), view.may(Role::Admin));
    let story = console.read(move |console| Story::load(console, &number, sees_audit)).await?;
    Ok(super::page(console, view, &story, None, &Told { said: Some((Tone::Bad, said)), form, mistake }))
}

/// Has the ledger settle it, and waits until that is durable; says why it was refused.
async fn settle(console: &Console, view: &View, key: String, order: Surrender) -> Result<Option<Refusal>, Failure> {
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
            Ok(answered.result.err())
        }
        Ok(Err(refusal)) => Ok(Some(refusal)),
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
            again: None,
        },
    )
}
