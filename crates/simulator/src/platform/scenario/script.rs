//! A scenario under way: what has been counted and drawn so far.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::{Action, Rule, Scenario};
use crate::platform::fault::Fault;
use crate::qimen::Parameter;

/// A call as rules see it.
#[derive(Debug, Clone, Copy)]
pub(in crate::platform) struct Subject<'a> {
    pub(in crate::platform) method: &'a str,
    pub(in crate::platform) app_key: &'a str,
    pub(in crate::platform) parameters: &'a [Parameter],
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::platform) struct Decision {
    pub(in crate::platform) action: Action,
    pub(in crate::platform) delay: Duration,
    pub(in crate::platform) taken: bool,
    /// What decided, where it was not the usual course.
    pub(in crate::platform) rule: Option<String>,
}

/// Calls of one app key in the time that runs.
#[derive(Debug)]
struct Window {
    begun: Timestamp,
    calls: u64,
}

/// What one rule has seen.
#[derive(Debug)]
struct Progress {
    rule: Rule,
    matched: u64,
    applied: u64,
    chance: Rng,
}

/// A scenario that plays.
#[derive(Debug)]
pub(in crate::platform) struct Script {
    scenario: Scenario,
    rules: Vec<Progress>,
    windows: HashMap<String, Window>,
}

impl Script {
    pub(in crate::platform) fn new(scenario: Scenario) -> Self {
        let progress = |(index, rule): (u64, &Rule)| Progress {
            rule: rule.clone(),
            matched: 0,
            applied: 0,
            // Each rule draws from a sequence of its own: adding one does not change what another does.
            chance: Rng::with_seed(scenario.seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15))),
        };
        let rules = (0..).zip(&scenario.rules).map(progress).collect();
        Self { scenario, rules, windows: HashMap::new() }
    }

    pub(in crate::platform) fn any_method(&self) -> bool {
        self.scenario.any_method
    }

    /// Decides a call whose system parameters are right; `app_key` is thus one of the few that are known.
    pub(in crate::platform) fn decide(&mut self, subject: Subject<'_>, now: Timestamp) -> Decision {
        if let Some(fault) = self.over_the_rate(subject.app_key, now) {
            let rule = Some("rate".to_owned());
            return Decision { action: Action::Error(fault), delay: self.scenario.delay, taken: false, rule };
        }
        // All rules count, those behind the one that applies too: "the third call" is the third that came.
        let mut first = None;
        for progress in &mut self.rules {
            let due = progress.is_due(subject);
            if due && first.is_none() {
                progress.applied += 1;
                first = Some(progress.rule.clone());
            }
        }
        match first {
            Some(Rule { name, action, delay, taken, .. }) => {
                let taken = taken.unwrap_or(action.usually_taken());
                Decision { action, delay: self.scenario.delay.saturating_add(delay), taken, rule: Some(name) }
            }
            None => Decision { action: Action::Answer, delay: self.scenario.delay, taken: true, rule: None },
        }
    }

    fn over_the_rate(&mut self, app_key: &str, now: Timestamp) -> Option<Fault> {
        let rate = self.scenario.rate?;
        let per_ms = i64::try_from(rate.per_ms).unwrap_or(i64::MAX);
        let fresh = || Window { begun: now, calls: 0 };
        let window = self.windows.entry(app_key.to_owned()).or_insert_with(fresh);
        let passed_ms = now.as_millisecond().saturating_sub(window.begun.as_millisecond());
        if passed_ms >= per_ms || passed_ms < 0 {
            *window = fresh();
        }
        window.calls += 1;
        let left_ms = per_ms.saturating_sub(passed_ms);
        (window.calls > rate.calls).then(|| Fault::call_limited(left_ms.saturating_add(999) / 1_000))
    }
}

