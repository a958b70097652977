//! Which call comes next: a new one, a repeat, a repeat with other content, or a recovery; and what was answered before.

use std::rc::Rc;

use fastrand::Rng;

/// How many of the latest identifiers are remembered; repeats are drawn from these.
const MEMORY: usize = 1 << 14;

/// How often an answered call is looked for before a conflict gives way to a new call.
const TRIES: usize = 8;

/// What a request is, to the one who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new identifier.
    New,
    /// An earlier identifier with its content, answered already or still under way.
    Repeat,
    /// An earlier, answered identifier with other content.
    Conflict,
    /// A recovery beside an issued policy, under an identifier of its own.
    Recovery,
}

/// One request to make.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    pub(super) kind: Kind,
    /// The number of the identifier, from 0 in the order of first use; recoveries are counted by themselves.
    pub(super) serial: u64,
    /// What its first call was answered, where that was known when this was drawn.
    first: Option<Rc<str>>,
}

impl Draw {
    /// The policy that a recovery is about.
    pub(super) fn policy_no(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// How an answer stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// The same policy number, or the first that is known.
    Agrees,
    /// Another policy number.
    Differs,
}

#[derive(Debug)]
struct Slot {
    serial: u64,
    policy_no: Option<Rc<str>>,
}

/// Draws requests and remembers a bounded number of answers.
#[derive(Debug)]
pub(super) struct Deck {
    rng: Rng,
    retries: f64,
    conflicts: f64,
    recoveries: f64,
    hot: bool,
    next_serial: u64,
    next_recovery: u64,
    /// The first policy, which is the one that all recoveries are about where it is hot.
    hottest: Option<Rc<str>>,
    /// A ring: serial `n` stands at `n % MEMORY`.
    memory: Vec<Slot>,
}

impl Deck {
    pub(super) fn new(seed: u64, retries: f64, conflicts: f64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            retries,
            conflicts,
            recoveries: 0.0,
            hot: false,
            next_serial: 0,
            next_recovery: 0,
            hottest: None,
            memory: Vec::new(),
        }
    }

    /// Draws recoveries as well; where `hot`, all of them are about one policy.
    pub(super) fn with_recoveries(self, recoveries: f64, hot: bool) -> Self {
        Self { recoveries, hot, ..self }
    }

    pub(super) fn draw(&mut self) -> Draw {
        let chance = self.rng.f64();
        let repeat = if chance < self.conflicts {
            self.earlier(Kind::Conflict)
        } else if chance < self.conflicts + self.retries {
            self.earlier(Kind::Repeat)
        } else if chance < self.conflicts + self.retries + self.recoveries {
            self.recovery()
        } else {
            None
        };
        repeat.unwrap_or_else(|| self.new_call())
    }

    fn new_call(&mut self) -> Draw {
        let serial = self.next_serial;
        self.next_serial += 1;
        let slot = Slot { serial, policy_no: None };
        match self.slot_of(serial) {
            Some(oldest) => *oldest = slot,
            None => self.memory.push(slot),
        }
        Draw { kind: Kind::New, serial, first: None }
    }

    /// A conflict that overtook its first call would become the policy itself: only answered calls serve.
    fn earlier(&mut self, kind: Kind) -> Option<Draw> {
        for _ in 0..TRIES {
            let at = self.rng.usize(0..self.memory.len().max(1));
            let slot = self.memory.get(at)?;
            if kind == Kind::Repeat || slot.policy_no.is_some() {
                return Some(Draw { kind, serial: slot.serial, first: slot.policy_no.clone() });
            }
        }
        None
    }

    fn recovery(&mut self) -> Option<Draw> {
        let first = if self.hot { self.hottest.clone()? } else { self.earlier(Kind::Conflict)?.first? };
        let serial = self.next_recovery;
        self.next_recovery += 1;
        Some(Draw { kind: Kind::Recovery, serial, first: Some(first) })
    }

    fn slot_of(&mut self, serial: u64) -> Option<&mut Slot> {
        let at = usize::try_from(serial).ok()? % MEMORY;
        self.memory.get_mut(at)
    }

