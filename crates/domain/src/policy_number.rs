//! Policy numbers: `<product prefix><yyyymmdd>Q<2 characters of bucket><sequence>`, such as
//! `PBDI20211201Q000F0001` (the form of the issuing document's example, `PBDI20211201Q000Fxxxx`).
//!
//! A number never changes and is never used twice: the sequence alone is unique for ever over all products,
//! days, buckets and nodes, so that the ledger finds a policy by it without an index over texts.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bucket::{BASE32, Bucket, parse_base32};
use crate::time::compact_day_gmt8;

/// The fewest characters of a sequence; a longer one is written when the first billion is used up.
const SEQUENCE_WIDTH: usize = 6;
/// The greatest sequence: what the signed integers of a database hold. A text with a greater one names no policy.
const MAX_SEQUENCE: u64 = i64::MAX.unsigned_abs();
const DAY_WIDTH: usize = 8;

/// The letters a product's policy numbers begin with: one to eight of `A` to `Z`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyPrefix(String);

impl FromStr for PolicyPrefix {
    type Err = InvalidPolicyNumber;
    fn from_str(text: &str) -> Result<Self, InvalidPolicyNumber> {
        let fits = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidPolicyNumber) }
    }
}

impl fmt::Display for PolicyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not a policy number of this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a policy number of the form PREFIX + yyyymmdd + Q + bucket + sequence")]
pub struct InvalidPolicyNumber;

/// A policy's number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyNumber {
    text: String,
    bucket: Bucket,
    sequence: u64,
}

impl PolicyNumber {
    /// The number of a policy issued at `issued_at`, in that bucket, with that sequence.
    pub fn new(prefix: &PolicyPrefix, issued_at: Timestamp, bucket: Bucket, sequence: u64) -> Self {
        let mut digits = Vec::with_capacity(13);
        let mut rest = sequence;
        while rest > 0 || digits.len() < SEQUENCE_WIDTH {
            let digit = usize::try_from(rest % 32).unwrap_or_default();
            digits.push(char::from(BASE32.get(digit).copied().unwrap_or(b'0')));
            rest /= 32;
        }
        let sequence_text: String = digits.iter().rev().collect();
        let text = format!("{prefix}{}Q{bucket}{sequence_text}", compact_day_gmt8(issued_at));
        Self { text, bucket, sequence }
    }

    /// The whole number as it stands in messages.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bucket the policy lives in.
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// The sequence, unique over all policies of the ledger.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl FromStr for PolicyNumber {
    type Err = InvalidPolicyNumber;

    fn from_str(text: &str) -> Result<Self, InvalidPolicyNumber> {
        let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
        let (prefix, rest) = text.split_at_checked(letters).ok_or(InvalidPolicyNumber)?;
        prefix.parse::<PolicyPrefix>()?;
        let (day, rest) = rest.split_at_checked(DAY_WIDTH).ok_or(InvalidPolicyNumber)?;
        let rest = rest.strip_prefix('Q').ok_or(InvalidPolicyNumber)?;
        let (bucket, sequence) = rest.split_at_checked(2).ok_or(InvalidPolicyNumber)?;
        let padded = sequence.len() > SEQUENCE_WIDTH && sequence.starts_with('0');
        if !day.bytes().all(|b| b.is_ascii_digit()) || sequence.len() < SEQUENCE_WIDTH || padded {
            return Err(InvalidPolicyNumber);
        }
        let bucket = parse_base32(bucket)
            .and_then(|index| u16::try_from(index).ok())
            .and_then(Bucket::new)
            .ok_or(InvalidPolicyNumber)?;
        let sequence =
            parse_base32(sequence).filter(|sequence| *sequence <= MAX_SEQUENCE).ok_or(InvalidPolicyNumber)?;
        Ok(Self { text: text.to_owned(), bucket, sequence })
    }
}

impl fmt::Display for PolicyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for PolicyNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PolicyNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| de::Error::custom(format!("{text:?} is {why}")))
    }
}

/// Sequences set aside for this node, handed out one by one without asking anyone.
///
/// The ledger reserves a block durably before the first of it is used; what a crash leaves unused is never
/// handed out again, so numbers rise but may skip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceBlock {
    next: u64,
    end: u64,
}

impl SequenceBlock {
    /// The sequences from `start` up to, and without, `end`.
    pub fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    /// The next sequence, or `None` when the block is used up.
    pub fn take(&mut self) -> Option<u64> {
        let sequence = self.next;
        (sequence < self.end).then(|| {
            self.next += 1;
            sequence
        })
    }

    /// How many are left.
    pub fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix() -> PolicyPrefix {
        "PBDI".parse().unwrap()
    }

    #[test]
    fn the_form_is_the_documents() {
        let issued_at = "2021-11-30T16:00:00Z".parse().unwrap();
        let number = PolicyNumber::new(&prefix(), issued_at, Bucket::new(0).unwrap(), 15 * 32_u64.pow(4) + 1);
        assert_eq!(number.as_str(), "PBDI20211201Q000F0001");
    }

    #[test]
    fn a_foreign_number_is_none_of_ours() {
        for text in [
            "",
            "12345",
            "822042111010001111008",
            "PBDI20211201Q000Fxxxx",
            "PBDI2021120Q000F0001",
            "20211201Q000F0001",
            "PBDI20211201Q0000F0001",
            "保单",
            // 2⁶³: one more than a database holds.
            "PBDI20211201Q008000000000000",
        ] {
            assert_eq!(text.parse::<PolicyNumber>(), Err(InvalidPolicyNumber), "{text}");
        }
    }

    #[test]
    fn a_block_ends_where_it_was_said_to() {
        let mut block = SequenceBlock::new(7, 9);
        assert_eq!((block.take(), block.take(), block.take()), (Some(7), Some(8), None));
        assert_eq!(block.remaining(), 0);
    }

    proptest! {
        #[test]
        fn every_number_parses_back(bucket in 0_u16..1024, sequence in 0..=MAX_SEQUENCE, second in 0_i64..4_000_000_000) {
            let issued_at = Timestamp::from_second(second).unwrap();
            let number = PolicyNumber::new(&prefix(), issued_at, Bucket::new(bucket).unwrap(), sequence);
            prop_assert_eq!(number.as_str().parse::<PolicyNumber>(), Ok(number));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,30}|[A-Z]{1,9}[0-9]{7,9}Q[0-9A-Z]{2,20}") {
            let _ = text.parse::<PolicyNumber>();
        }
    }
}
