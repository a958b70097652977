//! The decision: a request, over what the ledger has loaded, becomes an answer with its effects or a refusal.
//!
//! A batch is decided request by request over one [`State`]; what one request changes, the next one sees, so
//! copies inside a batch meet the same answer as copies that come a year later.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::auction::{AuctionCase, AuctionReport, AuctionStage};
use crate::bucket::Bucket;
use crate::event::Event;
use crate::idempotency::{Fingerprint, IdempotencyKey, MessageUuid};
use crate::issuing::PolicyApplication;
use crate::money::Amount;
use crate::notice::Notice;
use crate::party::PersonKey;
use crate::policy::{Policy, PolicyState};
use crate::policy_number::{PolicyNumber, SequenceBlock};
use crate::product::Catalogue;
use crate::recovery::{Discrepancy, RecordedRecovery, Recovery, Unmatched};
use crate::refusal::{FieldProblem, Refusal};
use crate::rescission::Rescission;
use crate::surrender::{Surrender, SurrenderNotice, SurrenderStatus, SurrenderType};

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Issue a policy.
    IssuePolicy(Box<PolicyApplication>),
    /// Record a recovery beside its policy.
    RecordRecovery(Box<Recovery>),
    /// Rescind a policy, at a channel's notice.
    RescindPolicy(Box<Rescission>),
    /// Surrender a policy, at the core system's word.
    SurrenderPolicy(Box<Surrender>),
    /// Record how a stage of an auction's insurance ended, and tell the platform.
    ReportAuctionStage(Box<AuctionReport>),
}

impl Command {
    /// The policy that it refers to, where it names one that could be the ledger's.
    pub fn policy_no(&self) -> Option<PolicyNumber> {
        match self {
            Self::IssuePolicy(_) | Self::ReportAuctionStage(_) => None,
            Self::RecordRecovery(recovery) => recovery.number(),
            Self::RescindPolicy(rescission) => rescission.number(),
            Self::SurrenderPolicy(surrender) => surrender.policy_no.parse().ok(),
        }
    }

    /// The numbers by which a policy's parties are found again, where it brings them.
    pub fn person_keys(&self) -> Vec<PersonKey> {
        match self {
            Self::IssuePolicy(application) => application.person_keys(),
            _ => Vec::new(),
        }
    }

    /// Its content as it is kept and as fingerprints are taken of it.
    ///
    /// # Errors
    /// None in practice: text, decimals and times always serialise.
    pub fn content(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::IssuePolicy(application) => serde_json::to_vec(application),
            Self::RecordRecovery(recovery) => serde_json::to_vec(recovery),
            Self::RescindPolicy(rescission) => serde_json::to_vec(rescission),
            Self::SurrenderPolicy(surrender) => serde_json::to_vec(surrender),
            Self::ReportAuctionStage(report) => serde_json::to_vec(report),
        }
    }

    /// The auction that it refers to, by its `biz_id`.
    pub fn auction(&self) -> Option<&str> {
        match self {
            Self::ReportAuctionStage(report) => Some(&report.result.biz_id),
            _ => None,
        }
    }
}

/// A command with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The key under which its answer is kept for ever.
    pub key: IdempotencyKey,
    /// The message's own identity, where its channel has such.
    pub uuid: Option<MessageUuid>,
    /// The digest of its content.
    pub fingerprint: Fingerprint,
    /// What it asks for.
    pub command: Command,
}

impl Request {
    /// The bucket in which its answer and all that it changes live: that of the policy or auction that it is about, or
    /// of its key where it is about none that could exist.
    pub fn bucket(&self) -> Bucket {
        let named = match &self.command {
            Command::IssuePolicy(_) => None,
            Command::ReportAuctionStage(report) => Some(Bucket::of_key(&report.result.biz_id)),
            other => other.policy_no().map(|number| number.bucket()),
        };
        named.unwrap_or_else(|| Bucket::of_key(&self.key.key))
    }

