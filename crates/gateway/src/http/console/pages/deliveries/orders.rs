//! `/console/deliveries/resend` and `…/skip`: an order for all notices that a filter fits, counted first, and for a reason.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::{PATH, Wanted, filter_form};
use crate::console::audit::{Action, AuditEntry};
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::{Icon, icon};
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place, form_token};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Tone, notice, reason};
use crate::http::console::sign_in::to;
use crate::http::console::view::View;
use crate::ledger::store::StoreError;
use crate::outbox::Desk;
use crate::outbox::store::{Filter, Resent, Skipped};

messages! {
    BACK: "全部通知", "All notices";
    RESEND_TITLE: "重发多条通知", "Resend notices";
    RESEND_COUNT: "符合条件的通知共 {} 条。", "{} notices fit.";
    RESEND_NONE: "没有符合条件的通知，无需重发。", "No notice fits; there is nothing to resend.";
    RESEND_HINT: "已送达的也会再发一次；各主题内的先后不变。", "Delivered ones are sent once more, too; each keeps its place within its subject.";
    RESEND_FILTER: "请至少选择一个条件，以免重发全部通知。", "Choose at least one condition, so that not everything is sent again.";
    RESEND_BUTTON: "重发这 {} 条", "Resend these {}";
    SKIP_TITLE: "跳过多条通知", "Skip notices";
    SKIP_COUNT: "符合条件的待发与死信通知共 {} 条。", "{} pending and dead notices fit.";
    SKIP_NONE: "没有符合条件的待发或死信通知，无需跳过。", "No pending or dead notice fits; there is nothing to skip.";
    SKIP_HINT: "这些通知将不再发送，同主题后面的通知继续发送。平台不会知道此事。正在发送中的不跳过。", "They will not be sent, and later notices of their subjects go on. The platform will not know of it. Those that are being sent are not skipped.";
    SKIP_FILTER: "请至少选择一个条件，以免跳过全部通知。", "Choose at least one condition, so that not everything is skipped.";
    SKIP_BUTTON: "跳过这 {} 条", "Skip these {}";
    REASON: "事由", "Reason";
    REASON_HINT: "写入审计日志", "Goes into the audit log";
    REASON_MISSING: "未执行：请填写事由。", "Nothing was done: please give a reason.";
    CHANGED: "未执行：符合条件的数量已由 {} 变为 {}，请再次确认。", "Nothing was done: {} fitted then, {} do now. Please confirm again.";
}

pub(super) const RESEND: &str = "/console/deliveries/resend";
pub(super) const SKIP: &str = "/console/deliveries/skip";

/// An order, as it is asked about and carried out.
struct Bulk {
    path: &'static str,
    action: Action,
    /// The button that gives it.
    tone: &'static str,
    title: Message,
    count: Message,
    none: Message,
    hint: Message,
    filter: Message,
    button: Message,
    /// What it is for.
    find: fn(&Desk, &Filter) -> Result<Vec<u64>, StoreError>,
    /// Carries it out, and says what the list is to tell of it.
    carry_out: fn(&Desk, &[u64]) -> Result<String, StoreError>,
}

static RESENDING: Bulk = Bulk {
    path: RESEND,
    action: Action::NoticesResent,
    tone: "button primary filled",
    title: RESEND_TITLE,
    count: RESEND_COUNT,
    none: RESEND_NONE,
    hint: RESEND_HINT,
    filter: RESEND_FILTER,
    button: RESEND_BUTTON,
    find: Desk::matching,
    carry_out: |desk, ids| {
        let Resent { due, waiting, under_way } = desk.resend(ids)?;
        Ok(format!("resent={due},{waiting},{under_way}"))
    },
};

static SKIPPING: Bulk = Bulk {
    path: SKIP,
    action: Action::NoticeSkipped,
    tone: "button danger filled",
    title: SKIP_TITLE,
    count: SKIP_COUNT,
    none: SKIP_NONE,
    hint: SKIP_HINT,
    filter: SKIP_FILTER,
    button: SKIP_BUTTON,
    find: Desk::open,
    carry_out: |desk, ids| {
        let Skipped { skipped, under_way, closed } = desk.skip(ids)?;
        Ok(format!("skipped={skipped},{under_way},{closed}"))
    },
};

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(RESEND, get(ask_resend).post(resend)).route(SKIP, get(ask_skip).post(skip))
}

