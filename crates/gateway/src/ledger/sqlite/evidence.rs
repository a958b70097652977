//! What the tables hold, for whoever checks the whole of them: in pages by their keys, so that no reader holds the log
//! for longer than a page takes.

use rusqlite::{Connection, ErrorCode, Row, params};

use baoqiao_domain::bucket::BUCKETS;
use baoqiao_domain::policy_number::PolicyNumber;

use super::reader::SqliteReader;
use super::{none_if_no_row, people};
use crate::ledger::store::{NumberBlock, StoreError};
use crate::ledger::verification::evidence::{
    AnswerRow, ConflictEvidence, DocumentEvidence, EndingRow, EventRow, Evidence, Fact, FactRow, FileCheck,
    LinkedPolicy, NoticeEvidence, NumberUse, Parties, PolicyRow, Take,
};
use crate::vault::Sealed;

/// Rows a page.
const PAGE_ROWS: u32 = 1_000;
/// Of documents, which are long.
const PAGE_DOCUMENTS: u32 = 64;
/// How much of what is wrong with the file is told: one torn page can make thousands of lines.
const DAMAGE_LINES: usize = 100;

const POLICY: &str = "p.sequence, p.policy_no, p.partner, p.product_code, p.identifier, p.insure_id, p.amount, \
     p.premium, p.premium_of_cny, p.currency, p.effect_ms, p.expire_ms, p.state";
/// How many columns [`POLICY`] has.
const POLICY_COLUMNS: usize = 13;

fn policy(row: &Row<'_>) -> rusqlite::Result<PolicyRow> {
    Ok(PolicyRow {
        sequence: row.get(0)?,
        policy_no: row.get(1)?,
        partner: row.get(2)?,
        product_code: row.get(3)?,
        identifier: row.get(4)?,
        insure_id: row.get(5)?,
        amount: row.get(6)?,
        premium: row.get(7)?,
        premium_of_cny: row.get(8)?,
        currency: row.get(9)?,
        effect_ms: row.get(10)?,
        expire_ms: row.get(11)?,
        state: row.get(12)?,
    })
}

/// The policy, where the columns of [`POLICY`] were joined to something.
fn joined_policy(row: &Row<'_>) -> rusqlite::Result<Option<PolicyRow>> {
    let sequence: Option<u64> = row.get(0)?;
    sequence.map(|_| policy(row)).transpose()
}

fn sealed(row: &Row<'_>, column: usize) -> rusqlite::Result<Sealed> {
    Ok(Sealed::from_stored(row.get(column)?))
}

impl SqliteReader {
    /// Hands over all rows of a table, page by page; `page` reads those after a key, with their keys.
    fn walk<T>(
        &self,
        context: &'static str,
        page: impl Fn(&Connection, i64) -> rusqlite::Result<Vec<(i64, T)>>,
        take: &mut Take<'_, T>,
    ) -> Result<(), StoreError> {
        let mut after = -1;
        loop {
            let rows = self.read_patiently(context, |connection| {
                // One moment for all that the page reads.
                let moment = connection.unchecked_transaction()?;
                page(&moment, after)
            })?;
            if rows.is_empty() {
                return Ok(());
            }
            for (key, row) in rows {
                after = key;
                take(row)?;
            }
        }
    }
}

/// One page by one query, whose first parameter is the key to go on after and whose second the page's length; `read`
/// makes a row and its key.
fn page<T>(
    connection: &Connection,
    query: &str,
    after: i64,
    rows: u32,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<(i64, T)>,
) -> rusqlite::Result<Vec<(i64, T)>> {
    connection.prepare_cached(query)?.query_map(params![after, rows], |row| read(row))?.collect()
}

fn answers(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, AnswerRow)>> {
    let query = format!(
        "SELECT {POLICY}, a.message_id, a.scope, a.fingerprint, a.content, a.outcome, a.policy_sequence \
         FROM (SELECT * FROM answers WHERE message_id > ?1 ORDER BY message_id LIMIT ?2) a \
         LEFT JOIN policies p ON p.sequence = a.policy_sequence ORDER BY a.message_id"
    );
    page(connection, &query, after, PAGE_ROWS, |row| {
        let first = POLICY_COLUMNS;
        let answer = AnswerRow {
            policy: joined_policy(row)?,
            message_id: row.get(first)?,
            scope: row.get(first + 1)?,
            fingerprint: row.get(first + 2)?,
            content: sealed(row, first + 3)?,
            outcome: sealed(row, first + 4)?,
            policy_sequence: row.get(first + 5)?,
        };
        Ok((row.get(first)?, answer))
    })
}

