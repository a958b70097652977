//! Readers beside the writers.

use std::sync::Arc;

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::policy_number::PolicyNumber;

use super::people;
use super::pool::Pool;
use super::rows::{big, bucket_number, digest, instant, policy_columns, policy_record, sealed};
use super::settings::Settings;
use crate::ledger::store::{DocumentRow, PolicyRecord, Reader, StoreError};
use crate::vault::BlindIndex;

/// PostgreSQL as the ledger's reading side.
pub struct PostgresReader(pub(super) Pool);

impl PostgresReader {
    pub(super) fn new(settings: Arc<Settings>, connections: usize) -> Self {
        Self(Pool::new(settings, connections))
    }
}

/// Joins a policy with the answer in whose content its parties are.
macro_rules! with_content {
    () => {
        "JOIN answers a ON a.bucket = p.bucket AND a.scope = p.content_scope AND a.key = p.content_key"
    };
}

impl Reader for PostgresReader {
    fn policy(&self, number: &PolicyNumber) -> Result<Option<PolicyRecord>, StoreError> {
        let query = concat!(
            "SELECT ",
            policy_columns!(),
            ", a.content FROM policies p ",
            with_content!(),
            " WHERE p.bucket = $1 AND p.sequence = $2 AND p.policy_no = $3"
        );
        self.0.read("reading a policy", async |session| {
            let (bucket, sequence) = (bucket_number(number.bucket()), big(number.sequence()));
            let row = session.query_opt(query, &[&bucket, &sequence, &number.as_str()]).await?;
            row.as_ref().map(policy_record).transpose()
        })
    }

    fn policy_by_key(&self, scope: &str, key: &str) -> Result<Option<PolicyRecord>, StoreError> {
        let query = concat!(
            "SELECT ",
            policy_columns!(),
            ", a.content FROM answers a JOIN policies p ON p.bucket = a.bucket AND p.sequence = a.policy_sequence \
             WHERE a.bucket = $1 AND a.scope = $2 AND a.key = $3"
        );
        self.0.read("reading a policy by its key", async |session| {
            let bucket = bucket_number(Bucket::of_key(key));
            let row = session.query_opt(query, &[&bucket, &scope, &key]).await?;
            row.as_ref().map(policy_record).transpose()
        })
    }

    fn policies_of_person(&self, person: BlindIndex, limit: usize) -> Result<Vec<PolicyRecord>, StoreError> {
        let query = concat!(
            "SELECT ",
            policy_columns!(),
            ", a.content FROM unnest($1::smallint[], $2::bigint[]) AS n (bucket, sequence) \
             JOIN policies p ON p.bucket = n.bucket AND p.sequence = n.sequence ",
            with_content!(),
            " ORDER BY p.sequence DESC"
        );
        self.0.read("reading a person's policies", async |session| {
            let (buckets, sequences) = people::find(session, person, limit).await?;
            let rows = session.query(query, &[&buckets, &sequences]).await?;
            rows.iter().map(policy_record).collect()
        })
    }

    fn document(&self, policy_no: &PolicyNumber) -> Result<Option<DocumentRow>, StoreError> {
        let query = "SELECT sha256, template_sha256, made_ms, pdf FROM documents \
                     WHERE bucket = $1 AND policy_sequence = $2";
        self.0.read("reading a document", async |session| {
            let (bucket, sequence) = (bucket_number(policy_no.bucket()), big(policy_no.sequence()));
            let Some(row) = session.query_opt(query, &[&bucket, &sequence]).await? else { return Ok(None) };
            Ok(Some(DocumentRow {
                policy_no: policy_no.clone(),
                sha256: digest(&row, 0)?,
                template_sha256: digest(&row, 1)?,
                made_at: instant(&row, 2)?,
                pdf: sealed(&row, 3)?,
            }))
        })
    }
}