    /// Whether the key alone says in which bucket its answer is. Where it does not, the key may come again for another
    /// policy, in another bucket.
    pub fn is_placed_by_key(&self) -> bool {
        matches!(self.command, Command::IssuePolicy(_))
    }
}

/// What a command came to. This is the answer that is kept: an interface writes it in its own shape, each time
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// A policy was issued.
    #[serde(rename = "policyIssued")]
    PolicyIssued {
        /// Its number.
        policy_no: PolicyNumber,
        /// The address of its electronic policy document.
        policy_file_url: String,
    },
    /// A recovery was recorded.
    #[serde(rename = "recoveryRecorded")]
    RecoveryRecorded {
        /// The policy beside which it is recorded.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        policy_no: Option<PolicyNumber>,
        /// Why it is recorded beside none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        unmatched: Option<Unmatched>,
        /// Where it disagrees with itself.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        discrepancies: Vec<Discrepancy>,
    },
    /// A policy was rescinded.
    #[serde(rename = "policyRescinded")]
    PolicyRescinded {
        /// Its number.
        policy_no: PolicyNumber,
    },
    /// A policy was surrendered.
    #[serde(rename = "policySurrendered")]
    PolicySurrendered {
        /// Its number.
        policy_no: PolicyNumber,
    },
    /// A stage of an auction's insurance was recorded, and the platform will be told.
    #[serde(rename = "auctionStageRecorded")]
    AuctionStageRecorded {
        /// 拍卖业务编号.
        biz_id: String,
        /// The stage.
        stage: AuctionStage,
    },
}

impl Outcome {
    /// The policy that the answer is about, where it is about one.
    pub fn policy_no(&self) -> Option<&PolicyNumber> {
        match self {
            Self::PolicyIssued { policy_no, .. }
            | Self::PolicyRescinded { policy_no }
            | Self::PolicySurrendered { policy_no } => Some(policy_no),
            Self::RecoveryRecorded { policy_no, .. } => policy_no.as_ref(),
            Self::AuctionStageRecorded { .. } => None,
        }
    }
}

/// An answer given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAnswer {
    /// The digest of the content it was given to.
    pub fingerprint: Fingerprint,
    /// The answer.
    pub outcome: Outcome,
}

/// What a batch refers to, as loaded from the ledger and as changed by the requests decided so far.
#[derive(Debug, Default)]
pub struct State {
    answers: HashMap<IdempotencyKey, SavedAnswer>,
    uuids: HashMap<MessageUuid, Fingerprint>,
    policies: HashMap<PolicyNumber, Policy>,
    auctions: HashMap<String, AuctionCase>,
}

impl State {
    /// Takes in an answer that the ledger holds.
    pub fn load_answer(&mut self, key: IdempotencyKey, answer: SavedAnswer) {
        self.answers.insert(key, answer);
    }

    /// Takes in a message's identity that was accepted before, with the digest of its content.
    pub fn load_uuid(&mut self, uuid: MessageUuid, fingerprint: Fingerprint) {
        self.uuids.insert(uuid, fingerprint);
    }

    /// Takes in a policy that the ledger holds.
    pub fn load_policy(&mut self, policy: Policy) {
        self.policies.insert(policy.number.clone(), policy);
    }

    /// Takes in an auction that the ledger holds.
    pub fn load_auction(&mut self, case: AuctionCase) {
        self.auctions.insert(case.biz_id.clone(), case);
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::PolicyIssued(policy) => self.load_policy(policy.as_ref().clone()),
            Change::PolicyEnded(ending) => {
                if let Some(policy) = self.policies.get_mut(&ending.policy_no) {
                    policy.state = ending.to;
                }
            }
            Change::AuctionStageRecorded(recorded) => self.load_auction(recorded.case.clone()),
            Change::RecoveryRecorded(_) => {}
        }
    }
}