fn policies(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, LinkedPolicy)>> {
    let query = format!(
        "SELECT {POLICY}, a.policy_sequence, e.message_id, e.kind \
         FROM (SELECT * FROM policies WHERE sequence > ?1 ORDER BY sequence LIMIT ?2) p \
         LEFT JOIN answers a ON a.message_id = p.content_id \
         LEFT JOIN endings e ON e.policy_sequence = p.sequence ORDER BY p.sequence"
    );
    page(connection, &query, after, PAGE_ROWS, |row| {
        let first = POLICY_COLUMNS;
        let message_id: Option<u64> = row.get(first + 1)?;
        let ending = match message_id {
            Some(message_id) => Some(EndingRow { message_id, kind: row.get(first + 2)? }),
            None => None,
        };
        Ok((row.get(0)?, LinkedPolicy { policy: policy(row)?, answer_sequence: row.get(first)?, ending }))
    })
}

fn recoveries(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, FactRow)>> {
    let query = "SELECT message_id, partner, identifier FROM recoveries WHERE message_id > ?1 \
                 ORDER BY message_id LIMIT ?2";
    page(connection, query, after, PAGE_ROWS, |row| {
        let fact = Fact::Recovery { partner: row.get(1)?, identifier: row.get(2)? };
        Ok((row.get(0)?, FactRow { message_id: row.get(0)?, fact }))
    })
}

fn stages(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, FactRow)>> {
    let query = "SELECT message_id, biz_id, insurance_type, stage, status FROM auction_stages WHERE message_id > ?1 \
                 ORDER BY message_id LIMIT ?2";
    page(connection, query, after, PAGE_ROWS, |row| {
        let fact =
            Fact::Stage { biz_id: row.get(1)?, insurance_type: row.get(2)?, stage: row.get(3)?, status: row.get(4)? };
        Ok((row.get(0)?, FactRow { message_id: row.get(0)?, fact }))
    })
}

fn events(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, EventRow)>> {
    let query = "SELECT id, kind, payload, policy_no FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";
    let of_sequence = format!("SELECT {POLICY} FROM policies p WHERE p.sequence = ?");
    page(connection, query, after, PAGE_ROWS, |row| {
        let position: u64 = row.get(0)?;
        let policy_no: Option<String> = row.get(3)?;
        let number: Option<PolicyNumber> = policy_no.as_ref().and_then(|text| text.parse().ok());
        let policy = match number {
            Some(number) => {
                let mut statement = connection.prepare_cached(&of_sequence)?;
                statement.query_row([number.sequence()], policy).map(Some).or_else(none_if_no_row)?
            }
            None => None,
        };
        let event = EventRow {
            name: format!("event {position}"),
            position: Some(position),
            is_pending: false,
            kind: row.get(1)?,
            payload: row.get(2)?,
            policy_no,
            policy,
        };
        Ok((row.get(0)?, event))
    })
}

fn documents(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, DocumentEvidence)>> {
    let query = "SELECT d.policy_sequence, d.sha256, d.pdf, \
                   EXISTS (SELECT 1 FROM policies p WHERE p.sequence = d.policy_sequence) \
                 FROM documents d WHERE d.policy_sequence > ?1 ORDER BY d.policy_sequence LIMIT ?2";
    page(connection, query, after, PAGE_DOCUMENTS, |row| {
        let document = DocumentEvidence {
            policy_sequence: row.get(0)?,
            sha256: row.get(1)?,
            pdf: sealed(row, 2)?,
            has_policy: row.get(3)?,
        };
        Ok((row.get(0)?, document))
    })
}

fn notices(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, NoticeEvidence)>> {
    let query = "SELECT id, subject, kind, content, cause_message_id FROM notices WHERE id > ?1 ORDER BY id LIMIT ?2";
    page(connection, query, after, PAGE_ROWS, |row| {
        let notice = NoticeEvidence {
            id: row.get(0)?,
            subject: row.get(1)?,
            kind: row.get(2)?,
            content: sealed(row, 3)?,
            cause_message_id: row.get(4)?,
        };
        Ok((row.get(0)?, notice))
    })
}

fn conflicts(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, ConflictEvidence)>> {
    let query = "SELECT message_id, first_message_id, content FROM conflicts WHERE message_id > ?1 \
                 ORDER BY message_id LIMIT ?2";
    page(connection, query, after, PAGE_ROWS, |row| {
        let conflict =
            ConflictEvidence { message_id: row.get(0)?, first_message_id: row.get(1)?, content: sealed(row, 2)? };
        Ok((row.get(0)?, conflict))
    })
}

/// What a check of SQLite's own tells; that it came to an end at a damaged page is told as well.
fn told(
    connection: &Connection,
    pragma: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<String>,
) -> rusqlite::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut check = connection.prepare(pragma)?;
    for line in check.query_map([], |row| read(row))?.take(DAMAGE_LINES) {
        match line {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                lines.push(format!("{pragma} came no further: {error}"));
                break;
            }
            line => lines.push(line?),
        }
    }
    Ok(lines)
}

