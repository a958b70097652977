//! What clients do: lives of policies and auctions, drawn from a seed.

use std::sync::Arc;

use baoqiao_simulator::example::ISSUING_REQUEST;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::Clients;
use crate::journal::Answer;
use crate::order::{Interface, Order};

const RECOVERY_REQUEST: &str = include_str!("../../../channels/src/qimen/golden/recovery/example.json");
const RESCISSION_REQUEST: &str = include_str!("../../../channels/src/avatar/golden/rescission_notice/example.json");

/// One client, that lives one life after the other.
pub(crate) struct Actor {
    clients: Arc<Clients>,
    rng: Rng,
    name: String,
    made: u64,
}

impl Actor {
    /// A client whose keys begin with `name`.
    pub(crate) fn new(clients: Arc<Clients>, rng: Rng, name: String) -> Self {
        Self { clients, rng, name, made: 0 }
    }

    /// Goes on until it is told to stop, and then ends the life that it is at.
    pub(crate) async fn run(mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.rng.u8(..100) {
                0..3 => self.opposite_orders().await,
                3..25 => self.auction().await,
                _ => self.policy().await,
            }
        }
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn key(&mut self) -> String {
        self.made += 1;
        format!("{}-{}", self.name, self.made)
    }

    /// Sends an order in one of the ways that platforms have, until it is answered.
    async fn have(&mut self, order: &Arc<Order>) -> Answer {
        let clients = Arc::clone(&self.clients);
        match self.rng.u8(..100) {
            0..15 => clients.in_copies(order, self.rng.usize(2..6), &mut self.rng).await,
            15..30 => clients.hang_up(order, &mut self.rng).await,
            _ => (),
        }
        let answer = clients.until_answered(order, &mut self.rng).await;
        if self.chance(20) {
            clients.until_answered(order, &mut self.rng).await;
        }
        answer
    }

    /// Sends two orders at the same moment, until both are answered.
    async fn have_both(&mut self, one: &Arc<Order>, other: &Arc<Order>) -> (Answer, Answer) {
        let (mut first, mut second) = (self.rng.fork(), self.rng.fork());
        let clients = Arc::clone(&self.clients);
        tokio::join!(clients.until_answered(one, &mut first), clients.until_answered(other, &mut second))
    }

    /// Sends the same issuings to two gateways at once, to one of them from the last to the first.
    async fn opposite_orders(&mut self) {
        let orders: Vec<_> = (0..20).map(|_| issuing(&self.key(), self.rng.u32(1..1_000))).collect();
        let back: Vec<_> = orders.iter().rev().cloned().collect();
        let clients = Arc::clone(&self.clients);
        let node = self.rng.usize(..6);
        let (one, other) = (self.rng.fork(), self.rng.fork());
        tokio::join!(
            clients.until_all_answered(Some(node), orders, one),
            clients.until_all_answered(Some(node + 1), back, other),
        );
    }

    async fn policy(&mut self) {
        let key = self.key();
        let units = self.rng.u32(1..1_000);
        let order = issuing(&key, units);
        let answer = if self.chance(10) {
            // The platform makes up its mind twice: one of the two is the policy.
            let rival = issuing(&key, units + 1);
            let (one, other) = self.have_both(&order, &rival).await;
            if matches!(one, Answer::Accepted(_)) { one } else { other }
        } else {
            self.have(&order).await
        };
        if self.chance(10) {
            self.have(&issuing(&key, units + 2)).await;
        }
        let Some(policy_no) = policy_no(&answer) else { return };
        if self.chance(30) {
            let recovery = recovery(&self.key(), &policy_no);
            self.have(&recovery).await;
        }
        match self.rng.u8(..100) {
            0..25 => {
                let rescission = rescission(&self.key(), &policy_no, self.rng.u32(1..1_000));
                self.have(&rescission).await;
            }
            25..50 => {
                let surrender = surrender(&self.key(), &policy_no, self.rng.u32(1..1_000));
                self.have(&surrender).await;
            }
            50..60 => {
                let rescission = rescission(&self.key(), &policy_no, self.rng.u32(1..1_000));
                let surrender = surrender(&self.key(), &policy_no, self.rng.u32(1..1_000));
                self.have_both(&rescission, &surrender).await;
            }
            _ => (),
        }
    }

