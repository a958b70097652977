//! The newest of what a search finds, and no more than is asked for.

use std::collections::BTreeSet;

/// Numbers of policies, of which the highest are kept.
pub(super) struct Newest {
    policies: BTreeSet<u64>,
    limit: usize,
}

impl Newest {
    pub(super) fn new(limit: usize) -> Self {
        Self { policies: BTreeSet::new(), limit }
    }

    pub(super) fn add(&mut self, policies: impl IntoIterator<Item = u64>) {
        for policy in policies {
            self.policies.insert(policy);
            if self.policies.len() > self.limit {
                self.policies.pop_first();
            }
        }
    }

    /// The newest first.
    pub(super) fn into_iter(self) -> impl Iterator<Item = u64> {
        self.policies.into_iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_policies_are_kept_than_are_asked_for_and_those_are_the_newest() {
        let mut newest = Newest::new(2);
        newest.add([5, 9, 5, 7]);
        newest.add([1, 8]);
        assert_eq!(newest.into_iter().collect::<Vec<_>>(), [9, 8]);
    }
}
