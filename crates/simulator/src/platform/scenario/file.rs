//! The scenario file: TOML, every unknown key and impossible value refused with its line.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Action, Rate, Rule, Scenario};
use crate::platform::fault::Fault;
use crate::scenario_file::{self, MAX_MS, Misfit, ScenarioError, within};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    any_method: bool,
    delay_ms: Option<Spanned<u64>>,
    rate: Option<RateTable>,
    #[serde(default)]
    rule: Vec<Spanned<RuleTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateTable {
    calls: Spanned<u64>,
    #[serde(default)]
    per_ms: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Do {
    Answer,
    Duplicate,
    Refuse,
    Error,
    Timeout,
    Drop,
    Garbage,
    Charset,
    Status,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    name: Option<String>,
    method: Option<String>,
    app_key: Option<String>,
    contains: Option<String>,
    calls: Option<Spanned<Vec<u64>>>,
    every: Option<Spanned<u64>>,
    probability: Option<Spanned<f64>>,
    times: Option<u64>,
    delay_ms: Option<Spanned<u64>>,
    taken: Option<bool>,
    #[serde(rename = "do", default = "answer")]
    action: Do,
    code: Option<Spanned<u32>>,
    msg: Option<Spanned<String>>,
    sub_code: Option<Spanned<String>>,
    sub_msg: Option<Spanned<String>>,
    fail_code: Option<Spanned<String>>,
    fail_message: Option<Spanned<String>>,
    body: Option<Spanned<String>>,
    status: Option<Spanned<u16>>,
}

fn answer() -> Do {
    Do::Answer
}

pub(super) fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    scenario(scenario_file::read(text)?).map_err(|misfit| misfit.within(text))
}

/// The name of a rule that has none of its own.
pub(super) fn numbered(number: usize) -> String {
    format!("rule {number}")
}

fn scenario(file: File) -> Result<Scenario, Misfit> {
    let rate = file.rate.map(|table| {
        let calls = within(&table.calls, "rate.calls", 1..=1_000_000)?;
        let per_ms = table.per_ms.as_ref().map(|per_ms| within(per_ms, "rate.per_ms", 1..=MAX_MS));
        Ok(Rate { calls, per_ms: per_ms.transpose()?.unwrap_or(1_000) })
    });
    let delay_ms = file.delay_ms.as_ref().map(|delay| within(delay, "delay_ms", 0..=MAX_MS)).transpose()?;
    let rules = (1..).zip(file.rule).map(|(number, table)| rule(number, table.into_inner()));
    Ok(Scenario {
        seed: file.seed,
        any_method: file.any_method,
        delay: Duration::from_millis(delay_ms.unwrap_or_default()),
        rate: rate.transpose()?,
        rules: rules.collect::<Result<_, _>>()?,
    })
}

fn rule(number: usize, table: RuleTable) -> Result<Rule, Misfit> {
    refuse_strays(&table)?;
    if let Some(calls) = table.calls.as_ref().filter(|calls| calls.get_ref().is_empty() || calls.get_ref().contains(&0))
    {
        return Err(Misfit(calls.span(), "calls", "expected numbers of calls, counted from 1".to_owned()));
    }
    if let Some(chance) = table.probability.as_ref().filter(|chance| !(0.0..=1.0).contains(chance.get_ref())) {
        return Err(Misfit(chance.span(), "probability", format!("{}; expected 0 to 1", chance.get_ref())));
    }
    let every = table.every.as_ref().map(|every| within(every, "every", 1..=u64::MAX)).transpose()?;
    let delay_ms = table.delay_ms.as_ref().map(|delay| within(delay, "delay_ms", 0..=MAX_MS)).transpose()?;
    Ok(Rule {
        action: action(&table)?,
        name: table.name.unwrap_or_else(|| numbered(number)),
        method: table.method,
        app_key: table.app_key,
        contains: table.contains,
        calls: table.calls.map(Spanned::into_inner),
        every,
        probability: table.probability.map(Spanned::into_inner),
        times: table.times,
        delay: Duration::from_millis(delay_ms.unwrap_or_default()),
        taken: table.taken,
    })
}

/// Keys that the rule's `do` makes nothing of are mistakes.
fn refuse_strays(table: &RuleTable) -> Result<(), Misfit> {
    fn span<T>(value: Option<&Spanned<T>>) -> Option<Range<usize>> {
        value.map(Spanned::span)
    }
    let keys = [
        ("code", span(table.code.as_ref()), matches!(table.action, Do::Error), "error"),
        ("msg", span(table.msg.as_ref()), matches!(table.action, Do::Error), "error"),
        ("sub_code", span(table.sub_code.as_ref()), matches!(table.action, Do::Error), "error"),
        ("sub_msg", span(table.sub_msg.as_ref()), matches!(table.action, Do::Error), "error"),
        ("fail_code", span(table.fail_code.as_ref()), matches!(table.action, Do::Refuse), "refuse"),
        ("fail_message", span(table.fail_message.as_ref()), matches!(table.action, Do::Refuse), "refuse"),
        ("body", span(table.body.as_ref()), matches!(table.action, Do::Garbage), "garbage"),
        ("status", span(table.status.as_ref()), matches!(table.action, Do::Status), "status"),
    ];
    for (key, span, fits, wanted) in keys {
        if let (Some(span), false) = (span, fits) {
            return Err(Misfit(span, key, format!("only a rule with do = \"{wanted}\" has this key")));
        }
    }
    Ok(())
}