    /// Stages in their order, with failures between, endorsements, and perhaps an end.
    async fn auction(&mut self) {
        let biz_id = self.key();
        let mut reported = 0;
        for stage in [1, 2, 3] {
            while self.chance(20) {
                self.report(&biz_id, stage, 2, &mut reported).await;
            }
            self.report(&biz_id, stage, 1, &mut reported).await;
        }
        while self.chance(50) {
            self.report(&biz_id, 5, 1, &mut reported).await;
        }
        if self.chance(50) {
            self.report(&biz_id, 4, 1, &mut reported).await;
        }
    }

    async fn report(&mut self, biz_id: &str, stage: u8, status: u8, reported: &mut i64) {
        *reported += 1;
        let report = auction_stage(&self.key(), biz_id, stage, status, *reported);
        self.have(&report).await;
    }
}

fn order(interface: Interface, key: &str, subject: &str, content: Value) -> Arc<Order> {
    Arc::new(Order { interface, key: key.to_owned(), subject: subject.to_owned(), content })
}

fn policy_no(answer: &Answer) -> Option<String> {
    let Answer::Accepted(said) = answer else { return None };
    let said: Value = serde_json::from_str(said).ok()?;
    Some(said.pointer("/context/policyNo")?.as_str()?.to_owned())
}

/// The document's example with its own key, its premium in whole units of 1 yuan for 160.
pub(crate) fn issuing(key: &str, units: u32) -> Arc<Order> {
    let mut content: Value = serde_json::from_str(ISSUING_REQUEST).unwrap();
    let (amount, premium) = (json!((units * 160).to_string()), json!(units.to_string()));
    for (field, value) in
        [("amount", &amount), ("amountOfCny", &amount), ("premium", &premium), ("premiumOfCny", &premium)]
    {
        content[field] = value.clone();
    }
    content["identifier"] = key.into();
    content["insureId"] = format!("I-{key}").into();
    order(Interface::Issuing, key, key, content)
}

fn recovery(key: &str, policy_no: &str) -> Arc<Order> {
    let mut content: Value = serde_json::from_str(RECOVERY_REQUEST).unwrap();
    content["identifier"] = key.into();
    content["recoverStreamId"] = format!("R-{key}").into();
    content["policyNo"] = policy_no.into();
    order(Interface::Recovery, key, policy_no, content)
}

fn rescission(key: &str, policy_no: &str, refund: u32) -> Arc<Order> {
    let mut content: Value = serde_json::from_str(RESCISSION_REQUEST).unwrap();
    content["head"]["orderNo"] = key.into();
    content["secondRefundReq"]["policyNo"] = policy_no.into();
    content["secondRefundReq"]["secondRefundAmount"] = refund.into();
    content["secondRefundReq"]["installmentList"][0]["amount"] = refund.into();
    order(Interface::Rescission, key, policy_no, content)
}

fn surrender(key: &str, policy_no: &str, refund: u32) -> Arc<Order> {
    let content = json!({
        "refundMoney": refund.to_string(), "endorsementNo": key, "surrenderTime": "2026-01-02T03:04:05Z",
    });
    order(Interface::Surrender, key, policy_no, content)
}

/// A stage that occurred a second after the one before; the key comes back to light in the notice.
fn auction_stage(key: &str, biz_id: &str, stage: u8, status: u8, number: i64) -> Arc<Order> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let time = (start + SignedDuration::from_secs(number)).to_string();
    let content = json!({
        "partner": "alibaba", "insuranceType": 1, "stage": stage, "status": status,
        "timeOfOccurrence": time, "requestId": key,
    });
    order(Interface::AuctionStage, key, biz_id, content)
}