impl Progress {
    fn is_due(&mut self, subject: Subject<'_>) -> bool {
        let Rule { method, app_key, contains, calls, every, probability, times, .. } = &self.rule;
        let same = |wanted: &Option<String>, got: &str| wanted.as_deref().is_none_or(|wanted| wanted == got);
        let has = |text: &String| subject.parameters.iter().any(|(_, value)| value.contains(text.as_str()));
        if !same(method, subject.method) || !same(app_key, subject.app_key) || !contains.as_ref().is_none_or(has) {
            return false;
        }
        self.matched += 1;
        let counted = calls.as_ref().is_none_or(|calls| calls.contains(&self.matched))
            && every.is_none_or(|every| self.matched.is_multiple_of(every));
        counted
            && times.is_none_or(|times| self.applied < times)
            && probability.is_none_or(|probability| self.chance.f64() < probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "taobao.auction.insurance.insuranceresultcallback";

    fn subject<'a>(method: &'a str, parameters: &'a [Parameter]) -> Subject<'a> {
        Subject { method, app_key: "k", parameters }
    }

    /// The names of the rules that decided `count` calls of that method.
    fn decided(scenario: &str, method: &str, count: usize) -> Vec<String> {
        let mut script = Script::new(Scenario::parse(scenario).unwrap());
        let mut next = || script.decide(subject(method, &[]), Timestamp::UNIX_EPOCH).rule.unwrap_or_default();
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn rules_match_by_count() {
        let nth = "[[rule]]\nname='n'\ncalls=[1,3]\ndo='drop'\n[[rule]]\nname='t'\ntimes=1\ndo='drop'";
        assert_eq!(decided(nth, METHOD, 4), ["n", "t", "n", ""]);
        let every = "[[rule]]\nname='e'\nevery=2\ndo='drop'";
        assert_eq!(decided(every, METHOD, 4), ["", "e", "", "e"]);
        let other = "[[rule]]\nmethod='another'\ndo='drop'";
        assert_eq!(decided(other, METHOD, 1), [""]);
        assert_eq!(decided(other, "another", 1), ["rule 1"]);
    }

    #[test]
    fn rules_match_by_content() {
        let mut script = Script::new(Scenario::parse("[[rule]]\ncontains='P1'\ndo='drop'\ncalls=[2]").unwrap());
        let mut action = |content: &str| {
            let parameters = [("biz_data".to_owned(), content.to_owned())];
            script.decide(subject(METHOD, &parameters), Timestamp::UNIX_EPOCH).action
        };
        assert_eq!(action("{\"a\":\"P1\"}"), Action::Answer);
        assert_eq!(action("{\"a\":\"P2\"}"), Action::Answer);
        assert_eq!(action("{\"a\":\"P1\"}"), Action::Drop);
    }

    #[test]
    fn chance_comes_from_the_seed() {
        let scenario = |seed: u64| format!("seed={seed}\n[[rule]]\nname='c'\nprobability=0.3\ndo='drop'");
        let dropped = |seed| decided(&scenario(seed), METHOD, 1_000);
        assert_eq!(dropped(7), dropped(7));
        assert_ne!(dropped(7), dropped(8));
        let count = dropped(7).iter().filter(|rule| *rule == "c").count();
        assert!((200..400).contains(&count), "{count}");
    }

    #[test]
    fn over_the_rate_is_code_7_until_the_time_is_over() {
        let mut script = Script::new(Scenario::parse("[rate]\ncalls=2\nper_ms=1500").unwrap());
        let mut at = |app_key: &str, ms: i64| {
            let subject = Subject { method: METHOD, app_key, parameters: &[] };
            match script.decide(subject, Timestamp::from_millisecond(ms).unwrap()).action {
                Action::Error(fault) => fault.sub_msg.unwrap().into_owned(),
                action => format!("{action:?}"),
            }
        };
        assert_eq!([at("k", 0), at("k", 1), at("j", 1)], ["Answer", "Answer", "Answer"]);
        assert_eq!(at("k", 400), "This ban will last for 2 more seconds");
        assert_eq!(at("k", 1_499), "This ban will last for 1 more seconds");
        assert_eq!(at("k", 1_500), "Answer");
    }
}