fn action(table: &RuleTable) -> Result<Action, Misfit> {
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.get_ref().clone());
    Ok(match table.action {
        Do::Answer => Action::Answer,
        Do::Duplicate => Action::Duplicate,
        Do::Refuse => Action::Refuse {
            fail_code: text(&table.fail_code).unwrap_or_else(|| "BIZ_ERROR".to_owned()),
            fail_message: text(&table.fail_message).unwrap_or_else(|| "业务处理失败".to_owned()),
        },
        Do::Error => Action::Error(fault(table)),
        Do::Timeout => Action::Timeout,
        Do::Drop => Action::Drop,
        Do::Garbage => Action::Garbage(
            text(&table.body).unwrap_or_else(|| "<html><body>系统繁忙，请稍后再试</body></html>".to_owned()),
        ),
        Do::Charset => Action::WrongCharset,
        Do::Status => Action::Status(status(table.status.as_ref())?),
    })
}

fn status(status: Option<&Spanned<u16>>) -> Result<u16, Misfit> {
    match status {
        None => Ok(502),
        Some(status) if (200..=599).contains(status.get_ref()) => Ok(*status.get_ref()),
        Some(status) => Err(Misfit(status.span(), "status", format!("{}; expected 200 to 599", status.get_ref()))),
    }
}

/// Without a code or a sub-code the platform's own fault; code 7 alone comes with its usual sub-code.
fn fault(table: &RuleTable) -> Fault {
    let code = table.code.as_ref().map(|code| *code.get_ref());
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.get_ref().clone().into());
    let (sub_code, sub_msg) = (text(&table.sub_code), text(&table.sub_msg));
    let mut fault = match (code, &sub_code) {
        (None, None) => Fault::remote_service(),
        (Some(7), None) => Fault::call_limited(1),
        (code, _) => Fault::of(code.unwrap_or(15)),
    };
    if let Some(msg) = text(&table.msg) {
        fault.msg = msg;
    }
    fault.sub_code = sub_code.or(fault.sub_code);
    fault.sub_msg = sub_msg.or(fault.sub_msg);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_are_read() {
        let text = r#"
            seed = 7
            any_method = true
            delay_ms = 3
            [rate]
            calls = 10
            [[rule]]
            name = "first two"
            method = "m"
            app_key = "k"
            contains = "c"
            calls = [1, 2]
            every = 1
            probability = 1
            times = 2
            delay_ms = 5
            taken = true
            do = "error"
            code = 50
            msg = "M"
            sub_code = "isv.x"
            sub_msg = "S"
            [[rule]]
            do = "refuse"
            fail_code = "F"
            fail_message = "W"
        "#;
        let scenario = Scenario::parse(text).unwrap();
        assert_eq!((scenario.seed, scenario.any_method, scenario.delay.as_millis()), (7, true, 3));
        assert_eq!(scenario.rate, Some(Rate { calls: 10, per_ms: 1_000 }));
        let [first, second] = &scenario.rules[..] else { panic!("two rules") };
        let fault = Fault { msg: "M".into(), ..Fault::of(50).sub("isv.x", "S") };
        assert_eq!((&first.action, first.delay.as_millis(), first.taken), (&Action::Error(fault), 5, Some(true)));
        assert_eq!(second.name, "rule 2");
        assert_eq!(second.action, Action::Refuse { fail_code: "F".to_owned(), fail_message: "W".to_owned() });
    }

    #[test]
    fn mistakes_are_told_by_line_and_key() {
        for (text, line, expected) in [
            ("sed = 1", 1, "unknown field `sed`"),
            ("seed = 1\n[[rule]]\ndo = \"drop\"\ndelay = 3", 4, "unknown field `delay`"),
            ("[[rule]]\n\ndo = \"explode\"", 3, "do: unknown variant `explode`"),
            ("[[rule]]\ndelay_ms = \"3\"", 2, "delay_ms: invalid type"),
            ("[[rule]]\nprobability = 2", 2, "probability: 2; expected 0 to 1"),
            ("[[rule]]\nprobability = nan", 2, "probability: NaN; expected 0 to 1"),
            ("[[rule]]\ncalls = [0]", 2, "calls: expected numbers"),
            ("[[rule]]\nevery = 0", 2, "every: 0; expected a whole number from 1"),
            ("[[rule]]\ndelay_ms = 9999999999", 2, "delay_ms: 9999999999; expected"),
            ("[[rule]]\ndo = \"drop\"\ncode = 3", 3, "code: only a rule with do = \"error\""),
            ("[[rule]]\ndo = \"status\"\nstatus = 1", 3, "status: 1; expected 200 to 599"),
            ("[rate]\ncalls = 0", 2, "rate.calls: 0; expected"),
            ("[rate]\nper_ms = 1", 1, "missing field `calls`"),
            ("a b", 1, "key"),
        ] {
            let error = Scenario::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.message.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn rules_can_be_added_one_by_one() {
        let scenario = Scenario::default().with_rule("do = \"drop\"").unwrap().with_rule("delay_ms = 1").unwrap();
        let names: Vec<&str> = scenario.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["rule 1", "rule 2"]);
        assert!(Scenario::default().with_rule("dos = 1").unwrap_err().message.contains("dos"));
    }
}
