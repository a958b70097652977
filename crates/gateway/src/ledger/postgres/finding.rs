//! Looking for what is no policy, in PostgreSQL; and the names of parties, which are in the index with every policy here:
//! this ledger is younger than they are.

use baoqiao_domain::bucket::Bucket;
use tokio_postgres::Row;

use super::connection::Failure;
use super::console::PostgresConsole;
use super::rows::{big, bucket_number, instant, known, number};
use super::unfound;
use crate::ledger::finding::{Finder, StageRecord};
use crate::ledger::names::{PeopleIndex, Unnamed};
use crate::ledger::store::StoreError;
use crate::ledger::verification::evidence::Parties;
use crate::vault::BlindIndex;

fn small(row: &Row, column: usize) -> Result<u8, Failure> {
    known("a small number", u8::try_from(row.try_get::<_, i16>(column)?).ok())
}

fn stage(row: &Row) -> Result<StageRecord, Failure> {
    Ok(StageRecord {
        message_id: number(row, 0)?,
        partner: row.try_get(1)?,
        insurance_type: small(row, 2)?,
        stage: small(row, 3)?,
        status: small(row, 4)?,
        policy_no: row.try_get(5)?,
        occurred_at: instant(row, 6)?,
        recorded_at: instant(row, 7)?,
    })
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Finder for PostgresConsole {
    fn messages_of_uuid(&self, uuid: &str, limit: usize) -> Result<Vec<u64>, StoreError> {
        let query = "SELECT message_id FROM message_uuids WHERE uuid = $1 AND message_id IS NOT NULL LIMIT $2";
        self.read("looking for a message's identity", async |session| {
            session.query(query, &[&uuid, &count(limit)]).await?.iter().map(|row| number(row, 0)).collect()
        })
    }

    fn auction(&self, biz_id: &str, limit: usize) -> Result<Vec<StageRecord>, StoreError> {
        let query = "SELECT message_id, partner, insurance_type, stage, status, policy_no, occurred_ms, recorded_ms \
                     FROM auction_stages WHERE bucket = $1 AND biz_id = $2 ORDER BY ordinal LIMIT $3";
        self.read("looking for an auction", async |session| {
            let bucket = bucket_number(Bucket::of_key(biz_id));
            session.query(query, &[&bucket, &biz_id, &count(limit)]).await?.iter().map(stage).collect()
        })
    }

    fn notices_answered_with(&self, text: &str, newest: u64) -> Result<Vec<u64>, StoreError> {
        let query = "SELECT DISTINCT a.notice_id FROM (SELECT bucket, id FROM notices ORDER BY id DESC LIMIT $1) n \
                     JOIN attempts a ON a.bucket = n.bucket AND a.notice_id = n.id AND strpos(a.detail, $2) > 0 \
                     ORDER BY a.notice_id DESC LIMIT 20";
        self.read("looking for an answer", async |session| {
            session.query(query, &[&big(newest), &text]).await?.iter().map(|row| number(row, 0)).collect()
        })
    }

    fn names_missing_to(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl PeopleIndex for PostgresConsole {
    fn unnamed(&self, _limit: usize) -> Result<Vec<Unnamed>, StoreError> {
        Ok(Vec::new())
    }

    fn name(&self, _rows: &[(u64, Vec<BlindIndex>)], _missing_to: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn put_back(&self, policies: &[Parties]) -> Result<(), StoreError> {
        self.write("putting policies back into the index", async |session| unfound::put_back(session, policies).await)
    }
}
