//! Whether a ledger still hangs together: each answer with what it promised, each state with its event, each notice
//! with its cause, each document with its digest.
//!
//! It reads row by row in the tables' order, beside gateways that go on working. What one command writes comes in one
//! transaction, and so a row of one table must have its counterpart in each table that is read after it; the order of
//! the tables below is chosen by that. What is kept in memory meanwhile is numbers, as compressed bitmaps: some tens of
//! megabytes at ten million policies.

mod answers;
mod events;
pub mod evidence;
mod finding;
mod notices;
mod parties;
mod records;

use std::collections::HashMap;
use std::fmt;

use roaring::RoaringTreemap;

use super::store::StoreError;
use crate::vault::Vault;
use evidence::{Evidence, Fact, FileCheck};
use parties::Pending;

pub use finding::{Finding, Rule};
pub use parties::unfound;

/// How many rows are looked at before that is told.
const TELL_EVERY: u64 = 1_000;

/// What is looked through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Answers, with the policies they issued.
    Answers,
    /// Policies, with their ends.
    Policies,
    /// Recoveries and auctions' stages.
    Records,
    /// Events.
    Events,
    /// Documents.
    Documents,
    /// Notices.
    Notices,
    /// Contradicting messages.
    Conflicts,
}

impl Table {
    /// Its name for people and scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Policies => "policies",
            Self::Records => "records",
            Self::Events => "events",
            Self::Documents => "documents",
            Self::Notices => "notices",
            Self::Conflicts => "conflicts",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What comes of it as it goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// That is looked at now, and may take minutes.
    Begun(&'static str),
    /// So many rows of a table were looked at until now.
    Looked(Table, u64),
    /// Something does not hold.
    Found(Finding),
}

/// Looks a whole ledger through, and tells what it comes across.
///
/// # Errors
/// When the database cannot be read; then nothing is said about what was not looked at.
pub fn verify(
    evidence: &dyn Evidence,
    vault: &Vault,
    file_check: FileCheck,
    tell: &mut dyn FnMut(Step),
) -> Result<(), StoreError> {
    let mut check = Check { evidence, vault, tell, rows: 0, seen: Seen::default() };
    for damage in evidence.damage(file_check, &mut |what| (check.tell)(Step::Begun(what)))? {
        check.found(Rule::FileDamaged, "the ledger's file", damage);
    }
    // Whatever has its place by now was written with its state.
    let settled = evidence.last_position()?;
    check.pass(Table::Answers, Check::answers)?;
    check.parties()?;
    check.pass(Table::Policies, Check::policies)?;
    check.pass(Table::Records, Check::facts)?;
    check.pass(Table::Events, |check| check.events(settled))?;
    check.pass(Table::Documents, Check::documents)?;
    check.pass(Table::Notices, Check::notices)?;
    check.pass(Table::Conflicts, Check::conflicts)?;
    check.numbers()
}

/// Numbers that were come across, and what they lead to expect of tables that are read later.
#[derive(Default)]
struct Seen {
    /// Messages that have an answer.
    answers: RoaringTreemap,
    /// Messages whose answer says that a policy was ended, until its record is come across.
    endings: RoaringTreemap,
    /// Messages whose answer says that a recovery or a stage was recorded, likewise.
    facts: RoaringTreemap,
    /// Messages whose answer says that the platform is told, likewise.
    noticed: RoaringTreemap,
    /// Sequences of policies of whose issue no event was come across yet, and of whose end.
    issued: RoaringTreemap,
    ended: RoaringTreemap,
    /// Recoveries and stages without an event yet.
    unreported: HashMap<Fact, u32>,
    /// Policies whose parties were not looked up yet.
    parties: Pending,
    /// Sequences of policies that were told not to be found.
    unfound: RoaringTreemap,
}

struct Check<'a> {
    evidence: &'a dyn Evidence,
    vault: &'a Vault,
    tell: &'a mut dyn FnMut(Step),
    rows: u64,
    seen: Seen,
}

impl Check<'_> {
    fn found(&mut self, rule: Rule, subject: impl Into<String>, detail: impl Into<String>) {
        (self.tell)(Step::Found(Finding { rule, subject: subject.into(), detail: detail.into() }));
    }

    fn pass(&mut self, table: Table, work: impl FnOnce(&mut Self) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.rows = 0;
        work(self)?;
        (self.tell)(Step::Looked(table, self.rows));
        Ok(())
    }

    fn count(&mut self, table: Table) {
        self.rows += 1;
        if self.rows.is_multiple_of(TELL_EVERY) {
            (self.tell)(Step::Looked(table, self.rows));
        }
    }

    /// Whether that message has an answer, also one that was given after the answers were looked through.
    fn is_answered(&self, message_id: u64) -> Result<bool, StoreError> {
        Ok(self.seen.answers.contains(message_id) || self.evidence.has_answer(message_id)?)
    }

    /// A block that lies behind what was taken from it would give numbers twice.
    fn numbers(&mut self) -> Result<(), StoreError> {
        for used in self.evidence.numbers()? {
            if let Some(highest) = used.highest.filter(|highest| *highest >= used.next) {
                let detail = format!("{highest} is in use, and the next to be given is {}", used.next);
                self.found(Rule::NumbersBehind, used.block.as_str(), detail);
            }
        }
        Ok(())
    }
}
