//! Misbehaviour to order: which call meets what, decided without a clock or chance of its own.

mod file;
mod script;

use std::time::Duration;

use super::fault::Fault;
use crate::scenario_file::ScenarioError;

pub(super) use script::{Decision, Script, Subject};

/// How the platform behaves; the default is to behave well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// What the rules' chances are drawn from.
    pub(super) seed: u64,
    /// Whether a method that is none of the platform's interfaces is taken, and not refused with code 22.
    pub(super) any_method: bool,
    /// Before every answer to a call whose system parameters are right.
    pub(super) delay: Duration,
    /// How often an app key may call.
    pub(super) rate: Option<Rate>,
    /// The first that applies decides.
    pub(super) rules: Vec<Rule>,
}

/// So many calls of one app key in so long a time; what is more gets code 7 until that time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) calls: u64,
    pub(super) per_ms: u64,
}

/// When it applies, and what it does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// What `/received` shows.
    pub(super) name: String,
    pub(super) method: Option<String>,
    pub(super) app_key: Option<String>,
    /// A piece of text in any parameter.
    pub(super) contains: Option<String>,
    /// Which of the calls that match so far, counted from 1.
    pub(super) calls: Option<Vec<u64>>,
    /// Every so-manieth of them.
    pub(super) every: Option<u64>,
    /// How likely, from 0 to 1.
    pub(super) probability: Option<f64>,
    /// How often at most.
    pub(super) times: Option<u64>,
    /// Before the answer, on top of the scenario's.
    pub(super) delay: Duration,
    pub(super) action: Action,
    /// Whether the message counts as taken, where that is not as usual for the action.
    pub(super) taken: Option<bool>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// Answers as it should.
    Answer,
    /// Answers once, having taken the message twice.
    Duplicate,
    /// A business refusal.
    Refuse { fail_code: String, fail_message: String },
    /// An `error_response`.
    Error(Fault),
    /// Never answers.
    Timeout,
    /// Closes the connection.
    Drop,
    /// HTTP 200 with this for a body.
    Garbage(String),
    /// Yes, in GBK, declared to be UTF-8.
    WrongCharset,
    /// Another HTTP status.
    Status(u16),
}

impl Action {
    /// Whether a message that meets this has usually been taken.
    pub(super) fn usually_taken(&self) -> bool {
        match self {
            Self::Answer | Self::Duplicate | Self::Timeout | Self::Garbage(_) | Self::WrongCharset => true,
            Self::Refuse { .. } | Self::Error(_) | Self::Drop | Self::Status(_) => false,
        }
    }
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// What is no TOML, an unknown key, a value that cannot be; with the line and the key.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        file::parse(text)
    }

    /// Every further call is refused with code 7 after so many of one app key within a second.
    #[must_use]
    pub fn with_calls_per_second(mut self, calls: u64) -> Self {
        self.rate = Some(Rate { calls, per_ms: 1_000 });
        self
    }

    /// Takes methods that are none of the platform's interfaces, too.
    #[must_use]
    pub fn with_any_method(mut self) -> Self {
        self.any_method = true;
        self
    }

    /// Draws the rules' chances from another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds one rule, behind those there are: the inside of an inline table, such as `do = "drop", times = 2`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn with_rule(mut self, rule: &str) -> Result<Self, ScenarioError> {
        let number = self.rules.len() + 1;
        let parsed = file::parse(&format!("rule = [{{ {rule} }}]"))?;
        self.rules.extend(parsed.rules.into_iter().map(|mut rule| {
            if rule.name == file::numbered(1) {
                rule.name = file::numbered(number);
            }
            rule
        }));
        Ok(self)
    }

    /// Holds back every answer so long, on top of what a rule does.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}
