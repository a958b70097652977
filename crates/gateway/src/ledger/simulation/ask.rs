//! What callers send: few keys and few contents, so that most of it has been sent before.

use std::collections::BTreeMap;

use baoqiao_channels::channel::{CallResult, Reply};
use baoqiao_domain::idempotency::{IdempotencyKey, MessageUuid};
use baoqiao_domain::ledger::Command;
use baoqiao_domain::refusal::Refusal;
use fastrand::Rng;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::ledger::store::Arrival;
use crate::ledger::{Asked, Submission};
use crate::vault::{Sealed, Vault};

/// Sold by `alibaba`, which wants to hear of surrenders, and by `tmall`, which does not.
pub(super) const PARTNERS: [&str; 2] = ["alibaba", "tmall"];
/// Who may rescind what the partner of the same place sold.
pub(super) const SOURCES: [&str; 2] = ["HN_HT_QNW", "XX_TMALL"];
pub(super) const PRODUCT: &str = "CES";
const FOREIGN: &str = "822042111010001111008";
const UNISSUED: &str = "CESI20260102Q00ZZZZZZ";

/// What a message is about, and in which interface it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Issue,
    Recover,
    Rescind,
    Surrender,
    Stage,
    /// Its body is not what its content type says.
    Unreadable,
}

impl Kind {
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::Issue | Self::Unreadable => "qimen/policy-issuing",
            Self::Recover => "qimen/recovery",
            Self::Rescind => "avatar/rescission-notice",
            Self::Surrender => "api/surrender",
            Self::Stage => "api/auction-stage",
        }
    }
}

/// A message as its sender means it.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) uuid: Option<String>,
    /// Its content, field by field.
    pub(super) fields: BTreeMap<&'static str, String>,
}

/// What callers know of each other and of the world.
pub(super) struct Known<'a> {
    /// All that was ever sent.
    pub(super) asks: &'a [Ask],
    /// The policies that there are.
    pub(super) policies: &'a [String],
    /// Of an auction: whose it is, and which stage may come next.
    pub(super) next_stage: &'a dyn Fn(&str) -> (String, String),
}