/// What a decision may use besides the state.
pub struct Facts<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// What may be sold, and who may do what.
    pub catalogue: &'a Catalogue,
    /// Policy sequences set aside for this node.
    pub sequences: &'a mut SequenceBlock,
    /// The address of a policy's document.
    pub document_url: &'a dyn Fn(&PolicyNumber) -> String,
}

/// The end of a policy before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEnding {
    /// The policy.
    pub policy_no: PolicyNumber,
    /// The state that it was in: the change holds for that state only.
    pub from: PolicyState,
    /// The state that it comes into.
    pub to: PolicyState,
    /// Who asked: a `policySource`, or a caller of the core system's.
    pub asked_by: String,
    /// The `orderNo` of a rescission.
    pub order_no: Option<String>,
    /// What is refunded, in yuan.
    pub refund_amount: Option<Amount>,
    /// When.
    pub ended_at: Timestamp,
}

/// A stage of an auction's insurance as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedStage {
    /// What was reported.
    pub report: AuctionReport,
    /// The auction after it.
    pub case: AuctionCase,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// One change of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A policy came into being.
    PolicyIssued(Box<Policy>),
    /// A recovery is recorded.
    RecoveryRecorded(Box<RecordedRecovery>),
    /// A policy ended before its time.
    PolicyEnded(Box<PolicyEnding>),
    /// An auction's insurance went on.
    AuctionStageRecorded(Box<RecordedStage>),
}

/// What a request newly brings about; all of it becomes durable in one transaction with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer, to be kept.
    pub outcome: Outcome,
    /// What changes in the ledger.
    pub changes: Vec<Change>,
    /// What the core system will be told.
    pub events: Vec<Event>,
    /// What the platforms will be told.
    pub notices: Vec<Notice>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It is the first with its key, and was carried out.
    Decided(Box<Decision>),
    /// It came before with the same content: the first answer again.
    Replayed(Outcome),
    /// It came before with other content: the first stays.
    Conflicting(Outcome),
    /// It was not carried out, and nothing is kept as its answer: mended and sent again, it may pass.
    Refused(Refusal),
}

/// Settles one request and lets the state know.
///
/// Only what changed the ledger is kept as an answer, so a first failure never blocks a retry. A message's own
/// identity is kept for as long, from the first time that it was answered with an outcome.
pub fn settle(state: &mut State, request: &Request, facts: &mut Facts<'_>) -> Settlement {
    let saved = state.answers.get(&request.key);
    if let Some(saved) = saved.filter(|saved| saved.fingerprint != request.fingerprint) {
        return Settlement::Conflicting(saved.outcome.clone());
    }
    if let Some(uuid) = &request.uuid
        && state.uuids.get(uuid).is_some_and(|known| *known != request.fingerprint)
    {
        return Settlement::Refused(Refusal::UuidReused { uuid: uuid.uuid.clone() });
    }
    let settlement = match saved {
        Some(saved) => Settlement::Replayed(saved.outcome.clone()),
        None => match decide(state, &request.key, &request.command, facts) {
            Ok(decision) => Settlement::Decided(Box::new(decision)),
            Err(refusal) => return Settlement::Refused(refusal),
        },
    };
    if let Settlement::Decided(decision) = &settlement {
        let answer = SavedAnswer { fingerprint: request.fingerprint, outcome: decision.outcome.clone() };
        state.answers.insert(request.key.clone(), answer);
        decision.changes.iter().for_each(|change| state.apply(change));
    }
    if let Some(uuid) = &request.uuid {
        state.load_uuid(uuid.clone(), request.fingerprint);
    }
    settlement
}

/// Decides a command that is the first with its key.
fn decide(state: &State, key: &IdempotencyKey, command: &Command, facts: &mut Facts<'_>) -> Result<Decision, Refusal> {
    match command {
        Command::IssuePolicy(application) => issue(key, application, facts),
        Command::RecordRecovery(recovery) => record_recovery(state, recovery, facts),
        Command::RescindPolicy(rescission) => rescind(state, rescission, facts),
        Command::SurrenderPolicy(surrender) => give_up(state, surrender, facts),
        Command::ReportAuctionStage(report) => report_stage(state, report, facts),
    }
}

