//! What the platform was told: all that it must be, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::{Accepted, Acknowledged, Arrival, Evidence, Law, Violation};
use crate::order::Notice;

pub(super) fn violations(evidence: &Evidence, acknowledged: &Acknowledged<'_>) -> Vec<Violation> {
    let due: BTreeMap<Notice, &Accepted<'_>> =
        acknowledged.values().filter_map(|accepted| Some((accepted.order.notice()?, accepted))).collect();
    let taken: BTreeSet<&Notice> =
        evidence.arrivals.iter().filter(|arrival| arrival.taken).map(|arrival| &arrival.notice).collect();
    let mut found = Vec::new();
    let mut broken = |law, detail: String| found.push(Violation { law, detail });
    for notice in due.keys().filter(|notice| !taken.contains(notice)) {
        broken(Law::Noticed, format!("the platform never took {notice:?}"));
    }
    for (subject, marks) in by_subject(&evidence.arrivals) {
        let mut seen = BTreeSet::new();
        // The earliest that a cause of what is still to come was acknowledged.
        let mut later = u64::MAX;
        for mark in marks.iter().rev() {
            let notice = Notice { subject: subject.to_owned(), mark: (*mark).to_owned() };
            if !seen.insert(*mark) {
                broken(Law::NoticesInOrder, format!("{notice:?} came again after another"));
            }
            let Some(cause) = due.get(&notice) else {
                broken(Law::Noticed, format!("the platform was told {notice:?}, of which nobody was told yes"));
                continue;
            };
            if later < cause.begun {
                broken(Law::NoticesInOrder, format!("{notice:?} overtook one whose cause had come before"));
            }
            later = later.min(cause.acknowledged);
        }
    }
    found
}

/// The marks of each subject in the order of arrival; what came again at once counts once.
fn by_subject(arrivals: &[Arrival]) -> BTreeMap<&str, Vec<&str>> {
    let mut subjects: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Arrival { notice, .. } in arrivals {
        let marks = subjects.entry(notice.subject.as_str()).or_default();
        if marks.last() != Some(&notice.mark.as_str()) {
            marks.push(&notice.mark);
        }
    }
    subjects
}
