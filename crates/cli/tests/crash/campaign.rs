//! A campaign: load, kills, misbehaving platform; then everything is asked back and judged.

use std::collections::HashSet;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::platform::{Platform, Received, Scenario, Setup};
use fastrand::Rng;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::census::{Census, follow};
use crate::check::{Arrival, Evidence, violations};
use crate::client::Clients;
use crate::fleet::{APP_KEY, Fleet, SECRET};
use crate::journal::{Answer, Attempt};
use crate::order::{Interface, Notice, Order};
use crate::power;
use crate::script::Actor;

/// How long the outbox may take to deliver the rest: leases of the dead run out after 15.5 s, a platform that was down
/// is tried again within 30 s.
const DELIVERY_LIMIT: Duration = Duration::from_mins(2);
/// Readers who follow the event feed all along.
const FOLLOWERS: usize = 2;
/// Kills between two changes of the platform's mood.
const MOOD: usize = 4;

/// What is done in one campaign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) clients: usize,
    pub(crate) kills: usize,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) kills: usize,
    pub(crate) killed_starting: usize,
    pub(crate) attempts: usize,
    pub(crate) unanswered: usize,
    pub(crate) policies: usize,
    pub(crate) events: usize,
    pub(crate) arrivals: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, killed_starting, attempts, unanswered, policies, events, arrivals } = self;
        write!(
            f,
            "{kills} kills under load, {killed_starting} while starting; {attempts} requests, {unanswered} of them \
             without an answer; {policies} policies, {events} events, {arrivals} notices received"
        )
    }
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.kills += other.kills;
        self.killed_starting += other.killed_starting;
        self.attempts += other.attempts;
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
/// Panics with the seed, the first violations and the directory in which everything lies, if a promise was broken.
pub(crate) async fn run(plan: Plan) -> Report {
    let mut rng = Rng::with_seed(plan.seed);
    let setup = Setup { keep: 10_000_000, ..Setup::new(APP_KEY, SECRET, || SystemClock.now()) };
    let platform = Platform::start(setup).await.unwrap();
    let mut fleet = Fleet::new(plan.nodes, &platform.url());
    (0..fleet.len()).for_each(|node| fleet.start(node));
    let clients = Arc::new(Clients::new(fleet.addresses()));
    let (stop_actors, stop_followers) = (watch::Sender::new(false), watch::Sender::new(false));
    let (mut actors, mut followers) = (JoinSet::new(), JoinSet::new());
    for number in 0..plan.clients {
        let actor = Actor::new(Arc::clone(&clients), rng.fork(), format!("{:x}-{number}", plan.seed));
        actors.spawn(actor.run(stop_actors.subscribe()));
    }
    for _ in 0..FOLLOWERS {
        followers.spawn(follow(fleet.addresses(), stop_followers.subscribe()));
    }
    let mut report = Report::default();
    for kill in 0..plan.kills {
        if kill % MOOD == 0 {
            platform.play(mood(&mut rng));
        }
        strike(&mut fleet, &clients, &mut rng, &mut report).await;
    }
    stop_actors.send_replace(true);
    while let Some(actor) = actors.join_next().await {
        actor.unwrap();
    }
    platform.play(Scenario::default());
    // Nobody calls now; what is under way to the platform is cut off once more.
    for node in 0..fleet.len() {
        fleet.kill(node);
        fleet.start(node);
    }
    let asked_back_from = clients.journal.now();
    ask_back(&clients, &mut rng).await;
    let attempts = clients.journal.attempts();
    delivered(&platform, &attempts).await;
    let mut census = Census::take(&fleet.addresses()).await;
    stop_followers.send_replace(true);
    census.followed = followers.join_all().await;
    let arrivals = platform.received().iter().map(|received| arrival(received)).collect();
    let evidence = Evidence { attempts, asked_back_from, census, arrivals };
    count(&evidence, &mut report);
    judge(&evidence, &mut fleet, plan);
    report
}

