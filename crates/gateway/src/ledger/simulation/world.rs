//! One run: gateways on a database, callers, and what is checked of both.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::currency::Currency;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::product::{AmountRange, Catalogue, DiscrepancyPolicy, Product};
use baoqiao_domain::source::PolicySource;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::ask::{Ask, Known, PARTNERS, PRODUCT, SOURCES};
use super::bench::Bench;
use super::fate::{Fate, Journal, Meanwhile};
use super::model::{Expected, Model};
use super::node::Handle;
use crate::clock::Clock;
use crate::ledger::feed::Feed;
use crate::ledger::{Rules, Settled, Task, Webhook};
use crate::outbox::Wake;
use crate::vault::{Purpose, Sealed, Vault};

/// The events that are pushed to an endpoint of the insurer's.
pub(super) const PUSHED: [&str; 2] = ["policy.issued", "policy.surrendered"];

/// Keys cost more to make than to use.
static VAULT: LazyLock<Arc<Vault>> = LazyLock::new(|| Arc::new(crate::vault::tests::vault()));

/// What every message stands in the traffic record with: it is not what is looked at here.
static REQUEST: LazyLock<Sealed> = LazyLock::new(|| VAULT.seal(Purpose::Request, b"").unwrap());

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn catalogue() -> Catalogue {
    let range = |min: &str, max: &str| AmountRange { min: min.parse().unwrap(), max: max.parse().unwrap() };
    let source = |(code, partner): (&&str, &str)| PolicySource {
        code: (*code).to_owned(),
        partners: vec![partner.to_owned()],
        products: None,
    };
    Catalogue::new([Product {
        code: PRODUCT.to_owned(),
        name: "赊购信用保险".to_owned(),
        prefix: "CESI".parse().unwrap(),
        sum_insured_cny: range("1", "1000000"),
        premium_cny: range("0.01", "10000"),
        premium_tolerance: "0.01".parse().unwrap(),
        cny_tolerance: "0.01".parse().unwrap(),
        currencies: vec![Currency::CNY],
        partners: PARTNERS.map(str::to_owned).to_vec(),
        on_sale: true,
        recovery_discrepancy: DiscrepancyPolicy::Record,
    }])
    .with_sources(SOURCES.iter().zip(PARTNERS).map(source))
    .with_surrender_sync(["alibaba".to_owned()])
    .with_platforms(PARTNERS.map(str::to_owned))
}

