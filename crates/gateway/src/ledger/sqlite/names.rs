//! What is put into SQLite's blind index afterwards: as earlier versions wrote it, since runs are closed.

use super::console::SqliteConsole;
use super::people::segment;
use crate::ledger::names::{PeopleIndex, Unnamed};
use crate::ledger::store::StoreError;
use crate::ledger::verification::evidence::Parties;
use crate::vault::{BlindIndex, Sealed};

impl PeopleIndex for SqliteConsole {
    fn unnamed(&self, limit: usize) -> Result<Vec<Unnamed>, StoreError> {
        let query = "SELECT p.sequence, a.content FROM policies p JOIN answers a ON a.message_id = p.content_id \
                     WHERE p.sequence <= (SELECT missing_to FROM name_index) ORDER BY p.sequence DESC LIMIT ?";
        self.read("reading policies to be named", |connection| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Unnamed { policy_sequence: row.get(0)?, content: Sealed::from_stored(row.get(1)?) })
            };
            connection.prepare_cached(query)?.query_map([limit], read)?.collect()
        })
    }

    fn name(&self, rows: &[(u64, Vec<BlindIndex>)], missing_to: u64) -> Result<(), StoreError> {
        self.write("naming policies", true, |transaction| {
            for (sequence, people) in rows {
                people.iter().try_for_each(|person| segment::write(transaction, &person.0, *sequence))?;
            }
            transaction.execute("UPDATE name_index SET missing_to = ?", [missing_to]).map(|_| ())
        })
    }

    fn put_back(&self, policies: &[Parties]) -> Result<(), StoreError> {
        self.write("putting policies back into the index", true, |transaction| {
            for parties in policies {
                let sequence = parties.policy_no.sequence();
                parties.people.iter().try_for_each(|person| segment::write(transaction, &person.0, sequence))?;
            }
            Ok(())
        })
    }
}