fn damage(connection: &Connection, check: FileCheck) -> rusqlite::Result<Vec<String>> {
    let pragma = match check {
        FileCheck::Whole => "integrity_check",
        FileCheck::Quick => "quick_check",
    };
    let mut lines = told(connection, &format!("PRAGMA {pragma}({DAMAGE_LINES})"), |row| row.get(0))?;
    lines.retain(|line| line != "ok");
    let dangling = told(connection, "PRAGMA foreign_key_check", |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        let row: Option<i64> = row.get(1)?;
        Ok(format!("row {} of {table} refers to a row of {parent} that is not there", row.unwrap_or_default()))
    })?;
    lines.extend(dangling);
    Ok(lines)
}

impl Evidence for SqliteReader {
    fn damage(&self, check: FileCheck, begin: &mut dyn FnMut(&'static str)) -> Result<Vec<String>, StoreError> {
        begin("the ledger's file");
        self.read_patiently("checking the file", |connection| damage(connection, check))
    }

    fn numbers(&self) -> Result<Vec<NumberUse>, StoreError> {
        self.read_patiently("reading numbers", |connection| {
            let moment = connection.unchecked_transaction()?;
            let uses = [
                (NumberBlock::Policy, "SELECT max(sequence) FROM policies", 1),
                (
                    NumberBlock::Message,
                    "SELECT max(id) FROM (SELECT max(id) AS id FROM messages UNION ALL SELECT max(message_id) FROM answers)",
                    u64::from(BUCKETS),
                ),
                (NumberBlock::Stranger, "SELECT max(number) FROM strangers", 1),
            ];
            let read = |(block, highest, step): (NumberBlock, &str, u64)| {
                let next = "SELECT next FROM number_blocks WHERE name = ?";
                let next = moment.query_row(next, [block.as_str()], |row| row.get(0))?;
                let highest: Option<u64> = moment.query_row(highest, [], |row| row.get(0))?;
                Ok(NumberUse { block, next, highest: highest.map(|highest| highest / step) })
            };
            uses.into_iter().map(read).collect()
        })
    }

    fn last_position(&self) -> Result<u64, StoreError> {
        self.read_patiently("reading the last event", |connection| {
            connection.query_row("SELECT coalesce(max(id), 0) FROM events", [], |row| row.get(0))
        })
    }

    fn has_answer(&self, message_id: u64) -> Result<bool, StoreError> {
        self.read_patiently("looking for an answer", |connection| {
            let query = "SELECT EXISTS (SELECT 1 FROM answers WHERE message_id = ?)";
            connection.prepare_cached(query)?.query_row([message_id], |row| row.get(0))
        })
    }

    fn answers(&self, take: &mut Take<'_, AnswerRow>) -> Result<(), StoreError> {
        self.walk("reading answers", answers, take)
    }

    fn policies(&self, take: &mut Take<'_, LinkedPolicy>) -> Result<(), StoreError> {
        self.walk("reading policies", policies, take)
    }

    fn facts(&self, take: &mut Take<'_, FactRow>) -> Result<(), StoreError> {
        self.walk("reading recoveries", recoveries, take)?;
        self.walk("reading auctions' stages", stages, take)
    }

    fn events(&self, take: &mut Take<'_, EventRow>) -> Result<(), StoreError> {
        self.walk("reading events", events, take)
    }

    fn documents(&self, take: &mut Take<'_, DocumentEvidence>) -> Result<(), StoreError> {
        self.walk("reading documents", documents, take)
    }

    fn notices(&self, take: &mut Take<'_, NoticeEvidence>) -> Result<(), StoreError> {
        self.walk("reading notices", notices, take)
    }

    fn conflicts(&self, take: &mut Take<'_, ConflictEvidence>) -> Result<(), StoreError> {
        self.walk("reading contradictions", conflicts, take)
    }

    fn unfound(&self, policies: &[Parties]) -> Result<Vec<Parties>, StoreError> {
        self.read_patiently("looking for policies by their parties", |connection| {
            people::unfound(&*connection.unchecked_transaction()?, policies)
        })
    }

    /// All of the index is looked into for each policy.
    fn lost(&self, _: &mut Take<'_, Vec<Parties>>) -> Result<(), StoreError> {
        Ok(())
    }

    fn stuck_subjects(&self) -> Result<Vec<String>, StoreError> {
        // Of the row with the least id, as SQLite has it for columns beside one min().
        let query = "SELECT subject, min(id), state FROM notices WHERE state IN ('pending', 'dead') \
                     GROUP BY subject HAVING state = 'pending' AND count(due_ms) = 0";
        self.read_patiently("looking for queues that are stuck", |connection| {
            connection.prepare_cached(query)?.query_map([], |row| row.get(0))?.collect()
        })
    }
}
