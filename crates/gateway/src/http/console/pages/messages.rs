//! `/console/messages`: what known callers sent, the newest first, as it arrives.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use baoqiao_channels::CHANNELS;
use baoqiao_domain::refusal::RefusalCode;
use baoqiao_domain::time::GMT8;
use jiff::Timestamp;
use jiff::civil::DateTime;
use maud::{Markup, html};
use serde::Deserialize;

use crate::http::console::Console;
use crate::http::console::access::{Visit, need};
use crate::http::console::failure::Failure;
use crate::http::console::icons::Icon;
use crate::http::console::language::messages;
use crate::http::console::layout::{self, Place};
use crate::http::console::live::live;
use crate::http::console::parts;
use crate::http::console::traffic::{interface_name, scopes, verdict, verdict_chip};
use crate::http::console::view::View;
use crate::ledger::lists::{MessageFilter, MessagePlace, MessageRecord, Slice};
use crate::ledger::store::Verdict;

messages! {
    LEAD: "平台与渠道发来的每一条报文及应答。新报文自动出现。", "Every message of platforms and sources, with its answer. New ones appear by themselves.";
    KNOWN: "已知调用方", "Known callers";
    STRANGERS: "陌生来者", "Strangers";
    PASTED: "解释一条 curl 命令", "Explain a curl command";
    TABS: "报文种类", "Kinds of messages";
    AT: "时间", "Time";
    CHANNEL: "渠道", "Channel";
    INTERFACE: "接口", "Interface";
    VERDICT: "结果", "Verdict";
    CODE: "拒绝码", "Code";
    KEY: "幂等号", "Key";
    POLICY: "保单", "Policy";
    CALLER: "调用方", "Caller";
    SINCE: "起（北京时间）", "From (GMT+8)";
    UNTIL: "止", "To";
    ANY: "全部", "Any";
    FILTER: "筛选", "Filter";
    CLEAR: "清空", "Clear";
    EMPTY: "没有符合条件的报文", "No message fits";
    EMPTY_HINT: "放宽筛选条件；未受理的在“陌生来者”里。", "Widen the filter; what was turned away is under Strangers.";
    LOOKED: "较近的报文里没有符合条件的，可继续向前找。", "None of the newer messages fit; older ones may.";
}

const PATH: &str = "/console/messages";
const ROWS: usize = 50;

/// What the address asks for.
#[derive(Debug, Default, Clone, Deserialize)]
struct Wanted {
    channel: Option<String>,
    interface: Option<String>,
    caller: Option<String>,
    verdict: Option<String>,
    code: Option<String>,
    key: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
}

fn text(given: Option<&String>) -> Option<String> {
    given.map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A moment as a browser's field writes it, which is meant in GMT+8.
fn moment(given: Option<&String>) -> Option<Timestamp> {
    let local: DateTime = given?.parse().ok()?;
    GMT8.to_timestamp(local).ok()
}

impl Wanted {
    fn filter(&self) -> MessageFilter {
        MessageFilter {
            channel: text(self.channel.as_ref()),
            scope: text(self.interface.as_ref()),
            caller: text(self.caller.as_ref()),
            key: text(self.key.as_ref()),
            verdict: self.verdict.as_deref().and_then(Verdict::from_name).map(|verdict| verdict.as_str().to_owned()),
            code: text(self.code.as_ref()),
            from: moment(self.from.as_ref()),
            to: moment(self.to.as_ref()),
        }
    }

    fn place(&self) -> Option<MessagePlace> {
        self.after.as_deref()?.parse().ok()
    }

    /// The address of these messages under that path, from that place on.
    fn address(&self, path: &str, after: Option<MessagePlace>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let given = [
            ("channel", &self.channel),
            ("interface", &self.interface),
            ("caller", &self.caller),
            ("verdict", &self.verdict),
            ("code", &self.code),
            ("key", &self.key),
            ("from", &self.from),
            ("to", &self.to),
        ];
        query.extend_pairs(given.into_iter().filter_map(|(name, value)| Some((name, text(value.as_ref())?))));
        if let Some(after) = after {
            query.append_pair("after", &after.to_string());
        }
        format!("{path}?{}", query.finish())
    }
}

/// The address of an interface's messages that ended so, from that minute on; `named` tells whether it is one's name or a
/// channel's.
pub(super) fn address_of(named: &str, interface: &str, verdict: Verdict, from: Timestamp) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let from = GMT8.to_datetime(from).strftime("%Y-%m-%dT%H:%M").to_string();
    query.extend_pairs([(named, interface), ("verdict", verdict.as_str()), ("from", &from)]);
    format!("{PATH}?{}", query.finish())
}

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(show)).route("/console/messages/live", get(tail))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Failure> {
    let (filter, place) = (wanted.filter(), wanted.place());
    let slice = console.read(move |console| Ok(console.lists.messages(&filter, place, ROWS)?)).await?;
    Ok(page(&visit.view, &console, &wanted, &slice))
}

async fn tail(
    State(console): State<Arc<Console>>,
    visit: Visit<need::Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let filter = wanted.filter();
    live(&console, visit.view, move |console, view| {
        let slice = console.lists.messages(&filter, None, ROWS)?;
        Ok(list(view, &wanted, &slice))
    })
}

fn page(view: &View, console: &Console, wanted: &Wanted, slice: &Slice<MessageRecord, MessagePlace>) -> Markup {
    // What is further back does not change under the reader.
    let live = wanted.place().is_none().then(|| wanted.address("/console/messages/live", None));
    let content = html! {
        header.page-head { div { h1 { (view.t(Place::Messages.label())) } p.muted { (view.t(LEAD)) } } }
        (tabs(view, Tab::Known))
        (filter_form(view, console, wanted))
        div.live-part data-live=[live] { (list(view, wanted, slice)) }
    };
    layout::page(view, Some(Place::Messages), view.t(Place::Messages.label()), &content)
}

