//! The pieces that pages are made of: chips, fields, tables, empty states, questions before an action.
//!
//! A page says what it shows; how that looks is here and in `assets/parts.css`, once.

use jiff::Timestamp;
use jiff::tz::Offset;
use maud::{Markup, html};

use baoqiao_domain::money::Amount;
use baoqiao_domain::time::GMT8;

use super::icons::{Icon, icon};
use super::language::{Message, messages};
use super::layout::form_token;
use super::view::View;

pub(super) use crate::console::audit::reason;

messages! {
    REASON: "事由", "Reason";
    REASON_HINT: "写入审计日志，例如工单号或来电事由", "Goes into the audit log, such as a ticket's number";
    CANCEL: "取消", "Cancel";
    OLDER: "更早的记录", "Older";
    NONE: "无", "none";
}

/// How a chip looks: what the reader should make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Worth knowing.
    Info,
    /// To be watched.
    Warn,
    /// A person has to look.
    Bad,
    /// Over, or of no weight.
    Quiet,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "chip good",
            Self::Info => "chip info",
            Self::Warn => "chip warn",
            Self::Bad => "chip bad",
            Self::Quiet => "chip quiet",
        }
    }
}

/// A word about the state of something.
pub(super) fn chip(tone: Tone, text: &str) -> Markup {
    html! { span class=(tone.class()) { (text) } }
}

/// A moment, to the second, in GMT+8.
pub(super) fn time(moment: Timestamp) -> Markup {
    let local = local(moment);
    html! { time datetime=(moment.strftime("%Y-%m-%dT%H:%M:%SZ")) { (local.strftime("%Y-%m-%d %H:%M:%S")) } }
}

/// A moment of the last days, short: the day without its year, or only the time where it is of the same day as `now`.
pub(super) fn short_time(moment: Timestamp, now: Timestamp) -> Markup {
    let (then, today) = (local(moment), local(now));
    let short = if then.date() == today.date() { "%H:%M:%S" } else { "%m-%d %H:%M:%S" };
    html! {
        time datetime=(moment.strftime("%Y-%m-%dT%H:%M:%SZ")) title=(then.strftime("%Y-%m-%d %H:%M:%S")) {
            (then.strftime(short))
        }
    }
}

fn local(moment: Timestamp) -> jiff::civil::DateTime {
    const OFFSET: Offset = GMT8;
    OFFSET.to_datetime(moment)
}

/// An amount of money, grouped by thousands.
pub(super) fn amount(amount: Amount, currency: &str) -> Markup {
    html! { span.amount { (amount.grouped()) " " span.unit { (currency) } } }
}

/// Something that is read letter by letter: a number, a key, a code.
pub(super) fn code(text: &str) -> Markup {
    html! { code { (text) } }
}

/// A long name or address, which is broken behind its dots and slashes where it has to be.
pub(super) fn breakable(text: &str) -> Markup {
    html! { @for piece in text.split_inclusive(['.', '/']) { (piece) wbr; } }
}

/// A sentence in which names of the wire stand between backticks.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (place, piece) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// A dash where there is nothing.
pub(super) fn or_none(view: &View, value: Option<Markup>) -> Markup {
    value.unwrap_or_else(|| html! { span.none title=(view.t(NONE)) { "—" } })
}

/// Names with their values.
pub(super) fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! { dl.fields { @for (name, value) in pairs { div { dt { (name) } dd { (value) } } } } }
}

/// A card with a heading.
pub(super) fn card(title: &str, content: &Markup) -> Markup {
    html! { section.card { h2 { (title) } (content) } }
}

/// What stands where a list would, when there is nothing in it: what that means and what to do.
pub(super) fn empty(picture: Icon, title: &str, hint: &Markup) -> Markup {
    html! { div.empty { (icon(picture)) p.empty-title { (title) } p { (hint) } } }
}