fn issue(key: &IdempotencyKey, application: &PolicyApplication, facts: &mut Facts<'_>) -> Result<Decision, Refusal> {
    let problems = application.figures().problems(&application.partner, facts.catalogue);
    let product = match facts.catalogue.product(&application.product_code) {
        Some(product) if problems.is_empty() => product,
        _ => return Err(Refusal::InvalidFields(problems)),
    };
    let sequence = facts.sequences.take().ok_or(Refusal::Busy)?;
    let number = PolicyNumber::new(&product.prefix, facts.now, Bucket::of_key(&key.key), sequence);
    let policy = Policy::issue(application, number.clone(), facts.now);
    let policy_file_url = (facts.document_url)(&number);
    Ok(Decision {
        outcome: Outcome::PolicyIssued { policy_no: number, policy_file_url },
        events: vec![Event::policy_issued(&policy)],
        changes: vec![Change::PolicyIssued(Box::new(policy))],
        notices: Vec::new(),
    })
}

fn record_recovery(state: &State, recovery: &Recovery, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let figures = recovery.figures();
    let problems = figures.problems(&recovery.partner, facts.catalogue);
    let product = match facts.catalogue.product(&recovery.product_code) {
        Some(product) if problems.is_empty() => product,
        _ => return Err(Refusal::InvalidFields(problems)),
    };
    let found = recovery.number().and_then(|number| state.policies.get(&number));
    let recorded = RecordedRecovery {
        policy: recovery.matched(found),
        discrepancies: figures.discrepancies(product),
        recovery: recovery.clone(),
        recorded_at: facts.now,
    };
    Ok(Decision {
        outcome: Outcome::RecoveryRecorded {
            policy_no: recorded.policy.as_ref().ok().cloned(),
            unmatched: recorded.policy.as_ref().err().copied(),
            discrepancies: recorded.discrepancies.clone(),
        },
        events: vec![Event::recovery_recorded(&recorded)],
        changes: vec![Change::RecoveryRecorded(Box::new(recorded))],
        notices: Vec::new(),
    })
}

fn rescind(state: &State, rescission: &Rescission, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let problems = rescission.problems();
    if !problems.is_empty() {
        return Err(Refusal::InvalidFields(problems));
    }
    let policy = existing(state, rescission.number(), &rescission.policy_no)?;
    if !facts.catalogue.may_rescind(&rescission.policy_source, policy) {
        return Err(Refusal::PolicyNotPermitted { policy_no: policy.number.clone() });
    }
    let ending = PolicyEnding {
        asked_by: rescission.policy_source.clone(),
        order_no: Some(rescission.order_no.clone()),
        refund_amount: rescission.second_refund_amount,
        ..ending(policy, PolicyState::Rescinded, facts.now)?
    };
    // The document of the notice has no word for rescission: it is told as what the customer handed in.
    let notice = SurrenderNotice {
        status: Some(SurrenderStatus::default()),
        refund_money: rescission.second_refund_amount,
        surrender_time: Some(rescission.second_refund_date.unwrap_or(facts.now)),
        endorsement_no: None,
        inst_policy_id: policy.number.to_string(),
        alipay_open_id: None,
        pre_flow_id: None,
        surrender_type: Some(SurrenderType::default()),
    };
    let outcome = Outcome::PolicyRescinded { policy_no: policy.number.clone() };
    Ok(ended(policy, ending, outcome, notice, facts))
}

fn give_up(state: &State, surrender: &Surrender, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    if let Some(refund) = surrender.refund_money.filter(|refund| refund.has_parts_of_a_hundredth()) {
        let problem = FieldProblem::wrong("refundMoney", refund, "至多两位小数的金额");
        return Err(Refusal::InvalidFields(vec![problem]));
    }
    let policy = existing(state, surrender.policy_no.parse().ok(), &surrender.policy_no)?;
    let ending = PolicyEnding {
        asked_by: surrender.caller.clone(),
        refund_amount: surrender.refund_money,
        ..ending(policy, PolicyState::Surrendered, facts.now)?
    };
    let outcome = Outcome::PolicySurrendered { policy_no: policy.number.clone() };
    Ok(ended(policy, ending, outcome, surrender.notice(), facts))
}

