//! `/console/recoveries`: what platforms said was recovered, the newest first, and what of it is odd: recoveries beside no
//! policy, and amounts that disagree.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use baoqiao_domain::recovery::Unmatched;
use maud::{Markup, html};
use serde::Deserialize;

use super::messages::choice;
use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::Icon;
use crate::http::console::language::{Message, messages};
use crate::http::console::layout::{self, Place};
use crate::http::console::parts::{self, Tone, chip};
use crate::http::console::view::View;
use crate::http::console::words::grouped;
use crate::ledger::lists::{RecoveryFilter, RecoveryRecord, Slice};

messages! {
    LEAD: "平台报来的追缴。没有对应保单的、金额前后不一致的，也都如实记下，供核对。", "What platforms said was recovered. What belongs to no policy, or disagrees with itself, is recorded as it came, to be looked into.";
    AT: "记录时间", "Recorded";
    PARTNER: "合作方", "Partner";
    KEY: "幂等号", "Identifier";
    POLICY: "保单", "Policy";
    AMOUNT: "追缴金额（元）", "Recovered (CNY)";
    ODD: "异常", "What is odd";
    NOTHING_ODD: "没有", "nothing";
    UNMATCHED: "没有对应的保单", "belongs to no policy";
    DISCREPANT: "金额对不上", "amounts disagree";
    FILTER: "筛选", "Filter";
    CLEAR: "清空", "Clear";
    NO_NUMBER: "未写保单号", "names no policy";
    UNKNOWN: "台账中没有此保单", "the ledger has no such policy";
    OTHER_PARTNER: "保单属于另一合作方", "the policy is another partner's";
    OTHER_PRODUCT: "保单是另一产品", "the policy is of another product";
    DIFFERS: "{} 报 {}，折算应为 {}", "{} says {}; by the rate it is {}";
    EMPTY: "没有符合条件的追缴", "No recovery fits";
    EMPTY_HINT: "平台的追缴被受理后会出现在这里。", "They appear here once a platform's recovery was accepted.";
    LOOKED: "较近的追缴里没有符合条件的，可继续向前找。", "None of the newer recoveries fit; older ones may.";
}

const PATH: &str = "/console/recoveries";
const ROWS: usize = 50;

/// What the address asks for.
#[derive(Debug, Default, Clone, Deserialize)]
struct Wanted {
    odd: Option<String>,
    partner: Option<String>,
    before: Option<u64>,
}

impl Wanted {
    fn partner(&self) -> Option<&str> {
        self.partner.as_deref().map(str::trim).filter(|partner| !partner.is_empty())
    }

    fn filter(&self) -> RecoveryFilter {
        RecoveryFilter {
            partner: self.partner().map(str::to_owned),
            policy_no: None,
            matched: (self.odd.as_deref() == Some("unmatched")).then_some(false),
            discrepant: (self.odd.as_deref() == Some("discrepant")).then_some(true),
        }
    }

    fn older(&self, before: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let given = [("odd", self.odd.as_deref()), ("partner", self.partner())];
        query.extend_pairs(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query.append_pair("before", &before.to_string());
        format!("{PATH}?{}", query.finish())
    }
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    let (filter, before) = (wanted.filter(), wanted.before);
    let slice = console.read(move |console| Ok(console.lists.recoveries(&filter, before, ROWS)?)).await?;
    let view = &visit.view;
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Recoveries.label())) } p.muted { (view.t(LEAD)) } } }
        (filter_form(view, &console, &wanted))
        (list(view, &wanted, &slice))
    };
    Ok(layout::page(view, Some(Place::Recoveries), view.t(Place::Recoveries.label()), &content))
}

fn filter_form(view: &View, console: &Console, wanted: &Wanted) -> Markup {
    let odd = [("unmatched", view.t(UNMATCHED)), ("discrepant", view.t(DISCREPANT))];
    let partners = console.config.partners.iter().map(|partner| (partner.id.as_str(), partner.id.as_str()));
    html! {
        form.filter method="get" action=(PATH) {
            (choice(view, "odd", view.t(ODD), odd.into_iter(), wanted.odd.as_deref()))
            (choice(view, "partner", view.t(PARTNER), partners, wanted.partner()))
            div.field.field-button {
                div.button-row {
                    button.button type="submit" { (view.t(FILTER)) }
                    a.quiet-button href=(PATH) { (view.t(CLEAR)) }
                }
            }
        }
    }
}

