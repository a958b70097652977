//! The orders to send again, in PostgreSQL.

use baoqiao_domain::idempotency::Fingerprint;

use super::connection::{Connection, Failure};
use super::rows::{digest, instant, known, millis};
use crate::ledger::resends::{ResendLog, ResendRow};
use crate::ledger::store::StoreError;

/// PostgreSQL as the record of orders to send again.
pub struct PostgresResends(pub(super) Connection);

impl ResendLog for PostgresResends {
    fn begin(&mut self, key: &str, row: &ResendRow) -> Result<Option<ResendRow>, StoreError> {
        self.0.run("noting an order to send again", async |session| {
            let insert = "INSERT INTO resends (key, fingerprint, content, asked_by, asked_ms) \
                          VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
            let (fingerprint, asked_ms) = (row.fingerprint.0.as_slice(), millis(row.asked_at));
            let values: [super::connection::Parameter<'_>; 5] =
                [&key, &fingerprint, &row.content, &row.asked_by, &asked_ms];
            if session.execute(insert, &values).await? > 0 {
                return Ok(None);
            }
            let find = "SELECT fingerprint, content, asked_by, asked_ms, answer FROM resends WHERE key = $1";
            let Some(found) = session.query_opt(find, &[&key]).await? else {
                return Err(Failure::LostRace("an order to send again"));
            };
            Ok(Some(ResendRow {
                fingerprint: Fingerprint(digest(&found, 0)?),
                content: found.try_get(1)?,
                asked_by: found.try_get(2)?,
                asked_at: instant(&found, 3)?,
                answer: found.try_get(4)?,
            }))
        })
    }

    fn finish(&mut self, key: &str, answer: &str) -> Result<String, StoreError> {
        let keep = "UPDATE resends SET answer = coalesce(answer, $2) WHERE key = $1 RETURNING answer";
        self.0.run("keeping what was sent again", async |session| {
            Ok(known("an order to send again", session.query_opt(keep, &[&key, &answer]).await?)?.try_get(0)?)
        })
    }
}