fn existing<'a>(state: &'a State, number: Option<PolicyNumber>, stated: &str) -> Result<&'a Policy, Refusal> {
    let found = number.and_then(|number| state.policies.get(&number));
    found.ok_or_else(|| Refusal::PolicyNotFound { policy_no: stated.to_owned() })
}

fn ending(policy: &Policy, to: PolicyState, now: Timestamp) -> Result<PolicyEnding, Refusal> {
    if !policy.state.may_become(to) {
        return Err(Refusal::WrongState { policy_no: policy.number.clone(), state: policy.state });
    }
    Ok(PolicyEnding {
        policy_no: policy.number.clone(),
        from: policy.state,
        to,
        asked_by: String::new(),
        order_no: None,
        refund_amount: None,
        ended_at: now,
    })
}

fn ended(
    policy: &Policy,
    ending: PolicyEnding,
    outcome: Outcome,
    notice: SurrenderNotice,
    facts: &Facts<'_>,
) -> Decision {
    let wanted = facts.catalogue.wants_surrender_sync(&policy.partner);
    Decision {
        outcome,
        events: vec![Event::policy_ended(policy, &ending)],
        changes: vec![Change::PolicyEnded(Box::new(ending))],
        notices: wanted.then(|| Notice::surrender(policy.partner.clone(), notice)).into_iter().collect(),
    }
}

