//! The databases that are simulated over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use baoqiao_domain::policy_number::PolicyNumber;
use rusqlite::{Connection, Row};
use serde_json::Value;

use super::contents::Contents;
use super::memory::Database;
use super::node::Open;
use crate::ledger::sqlite;
use crate::vault::{Purpose, Sealed, Vault};

/// A database that any number of gateways can be started on.
pub(super) trait Bench {
    /// Opens another gateway's side of it.
    fn opener(&self) -> Open;

    /// The answer that is kept under a key.
    fn answer(&self, scope: &str, key: &str, vault: &Vault) -> Option<Value>;

    /// All that it holds.
    fn contents(&self, vault: &Vault) -> Contents;
}

fn opened(vault: &Vault, outcome: &Sealed) -> Value {
    serde_json::from_slice(&vault.open(Purpose::Outcome, outcome).unwrap()).unwrap()
}

fn sorted<T: Ord>(rows: impl Iterator<Item = T>) -> Vec<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.sort();
    rows
}

/// The model of a database.
pub(super) struct InMemory(Database);

impl InMemory {
    pub(super) fn new() -> Self {
        Self(Database::default())
    }
}

impl Bench for InMemory {
    fn opener(&self) -> Open {
        let database = self.0.clone();
        Box::new(move |_| Box::new(database.clone()))
    }

    fn answer(&self, scope: &str, key: &str, vault: &Vault) -> Option<Value> {
        let tables = self.0.tables();
        let (_, kept) = tables.answers.iter().find(|(kept, _)| kept.scope == scope && kept.key == key)?;
        Some(opened(vault, &kept.outcome))
    }

    fn contents(&self, vault: &Vault) -> Contents {
        let tables = self.0.tables();
        let peer = |id: &u64| tables.messages[id].arrival.peer.clone();
        let policy = |number: &PolicyNumber| number.to_string();
        Contents {
            answers: tables
                .answers
                .iter()
                .map(|(key, kept)| ((key.scope.to_owned(), key.key.clone()), opened(vault, &kept.outcome)))
                .collect(),
            policies: tables
                .policies
                .iter()
                .map(|(number, p)| {
                    (policy(number), [p.identifier.clone(), p.partner.clone(), p.state.as_str().to_owned()])
                })
                .collect(),
            endings: tables.endings.iter().map(|e| (policy(&e.policy_no), e.to.as_str().to_owned())).collect(),
            recoveries: tables
                .recoveries
                .iter()
                .map(|r| {
                    let matched = r.policy.as_ref().map_or_else(|why| why.as_str().to_owned(), policy);
                    (r.recovery.identifier.clone(), matched)
                })
                .collect(),
            stages: sorted(
                tables
                    .stages
                    .iter()
                    .map(|s| &s.report.result)
                    .map(|s| [s.biz_id.clone(), s.stage.number().to_string(), s.status.number().to_string()]),
            ),
            uuids: tables.uuids.keys().map(|uuid| [uuid.sender.clone(), uuid.uuid.clone()]).collect(),
            conflicts: tables.conflicts.iter().map(|c| (peer(&c.message_id), c.differing.clone())).collect(),
            messages: tables
                .messages
                .values()
                .map(|m| {
                    let code = m.code.unwrap_or_default();
                    (m.arrival.peer.clone(), [m.verdict.as_str().to_owned(), code.to_owned()])
                })
                .collect(),
            events: tables.events.iter().map(|event| [event.kind().to_owned(), event.subject()]).collect(),
            notices: tables.notices.iter().map(|n| [n.kind.to_owned(), n.subject.clone(), n.partner.clone()]).collect(),
        }
    }
}

/// A ledger in SQLite; each gateway has its own connection, as in processes of their own.
pub(super) struct OnSqlite(tempfile::TempDir);

impl OnSqlite {
    /// In memory, where that can be had: nobody cuts the power here, and waiting for a disk proves nothing.
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }

    fn rows<T>(&self, query: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let connection = Connection::open(self.path()).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| read(row)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn texts<const N: usize>(&self, query: &str) -> Vec<[String; N]> {
        self.rows(query, |row| {
            let texts = (0..N).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<String>>>()?;
            Ok(texts.try_into().unwrap())
        })
    }

    fn pairs(&self, query: &str) -> BTreeMap<String, String> {
        self.texts(query).into_iter().map(|[key, value]| (key, value)).collect()
    }
}

impl Bench for OnSqlite {
    fn opener(&self) -> Open {
        let path = self.path();
        Box::new(move |vault| Box::new(sqlite::open(&path, vault).unwrap().0))
    }

    fn answer(&self, scope: &str, key: &str, vault: &Vault) -> Option<Value> {
        let read = |row: &Row<'_>| Ok(Sealed::from_stored(row.get(0)?));
        let query = format!("SELECT outcome FROM answers WHERE scope = '{scope}' AND key = '{key}'");
        self.rows(&query, read).first().map(|outcome| opened(vault, outcome))
    }

    fn contents(&self, vault: &Vault) -> Contents {
        let answer = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), opened(vault, &Sealed::from_stored(row.get(2)?))));
        let policies = "SELECT policy_no, identifier, partner, state FROM policies";
        let messages = "SELECT peer, verdict, coalesce(code, '') FROM messages";
        let conflicts = "SELECT peer, differing FROM conflicts JOIN messages ON id = message_id";
        let endings = "SELECT policy_no, kind FROM endings JOIN policies ON sequence = policy_sequence";
        let recoveries = "SELECT r.identifier, coalesce(p.policy_no, r.unmatched) FROM recoveries r \
                          LEFT JOIN policies p ON p.sequence = r.policy_sequence";
        let stages = "SELECT biz_id, cast(stage AS TEXT), cast(status AS TEXT) FROM auction_stages ORDER BY biz_id, stage, status";
        let list = |text: &String| serde_json::from_str(text).unwrap();
        Contents {
            answers: self.rows("SELECT scope, key, outcome FROM answers", answer).into_iter().collect(),
            policies: self.texts(policies).into_iter().map(|[number, a, b, c]| (number, [a, b, c])).collect(),
            endings: self.pairs(endings),
            recoveries: self.pairs(recoveries),
            stages: self.texts(stages),
            uuids: self.texts("SELECT sender, uuid FROM message_uuids").into_iter().collect::<BTreeSet<_>>(),
            conflicts: self.pairs(conflicts).iter().map(|(id, differing)| (id.clone(), list(differing))).collect(),
            messages: self.texts(messages).into_iter().map(|[id, verdict, code]| (id, [verdict, code])).collect(),
            events: self.texts("SELECT kind, subject FROM events ORDER BY id"),
            notices: self.texts("SELECT kind, subject, partner FROM notices ORDER BY id"),
        }
    }
}
