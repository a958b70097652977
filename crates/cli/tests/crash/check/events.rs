//! What the event feed told: each acknowledged command once, in order, the same to all readers.

use std::collections::BTreeMap;

use super::{Acknowledged, Evidence, Law, Violation};
use crate::order::Fact;

pub(super) fn violations(evidence: &Evidence, acknowledged: &Acknowledged<'_>) -> Vec<Violation> {
    let events = &evidence.census.events;
    let mut found = Vec::new();
    let mut broken = |law, detail: String| found.push(Violation { law, detail });
    let mut due: BTreeMap<Fact, _> =
        acknowledged.values().map(|accepted| (accepted.order.fact(), Some(accepted))).collect();
    let mut told = Vec::new();
    for event in events {
        match due.get_mut(&event.fact).map(Option::take) {
            None => broken(Law::Told, format!("{:?} was told, of which nobody was told yes", event.fact)),
            Some(None) => broken(Law::Told, format!("{:?} was told twice", event.fact)),
            Some(Some(cause)) => told.push((&event.fact, cause)),
        }
    }
    // The earliest that a cause of what is told later was acknowledged.
    let mut later = u64::MAX;
    for (fact, cause) in told.into_iter().rev() {
        if later < cause.begun {
            broken(Law::FeedInOrder, format!("{fact:?} was told before what came before it"));
        }
        later = later.min(cause.acknowledged);
    }
    for (fact, _) in due.iter().filter(|(_, cause)| cause.is_some()) {
        broken(Law::Told, format!("{fact:?} was never told"));
    }
    for pair in events.windows(2) {
        if pair[0].id >= pair[1].id {
            broken(Law::FeedInOrder, format!("event {} follows event {}", pair[1].id, pair[0].id));
        }
    }
    for (reader, followed) in evidence.census.followed.iter().enumerate() {
        if followed != events {
            let at = followed.iter().zip(events).position(|(one, other)| one != other);
            let at = at.unwrap_or(followed.len().min(events.len()));
            let (read, told) = (followed.get(at), events.get(at));
            broken(Law::FeedInOrder, format!("reader {reader} read {read:?} where the feed has {told:?}"));
        }
    }
    found
}