/// Lets the load go on for a while and kills one node; it may die again while it starts.
async fn strike(fleet: &mut Fleet, clients: &Clients, rng: &mut Rng, report: &mut Report) {
    let victim = rng.usize(..fleet.len());
    clients.journal.until_begun(clients.journal.begun() + rng.u64(1..300)).await;
    // Anywhere in the life of a batch, not only at the moment when a client begins to send.
    tokio::time::sleep(Duration::from_micros(rng.u64(..4_000))).await;
    fleet.kill(victim);
    report.kills += 1;
    while rng.u8(..100) < 20 {
        fleet.start_in_vain(Duration::from_millis(rng.u64(..60))).await;
        report.killed_starting += 1;
    }
    fleet.start(victim);
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
    let answered = futures_util::stream::iter(orders).for_each_concurrent(16, |order| {
        let mut rng = rng.fork();
        async move { drop(clients.until_answered(&order, &mut rng).await) }
    });
    answered.await;
}

/// Waits until the platform has what acknowledged commands cause. What is missing then is the judge's to tell.
async fn delivered(platform: &Platform, attempts: &[Attempt]) {
    let accepted = attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::Accepted(_)));
    let due: HashSet<Notice> = accepted.filter_map(|attempt| attempt.order.notice()).collect();
    let mut missing = due;
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

fn count(evidence: &Evidence, report: &mut Report) {
    let unanswered = evidence.attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::Silence(_)));
    report.attempts = evidence.attempts.len();
    report.unanswered = unanswered.count();
    report.policies = evidence.census.policies.len();
    report.events = evidence.census.events.len();
    report.arrivals = evidence.arrivals.len();
    let issued = |attempt: &Attempt| attempt.order.interface == Interface::Issuing;
    assert!(evidence.attempts.iter().any(issued) && report.policies > 0, "a campaign in which nothing happened");
}

fn judge(evidence: &Evidence, fleet: &mut Fleet, plan: Plan) {
    let found = violations(evidence);
    if found.is_empty() {
        return;
    }
    let directory = fleet.keep();
    let mut log = std::io::BufWriter::new(std::fs::File::create(directory.join("clients.log")).unwrap());
    for attempt in &evidence.attempts {
        writeln!(log, "{attempt:?}").unwrap();
    }
    let mut log = std::io::BufWriter::new(std::fs::File::create(directory.join("platform.log")).unwrap());
    for arrival in &evidence.arrivals {
        writeln!(log, "{arrival:?}").unwrap();
    }
    let first: Vec<String> = found.iter().take(20).map(ToString::to_string).collect();
    panic!(
        "{} promises broken, {plan:?}; ledger and logs in {}:\n{}",
        found.len(),
        directory.display(),
        first.join("\n")
    );
}

/// A number of the environment, or what it is without.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    let Some(text) = std::env::var_os(name) else { return default };
    text.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is {text:?}, not a number"))
}

/// The seed of the environment, or one drawn at random.
pub(crate) fn seed() -> u64 {
    setting("BAOQIAO_CRASH_SEED", fastrand::u64(..1 << 40))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes about a minute: scripts/test.sh runs it"]
async fn a_gateway_killed_under_load_keeps_what_it_acknowledged() {
    let plan = Plan { seed: seed(), nodes: 1, clients: 12, kills: 100 };
    println!("{plan:?}");
    println!("{}", run(plan).await);
}

/// One campaign after the other, for `BAOQIAO_SOAK_MINUTES`; `scripts/soak.sh` runs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "as long as one wants: scripts/soak.sh runs it"]
async fn soak() {
    let minutes = setting("BAOQIAO_SOAK_MINUTES", 10);
    let kills = usize::try_from(setting("BAOQIAO_SOAK_KILLS", 100)).unwrap();
    let power_cuts = if power::can_trace() { setting("BAOQIAO_SOAK_POWER_CUTS", 60) } else { 0 };
    let until = tokio::time::Instant::now() + Duration::from_mins(minutes);
    let (first, mut total, mut rounds) = (seed(), Report::default(), 0);
    while tokio::time::Instant::now() < until {
        let plan = Plan { seed: first + rounds, nodes: 1, clients: 12, kills };
        println!("round {}, seed {}", rounds + 1, plan.seed);
        let report = run(plan).await;
        println!("  {report}");
        if power_cuts > 0 {
            power::run(plan.seed, power_cuts).await;
        }
        total += report;
        rounds += 1;
    }
    println!("{rounds} rounds, no promise broken: {total}; {} power cuts", rounds * power_cuts);
}