/// A table whose rows become cards where there is no room; `name` says what is in it to those who do not see it. A row with `data-open` is walked to by `j` and `k` and opened
/// by Enter; cells say their column's name for narrow screens by `data-label`.
pub(super) fn table(name: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        // One who cannot point scrolls it by keys.
        div.table-frame tabindex="0" role="region" aria-label=(name) {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// The way to the rest of a list.
pub(super) fn older(view: &View, address: Option<&str>) -> Markup {
    html! { @if let Some(address) = address { p.pager { a.button href=(address) rel="next" { (view.t(OLDER)) } } } }
}

/// An action that is asked about before it is done, with a reason for the audit log.
pub(super) struct Question<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    /// What the button says.
    pub(super) button: &'a str,
    /// Whether what it does cannot be undone.
    pub(super) is_grave: bool,
    /// What is asked.
    pub(super) title: &'a str,
    /// What will happen.
    pub(super) hint: &'a str,
    /// Where the form goes.
    pub(super) action: &'a str,
    /// Fields besides the reason.
    pub(super) fields: Markup,
    /// Where a piece of a page that comes back is put; without it, a whole page comes.
    pub(super) target: Option<&'a str>,
    /// Where it was asked before and could not be carried out: it is open, and says why.
    pub(super) again: Option<Again<'a>>,
}

/// What became of a question before it is asked again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again<'a> {
    /// What was wrong.
    pub(super) said: &'a str,
    /// The reason that was given.
    pub(super) reason: &'a str,
}

/// The button of a question and its dialog.
pub(super) fn question(view: &View, question: &Question<'_>) -> Markup {
    let dialog = format!("{}-dialog", question.id);
    let (title, reason) = (format!("{}-title", question.id), format!("{}-reason", question.id));
    let tone = if question.is_grave { "button danger" } else { "button" };
    let sure = if question.is_grave { "button danger filled" } else { "button primary" };
    html! {
        button class=(tone) type="button" id=(question.id) commandfor=(dialog) command="show-modal" { (question.button) }
        dialog id=(dialog) aria-labelledby=(title) open[question.again.is_some()] {
            h2 id=(title) { (question.title) }
            @if let Some(again) = question.again { (notice(Tone::Bad, again.said)) }
            p.muted { (question.hint) }
            form method="post" action=(question.action)
                hx-post=[question.target.map(|_| question.action)] hx-target=[question.target]
                hx-swap=[question.target.map(|_| "outerHTML")] {
                (form_token(view))
                (question.fields)
                div.field {
                    label for=(reason) { (view.t(REASON)) }
                    input id=(reason) name="reason" required minlength="2" maxlength="200" autocomplete="off"
                        value=[question.again.map(|again| again.reason)];
                    p.field-hint { (view.t(REASON_HINT)) }
                }
                div.dialog-buttons {
                    button.button type="button" commandfor=(dialog) command="close" { (view.t(CANCEL)) }
                    button class=(sure) type="submit" { (question.button) }
                }
            }
        }
    }
}

/// A message that stands above a page after something was done.
pub(super) fn notice(tone: Tone, text: &str) -> Markup {
    let picture = if tone == Tone::Good { Icon::Check } else { Icon::Alert };
    html! { div class={ "notice " (tone.class()) } role="status" { (icon(picture)) span { (text) } } }
}

/// The message's text for whom the page is shown to, for `chip` and the like.
pub(super) fn toned(view: &View, (tone, message): (Tone, Message)) -> Markup {
    chip(tone, view.t(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped_everywhere() {
        let evil = "<script>alert(1)</script>\"'";
        for markup in [
            chip(Tone::Bad, evil),
            code(evil),
            prose(evil),
            breakable(evil),
            fields([(evil, code(evil))]),
            card(evil, &code(evil)),
            empty(Icon::Search, evil, &code(evil)),
            table(evil, &[evil], &code(evil)),
            notice(Tone::Warn, evil),
        ] {
            let text = markup.into_string();
            assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
        }
    }

    #[test]
    fn a_reason_is_trimmed_and_bounded() {
        assert_eq!(reason("  工单 17\n "), Some("工单 17".to_owned()));
        assert_eq!(reason(" x "), None);
        assert_eq!(reason(&"长".repeat(300)).unwrap().chars().count(), 200);
    }

    #[test]
    fn times_are_those_of_gmt8() {
        let moment: Timestamp = "2026-01-02T17:04:05Z".parse().unwrap();
        assert!(time(moment).into_string().contains("2026-01-03 01:04:05"));
        assert!(short_time(moment, moment).into_string().ends_with(">01:04:05</time>"));
        let later: Timestamp = "2026-01-03T17:04:05Z".parse().unwrap();
        assert!(short_time(moment, later).into_string().ends_with(">01-03 01:04:05</time>"));
    }
}
