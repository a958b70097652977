//! What the ledger shows in the end to whoever asks over the wire: its lists, and the event feed from its beginning.

use std::fmt::Write as _;

use baoqiao_testkit::http::get;
use fastrand::Rng;
use serde_json::Value;
use tokio::sync::watch;

use crate::fleet::{Addresses, TOKEN};
use crate::order::Fact;

/// A policy in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) identifier: String,
    pub(crate) policy_no: String,
    pub(crate) state: String,
}

/// An event in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: u64,
    pub(crate) fact: Fact,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) policies: Vec<Listed>,
    /// The identifiers of the recoveries.
    pub(crate) recoveries: Vec<String>,
    /// The feed, read from its beginning when all was over.
    pub(crate) events: Vec<Seen>,
    /// What each reader got who had followed the feed all along, from whichever gateway was up.
    pub(crate) followed: Vec<Vec<Seen>>,
}

impl Census {
    /// Asks for everything.
    pub(crate) async fn take(addresses: &Addresses) -> Self {
        let policies = all_pages(addresses, "policies").await;
        let recoveries = all_pages(addresses, "recoveries").await;
        let mut events = Vec::new();
        to_the_end(addresses, &mut events).await;
        let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
        Self {
            policies: policies
                .iter()
                .map(|item| Listed {
                    identifier: text(item, "identifier"),
                    policy_no: text(item, "policyNo"),
                    state: text(item, "state"),
                })
                .collect(),
            recoveries: recoveries.iter().map(|item| text(item, "identifier")).collect(),
            events,
            followed: Vec::new(),
        }
    }
}

/// Asks one gateway or another of those that are up; the problem, where there is no good answer.
async fn ask(addresses: &Addresses, path: &str) -> Result<Value, String> {
    let url = format!("{}/api/v1/{path}", addresses.choose(&mut Rng::new()).await);
    let answer = get(&url, &[("authorization", &format!("Bearer {TOKEN}"))]).await;
    let (status, _, body) = answer.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&body);
    if status == 200 { Ok(serde_json::from_str(&text).unwrap()) } else { Err(format!("{status} {text}")) }
}

/// A notice to the platform, as the list of deliveries shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The policy or the auction.
    pub(crate) about: String,
    pub(crate) is_delivered: bool,
}

/// All notices that there are, sent or not, in the order in which they came about.
pub(crate) async fn deliveries(addresses: &Addresses) -> Vec<Delivery> {
    let items = all_pages(addresses, "deliveries").await;
    let delivery = |item: &Value| {
        let (_, about) = item["subject"].as_str().unwrap().split_once(':').unwrap();
        Delivery { about: about.to_owned(), is_delivered: item["state"] == "delivered" }
    };
    items.iter().rev().map(delivery).collect()
}

async fn all_pages(addresses: &Addresses, list: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), format!("{list}?limit=200"));
    loop {
        let page = ask(addresses, &path).await;
        let mut page = page.unwrap_or_else(|problem| panic!("{path}, with nothing killed any more: {problem}"));
        items.append(page["items"].as_array_mut().unwrap());
        let Some(next) = page["next"].as_str() else { return items };
        path = format!("{list}?limit=200&cursor={next}");
    }
}

/// Reads what comes after the last event that is known; gives how many there were, `None` where the gateway failed.
async fn read_on(addresses: &Addresses, known: &mut Vec<Seen>, wait_s: u64) -> Option<usize> {
    let mut path = format!("events?limit=200&after={}", known.last().map_or(0, |event| event.id));
    let _ = write!(path, "&wait_s={wait_s}");
    let page = ask(addresses, &path).await.ok()?;
    let events = page["events"].as_array().unwrap();
    known.extend(events.iter().map(|event| Seen {
        id: event["id"].as_u64().unwrap(),
        fact: Fact::told(event["type"].as_str().unwrap(), &event["data"]),
    }));
    Some(events.len())
}

/// Reads until nothing more comes for so long that an event which is written and not yet in the feed would have come.
async fn to_the_end(addresses: &Addresses, known: &mut Vec<Seen>) {
    while read_on(addresses, known, addresses.feed_lag_s).await != Some(0) {}
}

/// Follows the feed as a core system does, over whatever happens to the gateways, until `stop`; then to its end.
pub(crate) async fn follow(addresses: Addresses, mut stop: watch::Receiver<bool>) -> Vec<Seen> {
    let mut known = Vec::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            // Cut off before its answer is taken in, a call has added nothing.
            _ = read_on(&addresses, &mut known, 5) => (),
        }
    }
    to_the_end(&addresses, &mut known).await;
    known
}
