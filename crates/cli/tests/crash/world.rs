//! What a campaign is played in, and the blows that fall on it.

use std::fmt;
use std::time::Duration;

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::platform::{Platform, Scenario, Setup};
use baoqiao_testkit::Postgres;
use fastrand::Rng;
use tokio::task::block_in_place;

use crate::client::Clients;
use crate::fleet::{APP_KEY, Fleet, SECRET};
use crate::proxy::{Proxy, Way};

/// Where the ledger is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// What is done to the gateways, or to what they stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// A node is killed, perhaps once more while it starts.
    Node,
    /// Every process of the database is killed, perhaps once more just after it has started.
    Database,
    /// Connections to the database break after a random number of bytes.
    Cuts,
    /// The database falls silent.
    Silence,
    /// Every node is stopped in order and started again, one after the other.
    Rolling,
}

impl Engine {
    /// The blows that fall with so many nodes, the more often the more often they stand here.
    fn blows(self, nodes: usize) -> &'static [Blow] {
        use Blow::{Cuts, Database, Node, Rolling, Silence};
        match (self, nodes) {
            (Self::Sqlite, _) => &[Node],
            (Self::Postgres, 1) => &[Node, Node, Node, Node, Database, Database, Cuts, Cuts, Cuts, Silence],
            (Self::Postgres, _) => &[Node, Node, Node, Node, Database, Database, Cuts, Cuts, Cuts, Silence, Rolling],
        }
    }
}

/// How often each blow has fallen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Blows {
    pub(crate) nodes: usize,
    pub(crate) starting: usize,
    pub(crate) database: usize,
    pub(crate) cut_connections: u64,
    pub(crate) silences: usize,
    pub(crate) rolling: usize,
}

impl fmt::Display for Blows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills of gateways, {} of them while starting", self.nodes + self.starting, self.starting)?;
        for (count, what) in [
            (u64::try_from(self.database).unwrap_or(u64::MAX), "kills of the database"),
            (self.cut_connections, "connections cut"),
            (u64::try_from(self.silences).unwrap_or(u64::MAX), "silences of the database"),
            (u64::try_from(self.rolling).unwrap_or(u64::MAX), "rolling restarts"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

impl std::ops::AddAssign for Blows {
    fn add_assign(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.starting += other.starting;
        self.database += other.database;
        self.cut_connections += other.cut_connections;
        self.silences += other.silences;
        self.rolling += other.rolling;
    }
}

struct Database {
    postgres: Postgres,
    proxy: Proxy,
}

/// A platform, gateways, and perhaps a database with a way to it.
pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) fleet: Fleet,
    database: Option<Database>,
    engine: Engine,
    pub(crate) blows: Blows,
}

impl World {
    /// A new ledger, with all nodes up.
    pub(crate) async fn new(engine: Engine, nodes: usize, rng: &mut Rng) -> Self {
        let setup = Setup { keep: 10_000_000, ..Setup::new(APP_KEY, SECRET, || SystemClock.now()) };
        let platform = Platform::start(setup).await.unwrap();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                let postgres = block_in_place(Postgres::start);
                let proxy = Proxy::start(postgres.port(), rng.u64(..)).await;
                Some(Database { postgres, proxy })
            }
        };
        let ledger = database.as_ref().map(|database| {
            let url = block_in_place(|| database.postgres.database("ledger"));
            url.replace(&format!(":{}/", database.postgres.port()), &format!(":{}/", database.proxy.port()))
        });
        let mut fleet = Fleet::new(nodes, &platform.url(), ledger.as_deref());
        (0..nodes).for_each(|node| fleet.start(node));
        Self { platform, fleet, database, engine, blows: Blows::default() }
    }

    /// Lets the load go on for a while and strikes.
    pub(crate) async fn strike(&mut self, clients: &Clients, rng: &mut Rng) {
        load(clients, rng.u64(1..300)).await;
        // Anywhere in the life of a batch, not only at the moment when a client begins to send.
        tokio::time::sleep(Duration::from_micros(rng.u64(..4_000))).await;
        match *rng.choice(self.engine.blows(self.fleet.len())).unwrap() {
            Blow::Node => self.kill_a_node(rng).await,
            Blow::Database => self.kill_the_database(clients, rng).await,
            Blow::Cuts => {
                let proxy = &self.database.as_ref().unwrap().proxy;
                // The sooner they break, the fewer requests get anywhere.
                let (highest, requests) =
                    *rng.choice(&[(500, 10), (5_000, 50), (50_000, 100), (500_000, 300)]).unwrap();
                proxy.set(Way::Breaking(highest));
                load(clients, rng.u64(1..requests)).await;
                proxy.set(Way::Open);
            }
            Blow::Silence => {
                let proxy = &self.database.as_ref().unwrap().proxy;
                proxy.set(Way::Silent);
                load(clients, rng.u64(1..16)).await;
                proxy.set(Way::Open);
                self.blows.silences += 1;
            }
            Blow::Rolling => {
                for node in 0..self.fleet.len() {
                    self.fleet.stop(node);
                    self.fleet.start(node);
                }
                self.blows.rolling += 1;
            }
        }
        self.blows.cut_connections = self.database.as_ref().map_or(0, |database| database.proxy.cuts());
    }

    async fn kill_a_node(&mut self, rng: &mut Rng) {
        let victim = rng.usize(..self.fleet.len());
        self.fleet.kill(victim);
        self.blows.nodes += 1;
        while rng.u8(..100) < 20 {
            self.fleet.start_in_vain(Duration::from_millis(rng.u64(..60))).await;
            self.blows.starting += 1;
        }
        self.fleet.start(victim);
    }

    async fn kill_the_database(&mut self, clients: &Clients, rng: &mut Rng) {
        loop {
            self.postgres(Postgres::kill);
            self.blows.database += 1;
            load(clients, rng.u64(1..16)).await;
            self.postgres(Postgres::restart);
            if rng.u8(..100) >= 20 {
                return;
            }
        }
    }

    fn postgres(&mut self, call: impl FnOnce(&mut Postgres)) {
        block_in_place(|| call(&mut self.database.as_mut().unwrap().postgres));
    }

    /// Kills everything once more, and then lets all of it be well. Where there are several nodes, one stays down: the
    /// others have to see to what it was at.
    pub(crate) fn end(&mut self) {
        self.platform.play(Scenario::default());
        (0..self.fleet.len()).for_each(|node| self.fleet.kill(node));
        if self.database.is_some() {
            self.postgres(Postgres::kill);
            self.postgres(Postgres::restart);
        }
        let down = usize::from(self.fleet.len() > 1);
        (down..self.fleet.len()).for_each(|node| self.fleet.start(node));
    }
}

impl Drop for World {
    /// A test that fails leaves its directory behind, with every log.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let directory = self.fleet.keep();
        if let Some(database) = &self.database {
            let _ = std::fs::write(directory.join("database.log"), database.postgres.log());
        }
        eprintln!("ledger and logs are in {}", directory.display());
    }
}

/// Returns when clients have begun to send so often.
async fn load(clients: &Clients, requests: u64) {
    clients.journal.until_begun(clients.journal.begun() + requests).await;
}
