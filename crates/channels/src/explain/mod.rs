//! Why a request was believed or not, step by step; and, where its signature is wrong, what its sender did instead.
//!
//! A channel's `explain` goes through its own check again and tells each step. A wrong signature is held against what
//! people usually get wrong: each [suspect](suspect::Suspect) is one change of the [recipe] by which signatures are
//! made, and the [search] tries each alone and then two together. What it finds is told in words, in both
//! languages, that can be forwarded to the other side. Nothing here is ever asked whether to let a call in, and no word holds
//! a secret.

mod bodies;
mod by_hand;
pub mod curl;
mod evidence;
mod letter;
mod material;
mod protocol;
mod recipe;
mod search;
mod secrets;
mod signing;
mod suspect;
#[cfg(test)]
pub(crate) mod tests;
mod words;

pub use bodies::{BodyChange, JsonStyle};
pub use by_hand::by_hand;
pub use evidence::{Evidence, Kept};
pub use material::{Scope, SignedCharset, Source};
pub use protocol::Protocol;
pub use recipe::Decoding;
pub use search::{Cause, Comparison};
pub use secrets::{Known, SecretName, Slip, SpareKind, SpareSecret};
pub use signing::{LeftOut, Part, SignedBody, Signing};
pub use suspect::Suspect;
pub use words::{Audience, Words};

pub(crate) use letter::{Subject, letter};
pub(crate) use signing::Check;
pub(crate) use words::shown;

/// How a step of the check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It passed.
    Passed,
    /// It failed: the request is not believed.
    Failed,
    /// What is at hand does not tell.
    Unknown,
}

/// One step of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How it ended.
    pub standing: Standing,
    /// What was checked and found.
    pub words: Words,
}

impl Step {
    pub(crate) fn new(standing: Standing, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { standing, words: Words::new(zh, en) }
    }

    pub(crate) fn passed_if(passed: bool, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(if passed { Standing::Passed } else { Standing::Failed }, zh, en)
    }
}

/// Why a request was believed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The steps of the check, in their order.
    pub steps: Vec<Step>,
    /// How the signature comes about, where the request has to have one.
    pub signing: Option<Signing>,
    /// What can be forwarded to the other side, where the signature is wrong and explained.
    pub letter: Option<Words>,
}

impl Explanation {
    /// The explanation of those steps, with the step of the signature among them at its place.
    pub(crate) fn of(mut steps: Vec<Step>, signing: Signing, at: usize, subject: &Subject) -> Self {
        steps.insert(at.min(steps.len()), signing.step(subject.signature));
        let letter = letter(subject, &signing);
        Self { steps, signing: Some(signing), letter }
    }

    /// Leaves out every signature, that which came as well: for whoever is told of a request that was never sent, and must
    /// not send it by other means.
    pub fn withhold_signatures(&mut self) {
        let Some(signing) = &mut self.signing else { return };
        signing.sent = None;
        signing.computed.clear();
        signing.left_out.retain(|(_, why)| *why != LeftOut::IsSignature);
    }

    /// Whether the request is believed: every step passed. A step of which nothing is known did not.
    pub fn is_believed(&self) -> bool {
        self.steps.iter().all(|step| step.standing == Standing::Passed)
    }
}

impl Signing {
    /// What came of comparing the signatures, as a step of the check.
    fn step(&self, name: &str) -> Step {
        match &self.comparison {
            Comparison::Right(secret) => {
                let Words { zh, en } = secret.words(Audience::Ourselves);
                Step::new(
                    Standing::Passed,
                    format!("签名正确，用的是 {zh}"),
                    format!("the signature is right, by {en}"),
                )
            }
            Comparison::Explained(causes) => {
                let told: Vec<Words> = causes.iter().map(|cause| cause.words(self, Audience::Ourselves)).collect();
                let zh: Vec<&str> = told.iter().map(|words| words.zh.as_str()).collect();
                let en: Vec<&str> = told.iter().map(|words| words.en.as_str()).collect();
                let (zh, en) = (zh.join("；并且"), en.join("; and "));
                Step::new(Standing::Failed, format!("签名不符：{zh}"), format!("the signature is wrong: {en}"))
            }
            Comparison::Unexplained { all_tried: true } => Step::new(
                Standing::Failed,
                "签名不符，常见原因及其两两组合都对不上：密钥不是我方所知的，或报文在签名后被改动",
                "the signature is wrong, and no usual mistake and no two of them explain it: a secret that we do not know, or a \
                 message that was changed after signing",
            ),
            Comparison::Unexplained { all_tried: false } => Step::new(
                Standing::Failed,
                "签名不符；报文过长，常见原因都对不上，两两组合没有试完",
                "the signature is wrong, and no usual mistake explains it; the message is too long to try all pairs of them",
            ),
            Comparison::Undecidable => self.undecidable(),
            Comparison::Impossible => Step::new(
                Standing::Failed,
                format!("没有签名（{name}）可比对"),
                format!("there is no signature ({name}) to compare"),
            ),
        }
    }

    fn undecidable(&self) -> Step {
        let SignedBody::Cut { kept_bytes, body_bytes } = self.body else {
            return Step::new(
                Standing::Unknown,
                "无法判定：只留存了请求头部的开头",
                "cannot be decided: only the beginning of the request's head was kept",
            );
        };
        Step::new(
            Standing::Unknown,
            format!(
                "无法判定：报文体共 {body_bytes} 字节，只留存了 {kept_bytes} 字节（配置项 traffic.stranger_body_bytes）"
            ),
            format!(
                "cannot be decided: of the body's {body_bytes} bytes {kept_bytes} were kept (traffic.stranger_body_bytes in \
                 the configuration)"
            ),
        )
    }
}
