//! The file that says what is sent, in which order and how often.

use std::time::Duration;

use baoqiao_channels::qimen::body::BodyKind;
use serde::Deserialize;
use toml::Spanned;

use crate::qimen::Charset;
use crate::scenario_file::{self, MAX_MS, Misfit, ScenarioError, within};

/// The most messages of a step, and copies and rounds of them.
const MAX_MESSAGES: u64 = 1_000_000;
const MAX_REPEATS: u64 = 1_000;

/// What the callers do, step by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub(super) seed: u64,
    pub(super) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) play: Play,
    /// The numbers of its messages.
    pub(super) messages: std::ops::RangeInclusive<u64>,
    /// Of each message, at the same moment: the same bytes.
    pub(super) copies: u64,
    /// Of the whole, one after the other: each message newly stamped and signed.
    pub(super) rounds: u64,
    pub(super) order: Order,
    /// Calls under way at once.
    pub(super) concurrency: u64,
    /// From the start of one message to that of the next.
    pub(super) gap: Duration,
    /// How far the caller's clock is ahead.
    pub(super) skew_ms: i64,
    pub(super) charset: Charset,
    pub(super) body: BodyKind,
    /// Other content under the same key.
    pub(super) changed: bool,
    pub(super) break_signature: bool,
    pub(super) expect: Expect,
}

/// Which call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Play {
    /// Qimen: a policy is to be issued.
    Issuing,
    /// Qimen: money was recovered.
    Recovery,
    /// Avatar: a policy was rescinded.
    Rescission,
}

/// In which order a step's messages are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    Ascending,
    Descending,
    Shuffled,
}

/// What the gateway must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expect {
    Accepted,
    Refused,
    /// Either, or nothing.
    Any,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CharsetName {
    #[serde(rename = "utf-8")]
    Utf8,
    Gbk,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum BodyName {
    Json,
    Xml,
    Form,
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    step: Vec<StepTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    name: Option<String>,
    play: Play,
    messages: Option<Spanned<(u64, u64)>>,
    copies: Option<Spanned<u64>>,
    rounds: Option<Spanned<u64>>,
    #[serde(default = "ascending")]
    order: Order,
    concurrency: Option<Spanned<u64>>,
    gap_ms: Option<Spanned<u64>>,
    #[serde(default)]
    skew_ms: Option<Spanned<i64>>,
    charset: Option<Spanned<CharsetName>>,
    body: Option<Spanned<BodyName>>,
    #[serde(default)]
    changed: bool,
    break_signature: Option<Spanned<bool>>,
    expect: Option<Expect>,
}

fn ascending() -> Order {
    Order::Ascending
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// What is no TOML, an unknown key, a value that cannot be; with the line and the key.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let file: File = scenario_file::read(text)?;
        let steps = (1..).zip(file.step).map(|(number, table)| step(number, table)).collect::<Result<_, _>>();
        Ok(Self { seed: file.seed, steps: steps.map_err(|misfit| misfit.within(text))? })
    }
}

fn step(number: usize, table: StepTable) -> Result<Step, Misfit> {
    if table.play == Play::Rescission {
        refuse_for_rescission(&table)?;
    }
    let number_of = |value: &Option<Spanned<u64>>, key, range, default| {
        value.as_ref().map_or(Ok(default), |value| within(value, key, range))
    };
    let copies = number_of(&table.copies, "copies", 1..=MAX_REPEATS, 1)?;
    let concurrency = number_of(&table.concurrency, "concurrency", 1..=MAX_REPEATS, copies.max(16))?;
    if let Some(value) = table.concurrency.as_ref().filter(|value| *value.get_ref() < copies) {
        let why = format!("{concurrency}; expected at least {copies}, as many as there are copies at once");
        return Err(Misfit(value.span(), "concurrency", why));
    }
    let expect = if table.changed || table.break_signature.as_ref().is_some_and(|it| *it.get_ref()) {
        Expect::Refused
    } else {
        Expect::Accepted
    };
    Ok(Step {
        messages: messages(table.messages.as_ref())?,
        copies,
        rounds: number_of(&table.rounds, "rounds", 1..=MAX_REPEATS, 1)?,
        order: table.order,
        concurrency,
        gap: Duration::from_millis(number_of(&table.gap_ms, "gap_ms", 0..=MAX_MS, 0)?),
        skew_ms: skew_ms(table.skew_ms.as_ref())?,
        charset: match table.charset.map(Spanned::into_inner) {
            Some(CharsetName::Gbk) => Charset::Gbk,
            Some(CharsetName::Utf8) | None => Charset::Utf8,
        },
        body: match table.body.map(Spanned::into_inner) {
            Some(BodyName::Xml) => BodyKind::Xml,
            Some(BodyName::Form) => BodyKind::Form,
            Some(BodyName::Text) => BodyKind::Text,
            Some(BodyName::Json) | None => BodyKind::Json,
        },
        changed: table.changed,
        break_signature: table.break_signature.is_some_and(Spanned::into_inner),
        expect: table.expect.unwrap_or(expect),
        name: table.name.unwrap_or_else(|| format!("step {number}")),
        play: table.play,
    })
}

