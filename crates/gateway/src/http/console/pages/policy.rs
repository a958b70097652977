//! `/console/policies/{number}`: one policy, its parties, its document, and all that has happened to it.

mod details;
mod orders;
mod story;
mod surrender;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;

use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::time::GMT8;

use crate::console::audit::{Action, AuditEntry};
use crate::console::role::Role;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::order::Order;
use crate::http::console::parts::{self, Question, Tone, notice, question, reason};
use crate::http::console::ticket::Ticket;
use crate::http::console::view::View;
pub(in crate::http::console) use orders::SURRENDER_ORDER;
use story::Story;
use surrender::{Mistake, SurrenderForm, surrender_question};

messages! {
    TITLE: "保单 {}", "Policy {}";
    SHOW_DOCUMENT: "查看电子保单", "Show the document";
    SHOW_DOCUMENT_ASK: "查看电子保单？", "Show the policy document?";
    SHOW_DOCUMENT_HINT: "电子保单含未脱敏的个人信息；查看与下载会写入审计日志。", "The document shows personal data unmasked; looking at it and downloading it go into the audit log.";
    DOCUMENT: "电子保单", "Policy document";
    DOCUMENT_HIDDEN: "电子保单含个人信息，凭事由查看。", "The document shows personal data; it is shown for a reason.";
    DOCUMENT_ROLE: "查看电子保单需要操作员角色。", "Showing the document needs the role operator.";
    DOCUMENT_MADE: "首次生成于 {}", "first made {}";
    DOCUMENT_UNMADE: "尚未生成，首次查看时生成", "not made yet; it is when first shown";
    DOWNLOAD: "下载 PDF", "Download the PDF";
    OPEN: "在新标签页打开", "Open in a new tab";
    SURRENDERED: "已退保，并按配置通知平台。", "The policy was surrendered, and the platform is told where so configured.";
    RESENT: "已安排重发。", "It will be sent again.";
    REASON_MISSING: "未执行：请填写事由。", "Nothing was done: please give a reason.";
    AS_OF: "这是 {} 时的样子。", "This is how it was at {}.";
    NOT_YET: "那时还没有这份保单。", "There was no such policy then.";
    BACK_TO_NOW: "回到现在", "Back to now";
}

/// What is said above the page after an order was given; its name is in the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Surrendered,
    Resent,
    Reason,
}

impl Done {
    fn said(self, view: &View) -> (Tone, String) {
        let (tone, text) = match self {
            Self::Surrendered => (Tone::Good, SURRENDERED),
            Self::Resent => (Tone::Good, RESENT),
            Self::Reason => (Tone::Bad, REASON_MISSING),
        };
        (tone, view.t(text).to_owned())
    }
}

/// What is told above the page, and what the form of a surrender holds.
struct Told {
    said: Option<(Tone, String)>,
    form: SurrenderForm,
    /// What was wrong with it.
    mistake: Option<Mistake>,
}