fn rules(clock: &Arc<SetClock>) -> Rules {
    Rules {
        catalogue: Arc::new(catalogue()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        vault: Arc::clone(&VAULT),
        document_url: Box::new(|number| format!("https://x.test/{number}")),
        stranger_records: 1,
        wake_outbox: Wake::default(),
        feed: Feed::default(),
        webhooks: vec![Webhook { id: "core".to_owned(), kinds: PUSHED.to_vec() }],
    }
}

/// A message under way, and its caller's ear.
struct Sent {
    id: String,
    ask: Ask,
    ear: oneshot::Receiver<Settled>,
    /// Where it was sent.
    node: usize,
}

/// What a message that became durable came to, and whether its gateway was told that it did.
struct Outcome {
    expected: Expected,
    in_doubt: bool,
}

pub(super) struct World<'a, B> {
    bench: &'a B,
    rng: Rng,
    clock: Arc<SetClock>,
    journal: Journal,
    nodes: Vec<Handle>,
    model: Model,
    /// The first answer that a caller got under each key.
    heard: HashMap<(&'static str, String), Vec<u8>>,
    asks: Vec<Ask>,
}

impl<'a, B: Bench> World<'a, B> {
    pub(super) fn new(bench: &'a B, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let clock = Arc::new(SetClock(AtomicI64::new(1_767_323_045)));
        let (rules, journal) = (Arc::new(rules(&clock)), Journal::default());
        let nodes = (0..rng.usize(2..=3)).map(|_| Handle::start(bench.opener(), &rules, &journal)).collect();
        Self { bench, rng, clock, journal, nodes, model: Model::default(), heard: HashMap::new(), asks: Vec::new() }
    }

    /// Messages reach a gateway, something happens to it, and what its callers hear is checked.
    pub(super) fn round(&mut self) {
        // By up to two days, mostly forward.
        self.clock.0.fetch_add(self.rng.i64(-50_000..170_000), Ordering::Relaxed);
        let node = self.rng.usize(..self.nodes.len());
        let mut sent = self.send(node);
        for _ in 0..self.rng.usize(..3) {
            let fate = self.fate(node, &mut sent);
            self.nodes[node].expect(fate);
        }
        // The others after it, for what was to be done meanwhile and was not, since it did not come to that.
        let order = [node].into_iter().chain(0..self.nodes.len());
        order.for_each(|node| self.nodes[node].work());
        let durable = self.account(&sent);
        for sent in sent {
            self.hear(sent, &durable);
        }
        if self.nodes.iter().filter(|node| node.take_killed()).count() > 0 {
            self.bench.contents(&VAULT).check(&self.model.contents);
        }
    }

    /// Checks what the run came to, and tells what was met in it.
    pub(super) fn finish(self) -> BTreeMap<String, u64> {
        self.bench.contents(&VAULT).check(&self.model.contents);
        let mut met: BTreeMap<String, u64> =
            self.journal.open().met.iter().map(|(what, times)| ((*what).to_owned(), *times)).collect();
        for [verdict, code] in self.model.contents.messages.values() {
            *met.entry(format!("{verdict} {code}")).or_default() += 1;
        }
        for row in &self.model.contents.notices {
            *met.entry(format!("told {}", row[0])).or_default() += 1;
        }
        met
    }

    /// Queues a few messages at a gateway. Some of their callers give up before it gets to them.
    fn send(&mut self, node: usize) -> Vec<Sent> {
        let policies: Vec<String> = self.model.contents.policies.keys().cloned().collect();
        let mut sent = Vec::new();
        for _ in 0..self.rng.usize(1..=6) {
            let next_stage = |biz_id: &str| self.model.next_stage(biz_id);
            let known = Known { asks: &self.asks, policies: &policies, next_stage: &next_stage };
            let ask = Ask::any(&mut self.rng, &known);
            self.asks.push(ask.clone());
            let id = format!("m{}", self.asks.len());
            let submission = Box::new(ask.submission(&id, REQUEST.clone(), &VAULT, self.clock.now()));
            let (answer, ear) = oneshot::channel();
            assert!(self.nodes[node].tasks.try_send(Task::Message(submission, answer)).is_ok(), "the queue is full");
            if self.rng.u8(..12) > 0 {
                sent.push(Sent { id, ask, ear, node });
            } else {
                self.journal.meet("given up by its caller");
            }
        }
        sent
    }

    fn fate(&mut self, node: usize, sent: &mut Vec<Sent>) -> Fate {
        match self.rng.u8(..16) {
            0 => Fate::Fails,
            1 => Fate::CommitsInDoubt,
            2 => Fate::FailsToReserve,
            3 => Fate::KilledAfterReserving,
            4 | 5 => Fate::KilledBeforeCommit,
            6 | 7 => Fate::KilledWhileWriting,
            8 | 9 => Fate::KilledAfterCommit,
            10..=12 => Fate::LosesRaces((0..self.rng.usize(1..=2)).map(|_| self.race(node, sent)).collect()),
            _ => Fate::Commits,
        }
    }

    /// Another gateway's work, to be done while this one has decided and not yet committed.
    fn race(&mut self, loser: usize, all: &mut Vec<Sent>) -> Meanwhile {
        let winner = (loser + self.rng.usize(1..self.nodes.len())) % self.nodes.len();
        all.extend(self.send(winner));
        let fate = match self.rng.u8(..6) {
            0 => Fate::Fails,
            1 => Fate::KilledWhileWriting,
            2 => Fate::KilledAfterCommit,
            _ => Fate::Commits,
        };
        let node = self.nodes[winner].clone();
        Box::new(move || {
            node.expect(fate);
            node.work();
        })
    }

    /// Has the model take what became durable, in the order in which it did.
    fn account(&mut self, sent: &[Sent]) -> HashMap<String, Outcome> {
        let committed = std::mem::take(&mut self.journal.open().committed);
        let mut durable = HashMap::new();
        for (id, in_doubt) in
            committed.into_iter().flat_map(|batch| batch.messages.into_iter().map(move |id| (id, batch.in_doubt)))
        {
            let found = sent.iter().find(|sent| sent.id == id);
            let Sent { ask, .. } = found.unwrap_or_else(|| panic!("{id} was written, and nobody waited for it"));
            let expected = self.model.settle(&id, ask, || issued(self.bench, ask));
            let before = durable.insert(id, Outcome { expected, in_doubt });
            assert!(before.is_none(), "a message was written twice");
        }
        durable
    }

    /// Checks what a caller was told.
    fn hear(&mut self, mut sent: Sent, durable: &HashMap<String, Outcome>) {
        let outcome = durable.get(&sent.id);
        let Ok(Settled { answered, .. }) = sent.ear.try_recv() else {
            assert!(self.nodes[sent.node].is_killed(), "{} was never answered: {:?}", sent.id, sent.ask);
            return;
        };
        let body = String::from_utf8(answered.reply.body).unwrap();
        let told = || format!("{}, {:?}, was told {body}", sent.id, sent.ask);
        let code = answered.result.as_ref().err().map(|refusal| refusal.code().as_str());
        match outcome {
            Some(Outcome { expected: Expected::Answer(answer), in_doubt: false }) => {
                assert_eq!(serde_json::from_str::<Value>(&body).ok().as_ref(), Some(answer), "{}", told());
                let key = (sent.ask.kind.scope(), sent.ask.key.clone());
                let first = self.heard.entry(key).or_insert_with(|| body.clone().into_bytes());
                assert_eq!(first, body.as_bytes(), "a retry was told otherwise");
            }
            Some(Outcome { expected: Expected::Refusal(expected), in_doubt: false }) => {
                assert_eq!(code, Some(*expected), "{}", told());
            }
            // Nothing was written, or nobody knows whether it was.
            _ => assert_eq!(code, Some("LEDGER_UNAVAILABLE"), "{}", told()),
        }
    }
}

/// The number of the policy that a message brought about.
fn issued(bench: &impl Bench, ask: &Ask) -> String {
    let answer = bench.answer(ask.kind.scope(), &ask.key, &VAULT);
    let answer = answer.unwrap_or_else(|| panic!("nothing is kept of {ask:?}"));
    let number: PolicyNumber = answer["policyNo"].as_str().unwrap().parse().unwrap();
    assert_eq!(number.bucket(), Bucket::of_key(&ask.key));
    number.to_string()
}
