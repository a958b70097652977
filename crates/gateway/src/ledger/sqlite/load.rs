//! What a batch refers to, as far as the ledger holds it.

use rusqlite::{Row, Transaction};

use baoqiao_domain::auction::AuctionCase;
use baoqiao_domain::idempotency::{Fingerprint, IdempotencyKey, MessageUuid};
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;

use super::none_if_no_row;
use super::rows::{json, policy};
use crate::ledger::store::{Loaded, StoredAnswer, Wanted};
use crate::vault::Sealed;

pub(super) fn wanted(transaction: &Transaction<'_>, wanted: &Wanted<'_>) -> rusqlite::Result<Loaded> {
    let found = |row: rusqlite::Result<Option<Policy>>| row.transpose();
    Ok(Loaded {
        answers: wanted.keys.iter().map(|wanted| answer(transaction, wanted.key)).collect::<Result<_, _>>()?,
        uuids: wanted
            .uuids
            .iter()
            .filter_map(|wanted| uuid(transaction, wanted.uuid).transpose())
            .collect::<Result<_, _>>()?,
        policies: wanted
            .policies
            .iter()
            .filter_map(|number| found(policy_of(transaction, number)))
            .collect::<Result<_, _>>()?,
        auctions: wanted
            .auctions
            .iter()
            .filter_map(|biz_id| auction(transaction, biz_id).transpose())
            .collect::<Result<_, _>>()?,
    })
}

fn answer(transaction: &Transaction<'_>, key: &IdempotencyKey) -> rusqlite::Result<Option<StoredAnswer>> {
    let query = "SELECT message_id, fingerprint, content, outcome FROM answers WHERE scope = ? AND key = ?";
    let read = |row: &Row<'_>| {
        Ok(StoredAnswer {
            message_id: row.get(0)?,
            fingerprint: Fingerprint(row.get(1)?),
            content: Sealed::from_stored(row.get(2)?),
            outcome: Sealed::from_stored(row.get(3)?),
        })
    };
    transaction.prepare_cached(query)?.query_row((key.scope, &key.key), read).map(Some).or_else(none_if_no_row)
}

fn uuid(transaction: &Transaction<'_>, uuid: &MessageUuid) -> rusqlite::Result<Option<(MessageUuid, Fingerprint)>> {
    let query = "SELECT fingerprint FROM message_uuids WHERE scope = ? AND sender = ? AND uuid = ?";
    let read = |row: &Row<'_>| Ok((uuid.clone(), Fingerprint(row.get(0)?)));
    let parameters = (uuid.scope, &uuid.sender, &uuid.uuid);
    transaction.prepare_cached(query)?.query_row(parameters, read).map(Some).or_else(none_if_no_row)
}

fn policy_of(transaction: &Transaction<'_>, number: &PolicyNumber) -> rusqlite::Result<Option<Policy>> {
    let query = "SELECT policy_no, partner, product_code, identifier, insure_id, amount, premium, premium_of_cny, \
                 currency, effect_ms, expire_ms, issued_ms, state FROM policies WHERE sequence = ? AND policy_no = ?";
    let parameters = (number.sequence(), number.as_str());
    transaction.prepare_cached(query)?.query_row(parameters, policy).map(Some).or_else(none_if_no_row)
}

fn auction(transaction: &Transaction<'_>, biz_id: &str) -> rusqlite::Result<Option<AuctionCase>> {
    let query = "SELECT partner, progress FROM auction_cases WHERE biz_id = ?";
    let read =
        |row: &Row<'_>| Ok(AuctionCase { biz_id: biz_id.to_owned(), partner: row.get(0)?, progress: json(row, 1)? });
    transaction.prepare_cached(query)?.query_row([biz_id], read).map(Some).or_else(none_if_no_row)
}