fn list(view: &View, wanted: &Wanted, slice: &Slice<RecoveryRecord, u64>) -> Markup {
    let columns = [AT, POLICY, AMOUNT, ODD, KEY, PARTNER].map(|column| view.t(column));
    let rows = html! { @for recovery in &slice.items { (row(view, &columns, recovery)) } };
    let older = slice.next.map(|next| wanted.older(next));
    html! {
        @if !slice.items.is_empty() {
            (parts::table(view.t(Place::Recoveries.label()), &columns, &rows))
        } @else if older.is_some() {
            p.muted { (view.t(LOOKED)) }
        } @else {
            (parts::empty(Icon::Recovery, view.t(EMPTY), &html! { (view.t(EMPTY_HINT)) }))
        }
        (parts::older(view, older.as_deref()))
    }
}

fn row(view: &View, columns: &[&str; 6], recovery: &RecoveryRecord) -> Markup {
    let [at, policy, amount, odd, key, partner] = columns;
    let address = format!("/console/messages/{}", recovery.message_id);
    let yuan = recovery.recover_amount_of_cny.as_deref().map(grouped);
    html! {
        tr data-open=(address) {
            td data-label=(at) { a href=(address) { (parts::short_time(recovery.recorded_at, view.now)) } }
            td data-label=(policy) {
                @match (&recovery.policy_no, &recovery.stated_policy_no) {
                    (Some(number), _) => { a href={ "/console/policies/" (number) } { (parts::code(number.as_str())) } }
                    (None, Some(stated)) => { (parts::code(stated)) }
                    (None, None) => { (parts::or_none(view, None)) }
                }
            }
            td.number data-label=(amount) { (parts::or_none(view, yuan.map(|yuan| html! { (yuan) }))) }
            td.wrap data-label=(odd) { (oddities(view, recovery)) }
            td.wrap data-label=(key) { (parts::code(&recovery.identifier)) }
            td data-label=(partner) { (recovery.partner) }
        }
    }
}

/// Where a recovery disagrees with itself, as the ledger keeps it.
#[derive(Deserialize)]
struct Discrepancy {
    field: String,
    stated: String,
    computed: String,
}

fn oddities(view: &View, recovery: &RecoveryRecord) -> Markup {
    let unmatched = recovery.unmatched.as_deref();
    // What does not read is still odd: it is shown as it is kept.
    let discrepancies: Result<Vec<Discrepancy>, _> = serde_json::from_str(&recovery.discrepancies);
    html! {
        @if let Some(reason) = unmatched { (chip(Tone::Warn, reason_word(view, reason))) " " }
        @match discrepancies {
            Ok(found) => {
                @if found.is_empty() && unmatched.is_none() { span.muted { (view.t(NOTHING_ODD)) } }
                @if !found.is_empty() { (chip(Tone::Warn, view.t(DISCREPANT))) }
                @for Discrepancy { field, stated, computed } in &found {
                    " " span.muted { (view.with(DIFFERS, &[field, &grouped(stated), &grouped(computed)])) }
                }
            }
            Err(_) => { (chip(Tone::Warn, view.t(DISCREPANT))) " " (parts::code(&recovery.discrepancies)) }
        }
    }
}

fn reason_word<'a>(view: &View, name: &'a str) -> &'a str {
    let word: Option<Message> = Unmatched::from_name(name).map(|reason| match reason {
        Unmatched::NoNumber => NO_NUMBER,
        Unmatched::Unknown => UNKNOWN,
        Unmatched::OtherPartner => OTHER_PARTNER,
        Unmatched::OtherProduct => OTHER_PRODUCT,
    });
    word.map_or(name, |word| view.t(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_further_on_keeps_its_filter() {
        let wanted = Wanted { odd: Some("unmatched".to_owned()), partner: Some(" ".to_owned()), before: None };
        assert_eq!(wanted.older(7), "/console/recoveries?odd=unmatched&before=7");
        assert_eq!(wanted.filter(), RecoveryFilter { matched: Some(false), ..RecoveryFilter::default() });
    }
}