impl Ask {
    /// Something new about what there is, or a copy of something that was sent before.
    pub(super) fn any(rng: &mut Rng, known: &Known<'_>) -> Self {
        if let Some(before) = rng.choice(known.asks).filter(|_| rng.u8(..3) == 0) {
            // A retry may bring an identity of its own.
            let fresh = before.uuid.as_ref().filter(|_| rng.bool()).map(|_| identity(rng));
            return Self { uuid: fresh.or_else(|| before.uuid.clone()), ..before.clone() };
        }
        let kind = match rng.u8(..20) {
            0..=6 => Kind::Issue,
            7..=9 => Kind::Recover,
            10..=12 => Kind::Rescind,
            13..=14 => Kind::Surrender,
            15..=18 => Kind::Stage,
            _ => Kind::Unreadable,
        };
        let keys = if kind == Kind::Issue { 20 } else { 12 };
        let key = format!("k{}", rng.u8(..keys));
        let uuid = (kind == Kind::Rescind).then(|| identity(rng));
        Self { kind, key, uuid, fields: fields(kind, rng, known) }
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn command(&self) -> Option<Command> {
        let mut content: Map<String, Value> =
            self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let mut add = |more: Value| content.extend(more.as_object().unwrap().clone());
        let key = &self.key;
        match self.kind {
            Kind::Issue => add(json!({
                "identifier": key, "insureId": "1", "productCode": PRODUCT, "insureTime": "2021-08-04T07:23:28Z",
                "effectTime": "2021-08-04T07:23:26Z", "expireTime": "2031-09-12T15:59:59Z", "currency": "CNY",
                "currencyRate": "1", "premiumOfCny": self.field("premium"),
            })),
            Kind::Recover => add(json!({
                "identifier": key, "institution": "I", "productCode": PRODUCT, "recoverAmount": "12", "currency": "CNY",
                "currencyRate": "1", "recoverAmountOfCny": "12",
            })),
            Kind::Rescind => add(json!({
                "interfaceType": "proposalOrder", "orderNo": key, "installmentList": [{"amount": "10.2"}],
            })),
            Kind::Surrender => add(json!({"caller": "core", "surrenderTime": "2026-01-02T03:04:05Z"})),
            Kind::Stage => {
                let number = |name: &str| self.field(name).parse::<u8>().unwrap();
                return Some(Command::ReportAuctionStage(read(json!({
                    "caller": "core", "partner": self.field("partner"), "result": {
                        "bizId": self.field("bizId"), "stage": number("stage"), "status": number("status"),
                        "insuranceType": 1, "timeOfOccurrence": "2025-04-08T01:55:00Z",
                    },
                }))));
            }
            Kind::Unreadable => return None,
        }
        let content = Value::Object(content);
        Some(match self.kind {
            Kind::Issue => Command::IssuePolicy(read(content)),
            Kind::Recover => Command::RecordRecovery(read(content)),
            Kind::Rescind => Command::RescindPolicy(read(content)),
            _ => Command::SurrenderPolicy(read(content)),
        })
    }

    /// The message as the ledger is handed it; `id` stands in the place of the caller's address, and `request` in that of
    /// what was sent.
    pub(super) fn submission(&self, id: &str, request: Sealed, vault: &Vault, received_at: Timestamp) -> Submission {
        let scope = self.kind.scope();
        let asked = self.command().ok_or(Refusal::Malformed { reason: String::new() }).map(|command| {
            let key = IdempotencyKey { scope, key: self.key.clone() };
            let sender = self.field("policySource").to_owned();
            let uuid = self.uuid.clone().map(|uuid| MessageUuid { scope, sender, uuid });
            Asked::new(vault, key, uuid, command).unwrap()
        });
        let arrival = Arrival {
            received_at,
            channel: "simulated",
            scope: Some(scope),
            caller: "simulated".to_owned(),
            secret_index: 0,
            peer: id.to_owned(),
            request,
        };
        Submission { arrival, asked, render: Box::new(render) }
    }
}

fn identity(rng: &mut Rng) -> String {
    format!("u{}", rng.u8(..8))
}

/// Contents that are mostly right.
fn fields(kind: Kind, rng: &mut Rng, known: &Known<'_>) -> BTreeMap<&'static str, String> {
    let policy_no = match rng.u8(..10) {
        0 => FOREIGN.to_owned(),
        1 => UNISSUED.to_owned(),
        _ => rng.choice(known.policies).cloned().unwrap_or_else(|| UNISSUED.to_owned()),
    };
    let mut pick = |choices: &[&str]| rng.choice(choices.iter().copied()).unwrap_or_default().to_owned();
    let partner = pick(&[PARTNERS[0], PARTNERS[0], PARTNERS[1]]);
    let fields = match kind {
        Kind::Issue => vec![
            ("partner", partner),
            ("amount", pick(&["1018.0", "1018.0", "1018.0", "2000"])),
            // Nought is less than the product's least.
            ("premium", pick(&["6.36", "6.36", "6.36", "6.36", "6.36", "0"])),
        ],
        Kind::Recover => vec![("partner", partner), ("policyNo", policy_no), ("caseNo", pick(&["1", "1", "2"]))],
        Kind::Rescind => vec![
            ("policySource", pick(&[SOURCES[0], SOURCES[0], SOURCES[1]])),
            ("policyNo", policy_no),
            // 10.3 is not what its parts add up to.
            ("secondRefundAmount", pick(&["10.2", "10.2", "10.2", "10.3"])),
        ],
        Kind::Surrender => vec![("policyNo", policy_no), ("refundMoney", pick(&["1", "1", "2"]))],
        Kind::Stage => {
            let biz_id = pick(&["b1", "b1", "b1", "b2"]);
            let (owner, next) = (known.next_stage)(&biz_id);
            let stage = if pick(&["next", "next", "next", "next", "any"]) == "next" {
                next
            } else {
                pick(&["1", "2", "3", "4", "5"])
            };
            let partner = if pick(&["owner", "owner", "owner", "owner", "any"]) == "owner" { owner } else { partner };
            vec![
                ("partner", partner),
                ("bizId", biz_id),
                ("stage", stage),
                ("status", pick(&["1", "1", "1", "1", "2"])),
            ]
        }
        Kind::Unreadable => Vec::new(),
    };
    fields.into_iter().collect()
}

#[allow(clippy::unnecessary_box_returns, reason = "commands hold their content so")]
fn read<T: DeserializeOwned>(content: Value) -> Box<T> {
    Box::new(serde_json::from_value(content).unwrap())
}

/// An answer as it is kept, or a refusal's code and text.
fn render(result: &CallResult, _: Timestamp) -> Reply {
    let body = match result {
        Ok(outcome) => serde_json::to_vec(outcome).unwrap(),
        Err(refusal) => format!("{}: {}", refusal.code(), refusal.public_message()).into_bytes(),
    };
    Reply { status: 200, content_type: "application/json", body }
}