/// The pages about messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Known,
    Strangers,
    Pasted,
}

/// The way between the pages about messages.
pub(super) fn tabs(view: &View, here: Tab) -> Markup {
    let tabs = [
        (Tab::Known, PATH, KNOWN),
        (Tab::Strangers, "/console/strangers", STRANGERS),
        (Tab::Pasted, "/console/explain", PASTED),
    ];
    html! {
        nav.tabs aria-label=(view.t(TABS)) {
            @for (tab, path, label) in tabs {
                a href=(path) aria-current=[(tab == here).then_some("page")] { (view.t(label)) }
            }
        }
    }
}

fn list(view: &View, wanted: &Wanted, slice: &Slice<MessageRecord, MessagePlace>) -> Markup {
    let columns = [AT, VERDICT, INTERFACE, KEY, POLICY, CALLER].map(|column| view.t(column));
    let rows = html! { @for message in &slice.items { (row(view, &columns, message)) } };
    let older = slice.next.map(|next| wanted.address(PATH, Some(next)));
    html! {
        @if !slice.items.is_empty() {
            (parts::table(view.t(Place::Messages.label()), &columns, &rows))
        } @else if older.is_some() {
            p.muted { (view.t(LOOKED)) }
        } @else {
            (parts::empty(Icon::Messages, view.t(EMPTY), &html! { (view.t(EMPTY_HINT)) }))
        }
        (parts::older(view, older.as_deref()))
    }
}

fn row(view: &View, columns: &[&str; 6], message: &MessageRecord) -> Markup {
    let [at, verdict, interface, key, policy, caller] = columns;
    let address = format!("{PATH}/{}", message.id);
    html! {
        tr data-open=(address) {
            td data-label=(at) { a href=(address) { (parts::short_time(message.received_at, view.now)) } }
            td data-label=(verdict) {
                (verdict_chip(view, &message.verdict))
                @if let Some(code) = &message.code { span.below { (parts::code(code)) } }
            }
            td data-label=(interface) { (interface_name(view, message.scope.as_deref(), &message.channel)) }
            td.key data-label=(key) { @if let Some(key) = &message.key { (parts::code(key)) } }
            td data-label=(policy) {
                @if let Some(number) = &message.policy_no {
                    a href={ "/console/policies/" (number) } { (parts::code(number)) }
                }
            }
            td data-label=(caller) { (message.caller) span.below.muted { (message.peer) } }
        }
    }
}

fn filter_form(view: &View, console: &Console, wanted: &Wanted) -> Markup {
    // Orders of the insurer's own systems and of people are messages, too.
    let channels = CHANNELS.iter().map(|channel| channel.name()).chain(["api", "console"]);
    let channels = channels.map(|channel| (channel, channel));
    let scopes = scopes().map(|(scope, label)| (scope, view.label(label)));
    let verdicts = Verdict::ALL.map(|one| (one.as_str(), view.t(verdict(one).1)));
    let codes = RefusalCode::ALL.map(|code| (code.as_str(), code.as_str()));
    let callers = console.callers();
    let callers = callers.iter().map(|caller| (caller.as_str(), caller.as_str()));
    html! {
        form.filter method="get" action=(PATH) {
            (choice(view, "channel", view.t(CHANNEL), channels, wanted.channel.as_deref()))
            (choice(view, "interface", view.t(INTERFACE), scopes, wanted.interface.as_deref()))
            (choice(view, "caller", view.t(CALLER), callers, wanted.caller.as_deref()))
            (choice(view, "verdict", view.t(VERDICT), verdicts.into_iter(), wanted.verdict.as_deref()))
            (choice(view, "code", view.t(CODE), codes.into_iter(), wanted.code.as_deref()))
            div.field {
                label for="key" { (view.t(KEY)) }
                input #key name="key" value=[wanted.key.as_deref()] maxlength="128" autocomplete="off";
            }
            (time_field(view.t(SINCE), "from", wanted.from.as_deref()))
            (time_field(view.t(UNTIL), "to", wanted.to.as_deref()))
            div.field.field-button {
                div.button-row {
                    button.button type="submit" { (view.t(FILTER)) }
                    a.quiet-button href=(PATH) { (view.t(CLEAR)) }
                }
            }
        }
    }
}

fn time_field(label: &str, name: &str, value: Option<&str>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="datetime-local" step="1" value=[value];
        }
    }
}

/// A field whose values are known.
pub(super) fn choice<'a>(
    view: &View,
    name: &str,
    label: &str,
    options: impl Iterator<Item = (&'a str, &'a str)>,
    chosen: Option<&str>,
) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { (view.t(ANY)) }
                @for (value, text) in options {
                    option value=(value) selected[chosen == Some(value)] { (text) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_writes_of_a_moment_is_meant_in_gmt8() {
        let read = |text: &str| moment(Some(&text.to_owned())).map(|moment| moment.to_string());
        assert_eq!(read("2026-01-02T11:04").as_deref(), Some("2026-01-02T03:04:00Z"));
        assert_eq!(read("2026-01-02T11:04:05").as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn a_page_further_on_keeps_its_filter() {
        let wanted = Wanted { key: Some("a&b=张".to_owned()), verdict: Some(" ".to_owned()), ..Wanted::default() };
        let address = wanted.address(PATH, Some(MessagePlace { received_ms: 5, id: 7 }));
        assert_eq!(address, "/console/messages?key=a%26b%3D%E5%BC%A0&after=5%2C7");
    }
}