#[derive(Debug, Deserialize)]
struct Shown {
    done: Option<Done>,
    /// A moment in GMT+8, as a field for dates and times writes it.
    at: Option<String>,
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

#[derive(Deserialize)]
struct Look {
    ticket: String,
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/console/policies/{number}", get(show))
        .route("/console/policies/{number}/people", post(show_people))
        .route("/console/policies/{number}/document", post(show_document))
        .route("/console/policies/{number}/document.pdf", get(document))
        .route("/console/policies/{number}/surrender", post(orders::surrender))
        .route("/console/policies/{number}/resend", post(orders::resend))
}

/// How a moment in an address or a form is written.
const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

fn parse_local(text: &str) -> Option<Timestamp> {
    let whole = DateTime::strptime(LOCAL, text).or_else(|_| DateTime::strptime("%Y-%m-%dT%H:%M", text));
    GMT8.to_timestamp(whole.ok()?).ok()
}

fn format_local(moment: Timestamp) -> String {
    GMT8.to_datetime(moment).strftime(LOCAL).to_string()
}

fn parse_number(text: &str) -> Result<PolicyNumber, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

fn address(number: &PolicyNumber) -> String {
    format!("/console/policies/{number}")
}

fn subject(number: &PolicyNumber) -> String {
    format!("policy:{number}")
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Path(number): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Markup, Failure> {
    let number = parse_number(&number)?;
    let view = visit.view;
    // A moment is told to the second: all of that second belongs to it.
    let at = shown.at.as_deref().and_then(parse_local).map(|at| at + SignedDuration::from_millis(999));
    let sees_audit = view.may(Role::Admin);
    let story = console.read(move |console| Story::load(console, &number, sees_audit)).await?;
    let form = SurrenderForm::blank(&view, orders::key(&console)?);
    let told = Told { said: shown.done.map(|done| done.said(&view)), form, mistake: None };
    Ok(page(&console, &view, &story, at, &told))
}

/// An entry about a policy.
fn entry(view: &View, action: Action, number: &PolicyNumber, reason: &str, detail: String) -> AuditEntry {
    AuditEntry {
        at: view.now,
        user: view.user_name().to_owned(),
        peer: view.peer.clone(),
        action,
        subject: subject(number),
        reason: reason.to_owned(),
        detail,
    }
}

/// `POST …/people`: the parties with nothing masked, in a page of their own or in place of the masked ones.
async fn show_people(
    State(console): State<Arc<Console>>,
    Path(number): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Markup, Failure> {
    let number = parse_number(&number)?;
    let why = reason(&content.reason).ok_or(Failure::Unreadable)?;
    let entry = entry(&view, Action::PeopleShown, &number, &why, String::new());
    let asked = number.clone();
    let application = console
        .read(move |console| {
            let (_, application) = story::application(console, &asked)?;
            console.store.record(&entry)?;
            Ok(application)
        })
        .await?;
    let people = details::people(&view, &number, &application, true);
    if view.wants_fragment {
        return Ok(people);
    }
    let title = view.with(TITLE, &[&number]);
    Ok(layout::page(&view, Some(Place::Find), &title, &html! { h1 { (title) } (people) }))
}

/// `POST …/document`: the document in place of its question.
async fn show_document(
    State(console): State<Arc<Console>>,
    Path(number): Path<String>,
    Order { view, content, .. }: Order<need::Operator, Reason>,
) -> Result<Markup, Failure> {
    let number = parse_number(&number)?;
    let why = reason(&content.reason).ok_or(Failure::Unreadable)?;
    let ticket = Ticket::look(&view, subject(&number), why).ok_or(Failure::SignInFirst)?.seal(&console.vault)?;
    let pdf = format!("{}/document.pdf?ticket={ticket}", address(&number));
    let shown = html! {
        section.card #document {
            div.card-head {
                h2 { (view.t(DOCUMENT)) }
                div.card-actions {
                    a.button href=(pdf) target="_blank" { (view.t(OPEN)) }
                    a.button href=(pdf) download={ (number) ".pdf" } { (view.t(DOWNLOAD)) }
                }
            }
            iframe.document src=(pdf) title=(view.t(DOCUMENT)) {}
        }
    };
    if view.wants_fragment {
        return Ok(shown);
    }
    let title = view.with(TITLE, &[&number]);
    Ok(layout::page(&view, Some(Place::Find), &title, &shown))
}

/// `GET …/document.pdf`: each time it is fetched is a look, and written down as one.
async fn document(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Operator>,
    Path(number): Path<String>,
    Query(look): Query<Look>,
) -> Result<Response, Failure> {
    let (view, number) = (visit.view, parse_number(&number)?);
    let ticket = Ticket::open(&console.vault, &look.ticket).ok_or(Failure::NotFound)?;
    let why = ticket.reason_to_look(&view, &subject(&number)).ok_or(Failure::NotFound)?;
    let made = console.documents.of_policy(number.clone()).await;
    let made = made.map_err(|error| Failure::Unavailable(error.to_string()))?.ok_or(Failure::NotFound)?;
    let entry = entry(&view, Action::DocumentShown, &number, &why, String::new());
    console.read(move |console| Ok(console.store.record(&entry)?)).await?;
    let headers = [
        (CONTENT_TYPE, "application/pdf".to_owned()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{number}.pdf\"")),
        // Shown within a page of the console; there is nothing in it to run.
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'".to_owned(),
        ),
        (X_FRAME_OPTIONS, "SAMEORIGIN".to_owned()),
    ];
    Ok((headers, Body::from(made.pdf)).into_response())
}

