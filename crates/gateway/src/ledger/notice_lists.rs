//! Among which notices those that fit a filter are looked for.
//!
//! Most notices are delivered. The few that are not have indexes of their own, and the others are found by what there is
//! an index for. What is left of the filter is put over the rows that a call looks at, which are no more than its share.

use crate::outbox::store::{Filter, NoticeState};

/// The most notices that are counted as waiting for another.
pub(super) const MAX_WAITING: u64 = 1_000;

/// The notices that are looked at, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// Those that were given up.
    Dead,
    /// Those that were passed over.
    Skipped,
    /// Those of the filter's subject that are open.
    OpenOfSubject,
    /// All that are open, sorted: where they are no more than one call's share.
    Open,
    /// Those of the filter's subject.
    Subject,
    /// Those of the filter's partner.
    Partner,
    /// Those of the filter's kind.
    Kind,
    /// All.
    All,
}

impl Walk {
    /// The shortest walk that misses nothing.
    pub(super) fn of(filter: &Filter) -> Self {
        match filter.state {
            Some(NoticeState::Dead) => Self::Dead,
            Some(NoticeState::Skipped) => Self::Skipped,
            Some(NoticeState::Pending) if filter.subject.is_some() => Self::OpenOfSubject,
            Some(NoticeState::Pending) => Self::Open,
            Some(NoticeState::Delivered) | None => Self::whatever_the_state(filter),
        }
    }

    /// The walk where too many are open to be sorted: no index has the open ones in the order of the list, as it would
    /// cost each delivery.
    pub(super) fn whatever_the_state(filter: &Filter) -> Self {
        if filter.subject.is_some() {
            Self::Subject
        } else if filter.partner.is_some() {
            Self::Partner
        } else if filter.kind.is_some() {
            Self::Kind
        } else {
            Self::All
        }
    }
}