/// Avatar's calls are JSON in UTF-8 without a signature.
fn refuse_for_rescission(table: &StepTable) -> Result<(), Misfit> {
    let spans = [
        ("charset", table.charset.as_ref().map(Spanned::span)),
        ("body", table.body.as_ref().map(Spanned::span)),
        ("break_signature", table.break_signature.as_ref().map(Spanned::span)),
    ];
    for (key, span) in spans {
        if let Some(span) = span {
            return Err(Misfit(span, key, "a rescission is JSON in UTF-8 and has no signature".to_owned()));
        }
    }
    Ok(())
}

fn messages(range: Option<&Spanned<(u64, u64)>>) -> Result<std::ops::RangeInclusive<u64>, Misfit> {
    let Some(range) = range else { return Ok(1..=1) };
    let (first, last) = *range.get_ref();
    if first > last || last > MAX_MESSAGES {
        let why = format!("[{first}, {last}]; expected the first and the last number, up to {MAX_MESSAGES}");
        return Err(Misfit(range.span(), "messages", why));
    }
    Ok(first..=last)
}

fn skew_ms(skew: Option<&Spanned<i64>>) -> Result<i64, Misfit> {
    let Some(skew) = skew else { return Ok(0) };
    let limit = i64::try_from(MAX_MS).unwrap_or(i64::MAX).saturating_mul(24);
    if (-limit..=limit).contains(skew.get_ref()) {
        return Ok(*skew.get_ref());
    }
    Err(Misfit(skew.span(), "skew_ms", format!("{}; expected at most a day", skew.get_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_one_plain_call() {
        let scenario = Scenario::parse("[[step]]\nplay = 'issuing'").unwrap();
        let [step] = &scenario.steps[..] else { panic!("one step") };
        assert_eq!((step.messages.clone(), step.copies, step.rounds), (1..=1, 1, 1));
        assert_eq!((step.expect, step.name.as_str()), (Expect::Accepted, "step 1"));
        let changed = Scenario::parse("[[step]]\nplay = 'issuing'\nchanged = true").unwrap();
        assert_eq!(changed.steps[0].expect, Expect::Refused);
    }

    #[test]
    fn mistakes_are_told_by_line_and_key() {
        for (text, line, expected) in [
            ("seed = 1", 1, "missing field `step`"),
            ("[[step]]\nplay = 'renewal'", 2, "play: unknown variant `renewal`"),
            ("[[step]]\nplay = 'issuing'\ncopy = 3", 3, "unknown field `copy`"),
            ("[[step]]\nplay = 'issuing'\nmessages = [3, 1]", 3, "messages: [3, 1]"),
            ("[[step]]\nplay = 'issuing'\ncopies = 0", 3, "copies: 0"),
            ("[[step]]\nplay = 'issuing'\ncopies = 4\nconcurrency = 3", 4, "concurrency: 3"),
            ("[[step]]\nplay = 'issuing'\nskew_ms = 90000000", 3, "skew_ms: 90000000"),
            ("[[step]]\nplay = 'rescission'\ncharset = 'gbk'", 3, "charset: a rescission"),
            ("[[step]]\nplay = 'issuing'\ncharset = 'big5'", 3, "charset: unknown variant"),
        ] {
            let error = Scenario::parse(text).unwrap_err();
            assert!(error.line == line && error.message.contains(expected), "{text}: {error}");
        }
    }
}