/// The policy as it was at a moment: what ended it later has not happened yet.
fn as_of(story: &Story, at: Option<Timestamp>) -> Policy {
    let mut policy = story.policy.clone();
    let ended_later = |ending: &crate::ledger::lists::EndingRecord| at.is_some_and(|at| ending.ended_at > at);
    if story.ending.as_ref().is_some_and(ended_later) {
        policy.state = PolicyState::Issued;
    }
    policy
}

fn page(console: &Console, view: &View, story: &Story, at: Option<Timestamp>, told: &Told) -> Markup {
    let policy = as_of(story, at);
    let number = &policy.number;
    let title = view.with(TITLE, &[number]);
    let phase = super::overview::phase(policy.phase(at.unwrap_or(view.now)));
    let is_there = at.is_none_or(|at| at >= policy.issued_at);
    let content = html! {
        header.page-head {
            div {
                p.eyebrow { (console.documents.product_name(&policy.product_code)) }
                h1.policy-number { (number) " " @if is_there { (parts::toned(view, phase)) } }
            }
            @if at.is_none() && view.may(Role::Operator) {
                (surrender_question(view, &policy, &told.form, told.mistake))
            }
        }
        @if let Some((tone, said)) = &told.said { (notice(*tone, said)) }
        @if let Some(at) = at { (as_of_notice(view, number, at, is_there)) }
        @if is_there {
            div.policy {
                div.policy-main {
                    (details::contract(view, &policy, &story.application))
                    (details::people(view, number, &story.application, false))
                }
                div.policy-side {
                    (document_card(view, number, story))
                    (story::card(view, story, at))
                }
            }
        }
    };
    layout::page(view, Some(Place::Find), &title, &content)
}

fn as_of_notice(view: &View, number: &PolicyNumber, at: Timestamp, is_there: bool) -> Markup {
    let local = GMT8.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let said = if is_there { view.with(AS_OF, &[&local]) } else { view.t(NOT_YET).to_owned() };
    html! {
        div.as-of {
            (notice(Tone::Info, &said))
            a.button href=(address(number)) { (view.t(BACK_TO_NOW)) }
        }
    }
}

fn document_card(view: &View, number: &PolicyNumber, story: &Story) -> Markup {
    let local = |at: Timestamp| GMT8.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let made = story.document_made_at.map(|at| view.with(DOCUMENT_MADE, &[&local(at)]));
    let made = made.as_deref().unwrap_or_else(|| view.t(DOCUMENT_UNMADE));
    html! {
        section.card #document {
            h2 { (view.t(DOCUMENT)) }
            p.muted { (view.t(DOCUMENT_HIDDEN)) }
            p.muted { (made) }
            @if view.may(Role::Operator) {
                p {
                    (question(view, &Question {
                        id: "show-document",
                        button: view.t(SHOW_DOCUMENT),
                        is_grave: false,
                        title: view.t(SHOW_DOCUMENT_ASK),
                        hint: view.t(SHOW_DOCUMENT_HINT),
                        action: &format!("{}/document", address(number)),
                        fields: html! {},
                        target: Some("#document"),
                        again: None,
                    }))
                }
            } @else {
                p.muted { (view.t(DOCUMENT_ROLE)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_in_gmt8() {
        let moment: Timestamp = "2026-01-02T17:04:05Z".parse().unwrap();
        assert_eq!(format_local(moment), "2026-01-03T01:04:05");
        assert_eq!(parse_local("2026-01-03T01:04:05"), Some(moment));
        assert_eq!(parse_local("2026-01-03T01:04"), Some("2026-01-02T17:04:00Z".parse().unwrap()));
        assert_eq!(parse_local("yesterday"), None);
    }
}
