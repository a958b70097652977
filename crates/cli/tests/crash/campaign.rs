//! A campaign: load, blows, a misbehaving platform; then everything is asked back and judged.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_simulator::platform::{Platform, Received, Scenario};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::census::{Census, follow};
use crate::check::{Arrival, Evidence, violations};
use crate::client::Clients;
use crate::journal::{Answer, Attempt};
use crate::order::{Notice, Order};
use crate::script::Actor;
use crate::world::{Blows, Engine, World};

/// How long the outbox may take to deliver the rest: leases of the dead run out after 15.5 s, a platform that was down
/// is tried again within 30 s.
const DELIVERY_LIMIT: Duration = Duration::from_mins(2);
/// Readers who follow the event feed all along.
const FOLLOWERS: usize = 2;
/// Blows between two changes of the platform's mood.
const MOOD: usize = 4;

/// What is done in one campaign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) engine: Engine,
    pub(crate) nodes: usize,
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) blows: usize,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) blows: Blows,
    pub(crate) requests: usize,
    pub(crate) unanswered: usize,
    pub(crate) policies: usize,
    pub(crate) events: usize,
    pub(crate) arrivals: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blows, requests, unanswered, policies, events, arrivals } = self;
        write!(
            f,
            "{blows}; {requests} requests, {unanswered} of them without an answer; {policies} policies, {events} events, \
             {arrivals} notices received"
        )
    }
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.blows += other.blows;
        self.requests += other.requests;
        self.unanswered += other.unanswered;
        self.policies += other.policies;
        self.events += other.events;
        self.arrivals += other.arrivals;
    }
}

/// How the platform may behave for a while. It refuses nothing for good: then a person would have to look.
fn mood(rng: &mut Rng) -> Scenario {
    let moods = [
        "",
        "delay_ms = 30",
        "rule = [{ do = 'status' }]",
        "rule = [{ do = 'timeout' }]",
        "rule = [
            { probability = 0.05, do = 'error' }, { probability = 0.05, do = 'drop' },
            { probability = 0.05, do = 'drop', taken = true }, { probability = 0.05, do = 'status' },
            { probability = 0.05, do = 'garbage' }, { probability = 0.05, do = 'charset' },
            { probability = 0.05, do = 'duplicate' }, { probability = 0.02, do = 'timeout' },
            { probability = 0.2, delay_ms = 20 },
        ]",
    ];
    Scenario::parse(rng.choice(moods).unwrap()).unwrap().with_seed(rng.u64(..))
}

/// Plays a campaign to its end.
///
/// Panics with the plan and the first violations if a promise was broken.
pub(crate) async fn run(plan: Plan) -> Report {
    let mut rng = Rng::with_seed(plan.seed);
    let mut world = World::new(plan.engine, plan.nodes, &mut rng).await;
    let clients = Arc::new(Clients::new(world.fleet.addresses()));
    let (stop_actors, stop_followers) = (watch::Sender::new(false), watch::Sender::new(false));
    let (mut actors, mut followers) = (JoinSet::new(), JoinSet::new());
    for number in 0..plan.clients {
        let actor = Actor::new(Arc::clone(&clients), rng.fork(), format!("{:x}-{number}", plan.seed));
        actors.spawn(actor.run(stop_actors.subscribe()));
    }
    for _ in 0..FOLLOWERS {
        followers.spawn(follow(world.fleet.addresses(), stop_followers.subscribe()));
    }
    for blow in 0..plan.blows {
        if blow % MOOD == 0 {
            world.platform.play(mood(&mut rng));
        }
        world.strike(&clients, &mut rng).await;
    }
    stop_actors.send_replace(true);
    actors.join_all().await;
    world.end();
    let asked_back_from = clients.journal.now();
    ask_back(&clients, &mut rng).await;
    let attempts = clients.journal.attempts();
    delivered(&world.platform, &attempts).await;
    let mut census = Census::take(&world.fleet.addresses()).await;
    stop_followers.send_replace(true);
    census.followed = followers.join_all().await;
    let arrivals = world.platform.received().iter().map(|received| arrival(received)).collect();
    let evidence = Evidence { attempts, asked_back_from, census, arrivals };
    judge(&evidence, world.fleet.directory(), plan);
    world.fleet.verify().unwrap_or_else(|found| panic!("the ledger does not hold, {plan:?}: {found}"));
    report(&evidence, world.blows)
}

/// Sends everything that was ever sent once more.
async fn ask_back(clients: &Clients, rng: &mut Rng) {
    let mut known = HashSet::new();
    let mut orders: Vec<Arc<Order>> = Vec::new();
    for attempt in clients.journal.attempts() {
        let order = attempt.order;
        if known.insert((order.interface, order.key.clone(), order.content.to_string())) {
            orders.push(order);
        }
    }
    clients.until_all_answered(None, orders, rng.fork()).await;
}

/// Waits until the platform has what acknowledged commands cause. What is missing then is the judge's to tell.
async fn delivered(platform: &Platform, attempts: &[Attempt]) {
    let accepted = attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::Accepted(_)));
    let mut missing: HashSet<Notice> = accepted.filter_map(|attempt| attempt.order.notice()).collect();
    let mut seen = 0;
    let all_taken = platform.until(|received| {
        for call in received.iter().skip(seen).filter(|call| call.taken) {
            missing.remove(&arrival(call).notice);
        }
        seen = received.len();
        missing.is_empty()
    });
    let _ = tokio::time::timeout(DELIVERY_LIMIT, all_taken).await;
}

fn arrival(received: &Received) -> Arrival {
    // A signature that the platform does not accept is no misbehaviour of the platform's.
    assert_eq!(received.string_to_sign, None, "the platform refused a signature");
    Arrival { notice: Notice::received(&received.content()), taken: received.taken }
}

fn report(evidence: &Evidence, blows: Blows) -> Report {
    let unanswered = evidence.attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::Silence(_)));
    let policies = evidence.census.policies.len();
    assert!(policies > 0, "a campaign in which nothing happened");
    Report {
        blows,
        requests: evidence.attempts.len(),
        unanswered: unanswered.count(),
        policies,
        events: evidence.census.events.len(),
        arrivals: evidence.arrivals.len(),
    }
}

fn judge(evidence: &Evidence, directory: &Path, plan: Plan) {
    let found = violations(evidence);
    if found.is_empty() {
        return;
    }
    write_log(directory, "clients.log", &evidence.attempts);
    write_log(directory, "platform.log", &evidence.arrivals);
    write_log(directory, "events.log", &evidence.census.events);
    let first: Vec<String> = found.iter().take(20).map(ToString::to_string).collect();
    panic!("{} promises broken, {plan:?}:\n{}", found.len(), first.join("\n"));
}

fn write_log(directory: &Path, name: &str, entries: &[impl fmt::Debug]) {
    let mut log = BufWriter::new(File::create(directory.join(name)).unwrap());
    for entry in entries {
        writeln!(log, "{entry:?}").unwrap();
    }
}