    /// Compares a policy number with what the identifier was answered before; the first is remembered.
    pub(super) fn compare(&mut self, draw: &Draw, policy_no: &str) -> Agreement {
        let remembered = match self.slot_of(draw.serial) {
            Some(slot) if slot.serial == draw.serial => &mut slot.policy_no,
            _ => &mut None,
        };
        let first = draw.first.as_deref().or(remembered.as_deref());
        let agrees = first.is_none_or(|first| first == policy_no);
        if remembered.is_none() {
            *remembered = Some(policy_no.into());
        }
        if self.hottest.is_none() {
            self.hottest = Some(policy_no.into());
        }
        if agrees { Agreement::Agrees } else { Agreement::Differs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(deck: &mut Deck, count: usize) -> [usize; 3] {
        let mut counts = [0; 3];
        for _ in 0..count {
            let draw = deck.draw();
            let policy_no = format!("P{}", draw.serial);
            assert_eq!(deck.compare(&draw, &policy_no), Agreement::Agrees);
            counts[draw.kind as usize] += 1;
        }
        counts
    }

    #[test]
    fn shares_are_kept_and_memory_is_bounded() {
        let mut deck = Deck::new(7, 0.3, 0.05);
        let [new, repeats, conflicts] = kinds(&mut deck, 100_000);
        assert!((64_000..66_000).contains(&new), "{new}");
        assert!((29_000..31_000).contains(&repeats), "{repeats}");
        assert!((4_500..5_500).contains(&conflicts), "{conflicts}");
        assert_eq!(deck.memory.len(), MEMORY);
        assert_eq!(kinds(&mut Deck::new(7, 0.0, 0.0), 1000), [1000, 0, 0]);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let serials = |seed| {
            let mut deck = Deck::new(seed, 0.5, 0.0);
            let drawn: Vec<u64> = (0..100).map(|_| deck.draw().serial).collect();
            drawn
        };
        assert_eq!(serials(1), serials(1));
        assert_ne!(serials(1), serials(2));
    }

    #[test]
    fn another_policy_number_differs_whoever_was_answered_first() {
        let mut deck = Deck::new(1, 1.0, 0.0);
        let first = deck.draw();
        let repeat = deck.draw();
        assert_eq!((first.kind, repeat.kind), (Kind::New, Kind::Repeat));
        assert_eq!(deck.compare(&repeat, "A"), Agreement::Agrees);
        assert_eq!(deck.compare(&first, "B"), Agreement::Differs);
        assert_eq!(deck.compare(&first, "A"), Agreement::Agrees);
    }

    #[test]
    fn a_repeat_still_knows_its_first_answer_when_the_memory_has_moved_on() {
        let mut deck = Deck::new(1, 1.0, 0.0);
        let first = deck.draw();
        deck.compare(&first, "A");
        let late = deck.draw();
        for _ in 0..MEMORY {
            deck.new_call();
        }
        assert_eq!(deck.compare(&late, "B"), Agreement::Differs);
        assert_eq!(deck.compare(&late, "A"), Agreement::Agrees);
    }

    #[test]
    fn recoveries_are_about_issued_policies_and_where_it_is_hot_about_one() {
        for hot in [false, true] {
            let mut deck = Deck::new(1, 0.0, 0.0).with_recoveries(0.5, hot);
            let mut about = std::collections::HashSet::new();
            let mut serials = Vec::new();
            for _ in 0..200 {
                let draw = deck.draw();
                if draw.kind == Kind::Recovery {
                    serials.push(draw.serial);
                    about.insert(draw.policy_no().unwrap().to_owned());
                } else {
                    deck.compare(&draw, &format!("P{}", draw.serial));
                }
            }
            assert!(serials.len() > 60 && serials.is_sorted());
            assert_eq!(about.len() == 1, hot, "{about:?}");
        }
    }

    #[test]
    fn only_answered_calls_are_contradicted() {
        let mut deck = Deck::new(1, 0.0, 1.0);
        assert_eq!(deck.draw().kind, Kind::New);
        assert_eq!(deck.draw().kind, Kind::New);
        let first = deck.draw();
        deck.compare(&first, "A");
        let second = deck.draw();
        assert_eq!((second.kind, second.serial), (Kind::Conflict, first.serial));
    }
}