fn report_stage(state: &State, report: &AuctionReport, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let result = &report.result;
    // A notice to nobody would wait for ever.
    if !facts.catalogue.has_platform(&report.partner) {
        let problem = FieldProblem::wrong("partner", &report.partner, "配置中 [[platform]] 的 id");
        return Err(Refusal::InvalidFields(vec![problem]));
    }
    let case = AuctionCase::after(state.auctions.get(&result.biz_id), report).map_err(Refusal::Auction)?;
    Ok(Decision {
        outcome: Outcome::AuctionStageRecorded { biz_id: result.biz_id.clone(), stage: result.stage },
        events: vec![Event::auction_stage_reported(report)],
        notices: vec![Notice::auction(report.partner.clone(), result.clone())],
        changes: vec![Change::AuctionStageRecorded(Box::new(RecordedStage {
            report: report.clone(),
            case,
            recorded_at: facts.now,
        }))],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auction::AuctionStatus;
    use crate::issuing::tests::{catalogue, example};
    use crate::source::PolicySource;

    fn request(change: impl FnOnce(&mut PolicyApplication)) -> Request {
        let mut application = example();
        change(&mut application);
        let mut fingerprint = [0; 32];
        for (index, byte) in serde_json::to_vec(&application).unwrap().into_iter().enumerate() {
            fingerprint[index % 32] ^= byte.rotate_left(u32::try_from(index / 32).unwrap());
        }
        Request {
            key: IdempotencyKey { scope: "test/issuing", key: application.identifier.clone() },
            fingerprint: Fingerprint(fingerprint),
            uuid: None,
            command: Command::IssuePolicy(Box::new(application)),
        }
    }

    /// A request whose content is told apart by `content`.
    fn asking(key: &str, uuid: Option<&str>, content: u8, command: Command) -> Request {
        let scope = "test/other";
        let uuid = uuid.map(|uuid| MessageUuid { scope, sender: "HN_HT_QNW".to_owned(), uuid: uuid.to_owned() });
        let key = IdempotencyKey { scope, key: key.to_owned() };
        Request { key, uuid, fingerprint: Fingerprint([content; 32]), command }
    }

    fn rescission(policy_no: &str) -> Command {
        Command::RescindPolicy(Box::new(crate::rescission::tests::example(policy_no)))
    }

    struct World {
        state: State,
        sequences: SequenceBlock,
        catalogue: Catalogue,
    }

    impl World {
        fn new() -> Self {
            let source =
                PolicySource { code: "HN_HT_QNW".to_owned(), partners: vec!["alibaba".to_owned()], products: None };
            let catalogue = catalogue()
                .with_sources([source])
                .with_surrender_sync(["alibaba".to_owned()])
                .with_platforms(["alibaba".to_owned(), "auction".to_owned()]);
            Self { state: State::default(), sequences: SequenceBlock::new(1, 1_000), catalogue }
        }

        fn issue(&mut self) -> PolicyNumber {
            let Settlement::Decided(decision) = self.settle(&request(|_| ())) else { panic!("not decided") };
            decision.outcome.policy_no().unwrap().clone()
        }

        fn decided(&mut self, request: &Request) -> Decision {
            match self.settle(request) {
                Settlement::Decided(decision) => *decision,
                other => panic!("{other:?}"),
            }
        }

        fn settle(&mut self, request: &Request) -> Settlement {
            let mut facts = Facts {
                now: "2026-01-02T03:04:05Z".parse().unwrap(),
                catalogue: &self.catalogue,
                sequences: &mut self.sequences,
                document_url: &|number| format!("https://example.test/documents/{number}"),
            };
            settle(&mut self.state, request, &mut facts)
        }
    }

    #[test]
    fn the_first_is_decided_and_its_copies_get_its_answer() {
        let mut world = World::new();
        let first = request(|_| ());
        let Settlement::Decided(decision) = world.settle(&first) else { panic!("not decided") };
        assert_eq!(decision.outcome.policy_no().unwrap().as_str(), "PBDI20260102QXP000001");
        assert_eq!(world.settle(&first), Settlement::Replayed(decision.outcome.clone()));
        let other = request(|a| a.amount = "1019".parse().unwrap());
        assert_eq!(world.settle(&other), Settlement::Conflicting(decision.outcome));
    }

    #[test]
    fn a_refusal_blocks_nothing() {
        let mut world = World::new();
        let wrong = request(|a| a.premium = "7".parse().unwrap());
        assert!(matches!(world.settle(&wrong), Settlement::Refused(Refusal::InvalidFields(_))));
        assert!(matches!(world.settle(&request(|_| ())), Settlement::Decided(_)));
    }

    #[test]
    fn a_retry_is_answered_even_when_the_product_is_no_longer_sold() {
        let mut world = World::new();
        let first = request(|_| ());
        assert!(matches!(world.settle(&first), Settlement::Decided(_)));
        world.catalogue = Catalogue::default();
        assert!(matches!(world.settle(&first), Settlement::Replayed(_)));
        assert!(matches!(world.settle(&request(|a| a.identifier = "2".to_owned())), Settlement::Refused(_)));
    }

    #[test]
    fn without_a_sequence_the_platform_is_asked_to_come_again() {
        let mut world = World::new();
        world.sequences = SequenceBlock::default();
        assert_eq!(world.settle(&request(|_| ())), Settlement::Refused(Refusal::Busy));
    }

    #[test]
    fn a_policy_ends_once_and_whoever_wants_to_know_is_told() {
        let mut world = World::new();
        let number = world.issue();
        let first = asking("a", Some("u1"), 1, rescission(number.as_str()));
        let decision = world.decided(&first);
        assert_eq!(decision.outcome, Outcome::PolicyRescinded { policy_no: number.clone() });
        let [Change::PolicyEnded(ending)] = decision.changes.as_slice() else { panic!("{decision:?}") };
        assert_eq!((ending.from, ending.to), (PolicyState::Issued, PolicyState::Rescinded));
        let [notice] = decision.notices.as_slice() else { panic!("{decision:?}") };
        assert_eq!((notice.subject.as_str(), notice.partner.as_str()), (&*format!("policy:{number}"), "alibaba"));
        let wrong = Refusal::WrongState { policy_no: number.clone(), state: PolicyState::Rescinded };
        let again = asking("b", Some("u2"), 2, rescission(number.as_str()));
        assert_eq!(world.settle(&again), Settlement::Refused(wrong.clone()));
        let surrender: Surrender = serde_json::from_value(serde_json::json!({
            "caller": "core", "policyNo": number, "surrenderTime": "2026-01-02T03:04:05Z",
        }))
        .unwrap();
        let parts = Surrender { refund_money: Some("3.505".parse().unwrap()), ..surrender.clone() };
        let parts = asking("d", None, 4, Command::SurrenderPolicy(Box::new(parts)));
        let Settlement::Refused(Refusal::InvalidFields(problems)) = world.settle(&parts) else { panic!("taken") };
        assert_eq!(problems[0].path, "refundMoney");
        let surrender = asking("c", None, 3, Command::SurrenderPolicy(Box::new(surrender)));
        assert_eq!(world.settle(&surrender), Settlement::Refused(wrong));
        let mut other = World::new();
        other.catalogue = other.catalogue.with_surrender_sync([]);
        other.issue();
        let decision = other.decided(&surrender);
        assert_eq!(decision.outcome, Outcome::PolicySurrendered { policy_no: number });
        assert_eq!(decision.notices, []);
        assert_eq!(decision.events[0].kind(), "policy.surrendered");
    }

    #[test]
    fn a_rescission_is_refused_by_name() {
        let mut world = World::new();
        let number = world.issue();
        let refused = |world: &mut World, command: Command| match world.settle(&asking("a", None, 1, command)) {
            Settlement::Refused(refusal) => refusal.code().as_str(),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(&mut world, rescission("12345")), "POLICY_NOT_FOUND");
        let unissued = number.as_str().replace("000001", "000002");
        assert_eq!(refused(&mut world, rescission(&unissued)), "POLICY_NOT_FOUND");
        let mut wrong_sum = crate::rescission::tests::example(number.as_str());
        wrong_sum.second_refund_amount = Some("10.3".parse().unwrap());
        assert_eq!(refused(&mut world, Command::RescindPolicy(Box::new(wrong_sum))), "INVALID_ARGUMENT");
        for (partner, products) in [("another", None), ("alibaba", Some(vec!["CES".to_owned()]))] {
            let source = PolicySource { code: "HN_HT_QNW".to_owned(), partners: vec![partner.to_owned()], products };
            world.catalogue = catalogue().with_sources([source]);
            assert_eq!(refused(&mut world, rescission(number.as_str())), "POLICY_NOT_PERMITTED");
        }
    }

    #[test]
    fn a_messages_identity_stands_for_one_content() {
        let mut world = World::new();
        let number = world.issue();
        let command = || rescission(number.as_str());
        let first = world.decided(&asking("a", Some("u1"), 1, command())).outcome;
        let copy = Settlement::Replayed(first.clone());
        assert_eq!(world.settle(&asking("a", Some("u1"), 1, command())), copy);
        assert_eq!(world.settle(&asking("a", Some("u2"), 1, command())), copy);
        for uuid in ["u1", "u2"] {
            let reused = Settlement::Refused(Refusal::UuidReused { uuid: uuid.to_owned() });
            assert_eq!(world.settle(&asking("b", Some(uuid), 2, command())), reused);
            assert_eq!(world.settle(&asking("a", Some(uuid), 2, command())), Settlement::Conflicting(first.clone()));
        }
    }

    #[test]
    fn a_refusal_uses_no_identity_up() {
        let mut world = World::new();
        assert!(matches!(world.settle(&asking("a", Some("u"), 1, rescission("1"))), Settlement::Refused(_)));
        let number = world.issue();
        assert!(matches!(
            world.settle(&asking("a", Some("u"), 2, rescission(number.as_str()))),
            Settlement::Decided(_)
        ));
    }

    #[test]
    fn a_recovery_is_recorded_whether_it_fits_a_policy_or_not() {
        let mut world = World::new();
        let number = world.issue();
        let mut outcome = |key: &str, change: &dyn Fn(&mut Recovery)| {
            let mut recovery = crate::recovery::tests::example();
            change(&mut recovery);
            let decision = world.decided(&asking(key, None, 1, Command::RecordRecovery(Box::new(recovery))));
            assert_eq!(decision.events[0].kind(), "recovery.recorded");
            match decision.outcome {
                Outcome::RecoveryRecorded { policy_no, unmatched, discrepancies } => {
                    (policy_no, unmatched, discrepancies.len())
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(outcome("1", &|_| ()), (None, Some(Unmatched::Unknown), 1));
        assert_eq!(outcome("2", &|r| r.policy_no = None), (None, Some(Unmatched::NoNumber), 1));
        let fits = |r: &mut Recovery| {
            r.policy_no = Some(number.to_string());
            r.recover_amount_of_cny = r.recover_amount;
        };
        assert_eq!(outcome("3", &fits), (Some(number.clone()), None, 0));
    }

    #[test]
    fn a_recovery_fits_only_a_policy_of_its_partner_and_product() {
        let mut world = World::new();
        let number = world.issue();
        let policy = world.state.policies.get_mut(&number).unwrap();
        let recovery = Recovery { policy_no: Some(number.to_string()), ..crate::recovery::tests::example() };
        assert_eq!(recovery.matched(Some(policy)), Ok(number));
        policy.product_code = "CES".to_owned();
        assert_eq!(recovery.matched(Some(policy)), Err(Unmatched::OtherProduct));
        policy.partner = "another".to_owned();
        assert_eq!(recovery.matched(Some(policy)), Err(Unmatched::OtherPartner));
    }

    #[test]
    fn an_auctions_stages_go_in_their_order() {
        let mut world = World::new();
        let mut report = |stage: AuctionStage, key: &str| {
            let result = crate::auction::AuctionNotice {
                stage,
                status: AuctionStatus::Success,
                ..crate::auction::tests::example()
            };
            let report = AuctionReport { caller: "core".to_owned(), partner: "auction".to_owned(), result };
            world.settle(&asking(key, None, 1, Command::ReportAuctionStage(Box::new(report))))
        };
        let Settlement::Refused(refusal) = report(AuctionStage::Insuring, "1") else { panic!("taken") };
        assert_eq!(refusal.code().as_str(), "AUCTION_STAGE_OUT_OF_ORDER");
        for (stage, key) in [(AuctionStage::PreInsurance, "2"), (AuctionStage::Underwriting, "3")] {
            let Settlement::Decided(decision) = report(stage, key) else { panic!("not decided") };
            assert_eq!(decision.notices[0].subject, "auction:24010900100YSKSSG");
            assert_eq!(decision.events[0].kind(), "auction.stage-reported");
        }
    }

    #[test]
    fn a_stage_of_a_partner_that_is_gone_is_refused_and_an_older_one_is_answered_as_it_was() {
        let mut world = World::new();
        let result = crate::auction::AuctionNotice {
            stage: AuctionStage::PreInsurance,
            status: AuctionStatus::Success,
            ..crate::auction::tests::example()
        };
        let report = AuctionReport { caller: "core".to_owned(), partner: "auction".to_owned(), result };
        let command = Command::ReportAuctionStage(Box::new(report));
        let decision = world.decided(&asking("1", None, 1, command.clone()));
        world.catalogue = world.catalogue.with_platforms([]);
        assert_eq!(world.settle(&asking("1", None, 1, command.clone())), Settlement::Replayed(decision.outcome));
        let Settlement::Refused(Refusal::InvalidFields(problems)) = world.settle(&asking("2", None, 1, command)) else {
            panic!("taken")
        };
        assert_eq!(problems[0].path, "partner");
    }
}
