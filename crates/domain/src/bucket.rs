//! The 1,024 buckets that a ledger can be spread by.

use std::fmt;

/// How many buckets there are: two characters of base 32, enough to spread over any cluster an insurer runs.
pub const BUCKETS: u16 = 1_024;

/// Crockford's base 32: no I, L, O or U to misread over the telephone.
pub(crate) const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where a policy and everything about it lives, `0..1024`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

impl Bucket {
    /// The bucket of an idempotency key, so that a retry is looked for in the one place where its answer is.
    ///
    /// FNV-1a over the bytes: stable for ever, since the policy number carries the result.
    pub fn of_key(key: &str) -> Self {
        let hash = key
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        // The low bits of FNV-1a are its best mixed once the high half is folded in.
        let folded = (hash ^ (hash >> 32)) % u64::from(BUCKETS);
        Self(u16::try_from(folded).unwrap_or_default())
    }

    /// The bucket of that index, if there is one.
    pub fn new(index: u16) -> Option<Self> {
        (index < BUCKETS).then_some(Self(index))
    }

    /// Its index, `0..1024`.
    pub fn index(self) -> u16 {
        self.0
    }

    /// A number of this bucket's: unique where `number` is, in the same order, and telling its bucket, so that a row is
    /// found by its number alone.
    ///
    /// `number` is below 2⁵³ for ever at any rate that a gateway reaches, and so the result below 2⁶³.
    pub fn tag(self, number: u64) -> u64 {
        number.saturating_mul(u64::from(BUCKETS)).saturating_add(u64::from(self.0))
    }

    /// The bucket that a number was tagged with.
    pub fn of_tagged(number: u64) -> Self {
        Self(u16::try_from(number % u64::from(BUCKETS)).unwrap_or_default())
    }
}

impl fmt::Display for Bucket {
    /// Two characters of base 32, `00` to `ZZ`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for digit in [self.0 / 32, self.0 % 32] {
            let letter = BASE32.get(usize::from(digit)).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

/// The value of a base 32 text in Crockford's alphabet, upper case only; `None` for anything else or above 64 bits.
pub(crate) fn parse_base32(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |value, byte| {
        let digit = BASE32.iter().position(|letter| *letter == byte)?;
        value.checked_mul(32)?.checked_add(u64::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_rise_with_time_spread_over_all_buckets() {
        let mut counts = vec![0_u32; usize::from(BUCKETS)];
        for n in 0..102_400_u64 {
            let key = format!("01010100417822108040{n:07}");
            counts[usize::from(Bucket::of_key(&key).index())] += 1;
        }
        assert!(
            counts.iter().all(|count| (40..=180).contains(count)),
            "{:?} {:?}",
            counts.iter().min(),
            counts.iter().max()
        );
    }

    #[test]
    fn a_key_keeps_its_bucket_for_ever() {
        assert_eq!(Bucket::of_key("010101004178221080402170019").to_string(), "XP");
    }

    #[test]
    fn a_tagged_number_keeps_its_order_and_tells_its_bucket() {
        let bucket = |index| Bucket::new(index).unwrap();
        assert!(bucket(1_023).tag(7) < bucket(0).tag(8));
        for (index, number) in [(0, 0), (5, 1), (1_023, 1 << 40)] {
            assert_eq!(Bucket::of_tagged(bucket(index).tag(number)), bucket(index));
        }
    }

    #[test]
    fn two_characters_and_back() {
        assert_eq!(Bucket::new(0).unwrap().to_string(), "00");
        assert_eq!(Bucket::new(1_023).unwrap().to_string(), "ZZ");
        assert_eq!(Bucket::new(1_024), None);
        assert_eq!(parse_base32("ZZ"), Some(1_023));
        assert_eq!(parse_base32("U"), None);
    }
}
