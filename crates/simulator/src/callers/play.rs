//! Plays a scenario against a gateway.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use fastrand::Rng;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::message::{self, Said};
use super::report::{Report, StepReport};
use super::scenario::{Expect, Order, Play, Scenario, Step};
use crate::client::{Client, SendError};
use crate::example::RECOVERY_METHOD;
use crate::qimen::{DocumentError, NotInCharset};

/// Who calls, and whom.
#[derive(Debug, Clone)]
pub struct Callers {
    /// The gateway's address without a path, such as `http://127.0.0.1:8080`.
    pub gateway: String,
    /// Where it takes Qimen calls.
    pub qimen_path: String,
    /// Where it takes rescission notices.
    pub avatar_path: String,
    /// `app_key` of Qimen calls.
    pub app_key: String,
    /// What they are signed with.
    pub secret: Secret,
    /// The method name of the recovery interface, which its document leaves out.
    pub recovery_method: String,
    /// `policySource` of Avatar calls.
    pub policy_source: String,
    /// What the keys of all messages begin with: a run of its own has policies of its own.
    pub run: String,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// Why a scenario could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// An example of the documents is not JSON.
    #[error("an example cannot be read: {0}")]
    Example(serde_json::Error),
    /// A message cannot be written as the step asks.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A parameter cannot be written in the step's charset.
    #[error(transparent)]
    Charset(#[from] NotInCharset),
    /// The client cannot be set up.
    #[error(transparent)]
    Client(#[from] SendError),
    /// The caller's clock would leave the calendar.
    #[error("the caller's clock is out of range")]
    Clock,
    /// A call ended in a panic of ours.
    #[error("a call was lost: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

/// What is known of the messages so far.
#[derive(Debug, Default)]
struct Known {
    /// The policy that each issuing message became.
    policies: HashMap<u64, String>,
    /// The first yes to each message.
    first: HashMap<(Play, u64), String>,
}

impl Callers {
    /// Callers of a gateway with the documents' paths, methods and source.
    pub fn new(gateway: &str, app_key: &str, secret: Secret, run: &str) -> Self {
        Self {
            gateway: gateway.trim_end_matches('/').to_owned(),
            qimen_path: "/qimen".to_owned(),
            avatar_path: "/avatar/refund/second/refundNotice".to_owned(),
            app_key: app_key.to_owned(),
            secret,
            recovery_method: RECOVERY_METHOD.to_owned(),
            policy_source: "HN_HT_QNW".to_owned(),
            run: run.to_owned(),
            timeout: Duration::from_secs(10),
        }
    }

    /// Plays the steps one after the other.
    ///
    /// # Errors
    /// When a message cannot be made. A call that fails is counted, and no error.
    pub async fn play(&self, scenario: &Scenario, now: impl Fn() -> Timestamp) -> Result<Report, PlayError> {
        let client = Client::new(self.timeout)?;
        let mut rng = Rng::with_seed(scenario.seed);
        let mut known = Known::default();
        let mut report = Report::default();
        for step in &scenario.steps {
            let mut counts = StepReport { name: step.name.clone(), ..StepReport::default() };
            for _ in 0..step.rounds {
                self.round(step, &client, &mut rng, &mut known, &mut counts, &now).await?;
            }
            report.steps.push(counts);
        }
        Ok(report)
    }

    async fn round(
        &self,
        step: &Step,
        client: &Client,
        rng: &mut Rng,
        known: &mut Known,
        counts: &mut StepReport,
        now: &impl Fn() -> Timestamp,
    ) -> Result<(), PlayError> {
        let url: Arc<str> = self.url(step.play).into();
        let room = Arc::new(Semaphore::new(usize::try_from(step.concurrency).unwrap_or(usize::MAX)));
        let mut calls = JoinSet::new();
        for number in in_order(step, rng) {
            let policy_no = known.policies.get(&number).map(String::as_str);
            // Room for all copies before the first of them goes out: they are to arrive together.
            let copies = u32::try_from(step.copies).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(&room).acquire_many_owned(copies).await else { break };
            let request = Arc::new(message::request(self, step, number, policy_no, rng, now())?);
            let permit = Arc::new(permit);
            for _ in 0..step.copies {
                let (client, url, play) = (client.clone(), Arc::clone(&url), step.play);
                let (request, permit) = (Arc::clone(&request), Arc::clone(&permit));
                calls.spawn(async move {
                    let said = match client.send(&url, &request).await {
                        Ok(answer) => message::said(play, &answer),
                        Err(error) => Said::Nothing(error.to_string()),
                    };
                    drop(permit);
                    (number, said)
                });
            }
            if !step.gap.is_zero() {
                tokio::time::sleep(step.gap).await;
            }
        }
        while let Some(ended) = calls.join_next().await {
            let (number, said) = ended?;
            judge(step, number, said, known, counts);
        }
        Ok(())
    }

    fn url(&self, play: Play) -> String {
        let path = match play {
            Play::Issuing | Play::Recovery => &self.qimen_path,
            Play::Rescission => &self.avatar_path,
        };
        format!("{}{path}", self.gateway)
    }
}

fn in_order(step: &Step, rng: &mut Rng) -> Vec<u64> {
    let mut numbers: Vec<u64> = step.messages.clone().collect();
    match step.order {
        Order::Ascending => {}
        Order::Descending => numbers.reverse(),
        Order::Shuffled => rng.shuffle(&mut numbers),
    }
    numbers
}

fn judge(step: &Step, number: u64, said: Said, known: &mut Known, counts: &mut StepReport) {
    let expected = match (&said, step.expect) {
        (_, Expect::Any) | (Said::Yes(_), Expect::Accepted) | (Said::No(_), Expect::Refused) => true,
        (Said::Yes(_), Expect::Refused) | (Said::No(_), Expect::Accepted) | (Said::Nothing(_), _) => false,
    };
    if !expected {
        counts.unexpected += 1;
    }
    match said {
        Said::Yes(answer) => {
            counts.accepted += 1;
            if !expected {
                counts.trouble(format!("message {number} was accepted"));
            }
            let first = known.first.entry((step.play, number)).or_insert_with(|| answer.clone());
            if *first != answer {
                counts.mismatched += 1;
                counts.trouble(format!("message {number} was answered with {first:?} first and now with {answer:?}"));
            }
            if step.play == Play::Issuing {
                known.policies.entry(number).or_insert(answer);
            }
        }
        Said::No(code) => {
            counts.refused += 1;
            if !expected {
                counts.trouble(format!("message {number} was refused: {code}"));
            }
        }
        Said::Nothing(reason) => {
            counts.unanswered += 1;
            if !expected {
                counts.trouble(reason);
            }
        }
    }
}