async fn ask_resend(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Operator>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    asking(&RESENDING, &console, &visit.view, wanted, None).await
}

async fn ask_skip(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Operator>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    asking(&SKIPPING, &console, &visit.view, wanted, None).await
}

/// The page that counts, and asks.
async fn asking(
    bulk: &'static Bulk,
    console: &Arc<Console>,
    view: &View,
    wanted: Wanted,
    said: Option<Markup>,
) -> Result<Markup, Failure> {
    let wanted = Wanted { before: None, ..wanted };
    let filter = wanted.filter();
    let count = if wanted.is_narrowed() {
        Some(console.read(move |console| Ok((bulk.find)(&console.desk, &filter)?.len())).await?)
    } else {
        None
    };
    let content = html! {
        header.page-head {
            div {
                p { a.back href=(wanted.address(PATH, None)) { (icon(Icon::Back)) (view.t(BACK)) } }
                h1 { (view.t(bulk.title)) }
            }
        }
        @if let Some(said) = said { (said) }
        (filter_form(view, console, &wanted, bulk.path))
        @match count {
            None => { (notice(Tone::Info, view.t(bulk.filter))) }
            Some(0) => { (notice(Tone::Info, view.t(bulk.none))) }
            Some(count) => { (confirmation(bulk, view, &wanted, count)) }
        }
    };
    Ok(layout::page(view, Some(Place::Deliveries), view.t(bulk.title), &content))
}

fn confirmation(bulk: &Bulk, view: &View, wanted: &Wanted, count: usize) -> Markup {
    let form = html! {
        p.muted { (view.t(bulk.hint)) }
        form.narrow-form method="post" action=(bulk.path) {
            (form_token(view))
            @for (name, value) in wanted.pairs() { input type="hidden" name=(name) value=(value); }
            input type="hidden" name="count" value=(count);
            div.field {
                label for="reason" { (view.t(REASON)) }
                input #reason name="reason" required minlength="2" maxlength="200" autocomplete="off";
                p.field-hint { (view.t(REASON_HINT)) }
            }
            button class=(bulk.tone) type="submit" { (view.with(bulk.button, &[&count])) }
        }
    };
    parts::card(&view.with(bulk.count, &[&count]), &form)
}

#[derive(Debug, Deserialize)]
struct Confirmed {
    state: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    partner: Option<String>,
    /// How many fitted when it was asked.
    count: usize,
    reason: String,
}

async fn resend(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Operator, Confirmed>,
) -> Result<Response, Failure> {
    carry_out(&RESENDING, &console, &view, content).await
}

async fn skip(
    State(console): State<Arc<Console>>,
    Order { view, content, .. }: Order<need::Operator, Confirmed>,
) -> Result<Response, Failure> {
    carry_out(&SKIPPING, &console, &view, content).await
}

async fn carry_out(
    bulk: &'static Bulk,
    console: &Arc<Console>,
    view: &View,
    content: Confirmed,
) -> Result<Response, Failure> {
    let Confirmed { state, kind, subject, partner, count, reason: given } = content;
    let wanted = Wanted { state, kind, subject, partner, ..Wanted::default() };
    if !wanted.is_narrowed() {
        return Err(Failure::Unreadable);
    }
    let Some(reason) = reason(&given) else {
        let missing = notice(Tone::Bad, view.t(REASON_MISSING));
        return Ok(asking(bulk, console, view, wanted, Some(missing)).await?.into_response());
    };
    let filter = wanted.filter();
    let subject: Vec<String> = wanted.pairs().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let entry = AuditEntry { detail: count.to_string(), ..view.does(bulk.action, subject.join(" "), reason) };
    let done = console
        .read(move |console| {
            let found = (bulk.find)(&console.desk, &filter)?;
            // What was asked about is what is done: a filter that meanwhile fits more is asked about again.
            if found.len() > count {
                return Ok(Err(found.len()));
            }
            console.store.record(&entry)?;
            Ok(Ok((bulk.carry_out)(&console.desk, &found)?))
        })
        .await?;
    match done {
        Ok(told) => Ok(to(&format!("{PATH}?{told}"))),
        Err(now) => {
            let changed = notice(Tone::Warn, &view.with(CHANGED, &[&count, &now]));
            Ok(asking(bulk, console, view, wanted, Some(changed)).await?.into_response())
        }
    }
}
