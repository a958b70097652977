//! How often somebody may try to sign in: so many failures a user and an address, then a wait that grows.
//!
//! Counted in memory, under a bound, by the owned clock. A name that does not exist counts as one that does, so that
//! nothing is learnt from being told to wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Failures that cost nothing.
const FREE_FOR_USER: u32 = 5;
const FREE_FOR_ADDRESS: u32 = 20;
/// What the first failure beyond those costs; each further one costs twice as much as the one before.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(15);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// After so long without a failure, all is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(60);
/// The most users and addresses remembered; beyond it, the ones that failed longest ago make room.
const MAX_REMEMBERED: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    User(String),
    Address(String),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// Failed attempts to sign in.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<Who, Failures>>);

fn wait(who: &Who, failures: Failures) -> SignedDuration {
    let free = match who {
        Who::User(_) => FREE_FOR_USER,
        Who::Address(_) => FREE_FOR_ADDRESS,
    };
    let Some(beyond) = failures.count.checked_sub(free) else { return SignedDuration::ZERO };
    let factor = 1_i32 << beyond.min(16);
    FIRST_WAIT.checked_mul(factor).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

fn both(user: &str, address: &str) -> [Who; 2] {
    [Who::User(user.to_lowercase()), whose(address)]
}

/// Whose an address is. Of IPv6 the first half tells: whoever has one address has all that share it.
fn whose(address: &str) -> Who {
    Who::Address(match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            format!("{network}/64")
        }
        _ => address.to_owned(),
    })
}

impl Attempts {
    /// Until when this user may not try from this address; `None` when they may.
    pub fn refused_until(&self, user: &str, address: &str, now: Timestamp) -> Option<Timestamp> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = both(user, address).into_iter().filter_map(|who| {
            let failures = remembered.get(&who)?;
            Some(failures.last + wait(&who, *failures))
        });
        until.max().filter(|until| *until > now)
    }

    /// Until when nobody may try from this address, where no user is named; `None` when they may.
    pub fn address_refused_until(&self, address: &str, now: Timestamp) -> Option<Timestamp> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let who = whose(address);
        let failures = remembered.get(&who)?;
        Some(failures.last + wait(&who, *failures)).filter(|until| *until > now)
    }

    /// Counts a failure.
    pub fn failed(&self, user: &str, address: &str, now: Timestamp) {
        self.count(both(user, address), now);
    }

    /// Counts a failure in which no user was named.
    pub fn address_failed(&self, address: &str, now: Timestamp) {
        self.count([whose(address)], now);
    }

    fn count(&self, whose: impl IntoIterator<Item = Who>, now: Timestamp) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for who in whose {
            make_room(&mut remembered, now);
            let failures = remembered.entry(who).or_insert(Failures { count: 0, last: now });
            if now.duration_since(failures.last) >= FORGOTTEN_AFTER {
                failures.count = 0;
            }
            *failures = Failures { count: failures.count.saturating_add(1), last: now };
        }
    }

    /// Forgets a user's failures; those of the address stay, since one right password proves nothing about the rest.
    pub fn succeeded(&self, user: &str) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.remove(&Who::User(user.to_lowercase()));
    }
}

fn make_room(remembered: &mut HashMap<Who, Failures>, now: Timestamp) {
    if remembered.len() < MAX_REMEMBERED {
        return;
    }
    remembered.retain(|_, failures| now.duration_since(failures.last) < FORGOTTEN_AFTER);
    if remembered.len() >= MAX_REMEMBERED
        && let Some(oldest) = remembered.iter().min_by_key(|(_, failures)| failures.last).map(|(who, _)| who.clone())
    {
        remembered.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn failures_beyond_the_free_ones_cost_twice_as_long_each_time() {
        let attempts = Attempts::default();
        for second in 0..4 {
            attempts.failed("Li", "192.0.2.1", at(second));
            assert_eq!(attempts.refused_until("li", "192.0.2.9", at(second)), None);
        }
        attempts.failed("li", "192.0.2.1", at(10));
        assert_eq!(attempts.refused_until("LI", "192.0.2.9", at(11)), Some(at(25)));
        assert_eq!(attempts.refused_until("li", "192.0.2.9", at(25)), None);
        attempts.failed("li", "192.0.2.1", at(30));
        assert_eq!(attempts.refused_until("li", "192.0.2.9", at(31)), Some(at(60)));
        assert_eq!(attempts.refused_until("wang", "192.0.2.1", at(31)), None, "the address has failures left");
        attempts.succeeded("li");
        assert_eq!(attempts.refused_until("li", "192.0.2.9", at(31)), None);
    }

    #[test]
    fn an_address_that_tries_many_names_waits_whoever_it_names() {
        let attempts = Attempts::default();
        for second in 0..20 {
            attempts.failed(&format!("user{second}"), "192.0.2.1", at(second));
        }
        assert_eq!(attempts.refused_until("somebody", "192.0.2.1", at(20)), Some(at(34)));
        assert_eq!(attempts.refused_until("somebody", "192.0.2.2", at(20)), None);
        assert_eq!(attempts.address_refused_until("192.0.2.1", at(20)), Some(at(34)));
        attempts.address_failed("192.0.2.1", at(40));
        assert_eq!(attempts.address_refused_until("192.0.2.1", at(40)), Some(at(70)));
        assert_eq!(attempts.address_refused_until("192.0.2.2", at(40)), None);
    }

    #[test]
    fn of_addresses_that_one_network_has_as_many_as_it_likes_all_count_together() {
        let attempts = Attempts::default();
        for second in 0..20 {
            attempts.failed(&format!("user{second}"), &format!("2001:db8:0:1::{second}"), at(second));
        }
        assert_eq!(attempts.refused_until("somebody", "2001:db8:0:1:ffff::1", at(20)), Some(at(34)));
        assert_eq!(attempts.address_refused_until("2001:db8:0:2::1", at(20)), None);
    }

    #[test]
    fn the_wait_is_bounded_and_all_is_forgotten_in_the_end() {
        let attempts = Attempts::default();
        for _ in 0..200 {
            attempts.failed("li", "a", at(0));
        }
        assert_eq!(attempts.refused_until("li", "b", at(1)), Some(at(900)));
        attempts.failed("li", "a", at(3_600));
        assert_eq!(attempts.refused_until("li", "b", at(3_600)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..MAX_REMEMBERED {
            attempts.failed(&format!("user{number}"), &format!("address{number}"), at(0));
        }
        assert!(attempts.0.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
