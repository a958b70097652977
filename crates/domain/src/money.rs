//! Exact decimal money and rates.
//!
//! Amounts travel as decimal text in yuan (or in the unit of the currency named beside them), never as
//! binary floating point, and are never rounded silently: text that does not fit is refused.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most digits before and after the point: far above any sum insured, and small enough that the product
/// of an amount and a rate is exact in 96 bits of mantissa.
const MAX_INTEGER_DIGITS: usize = 14;
const MAX_FRACTION_DIGITS: usize = 8;
const MAX_SIGNIFICANT_DIGITS: usize = 14;

/// A decimal number that is not one: what came is kept by the caller, who knows the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a plain decimal number of at most {MAX_SIGNIFICANT_DIGITS} digits, {MAX_FRACTION_DIGITS} of them after the point"
)]
pub struct InvalidDecimal;

/// Plain decimal text: digits, at most one point between digits; no sign, exponent, blank or separator.
fn parse_plain(text: &str) -> Result<Decimal, InvalidDecimal> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let significant = integer.trim_start_matches('0').len() + fraction.trim_end_matches('0').len();
    if !digits(integer)
        || !digits(fraction)
        || integer.trim_start_matches('0').len() > MAX_INTEGER_DIGITS
        || fraction.trim_end_matches('0').len() > MAX_FRACTION_DIGITS
        || significant > MAX_SIGNIFICANT_DIGITS
        || text.len() > 64
    {
        return Err(InvalidDecimal);
    }
    let exact = text.trim_start_matches('0');
    let exact = if exact.contains('.') { exact.trim_end_matches('0') } else { exact };
    match exact {
        "" | "." => Ok(Decimal::ZERO),
        _ => Decimal::from_str_exact(exact.trim_end_matches('.')).map(|d| d.normalize()).map_err(|_| InvalidDecimal),
    }
}

macro_rules! decimal_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Decimal);

        impl $name {
            /// The number itself.
            pub fn value(self) -> Decimal {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidDecimal;
            fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
                parse_plain(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|why| de::Error::custom(format!("{text:?} is {why}")))
            }
        }
    };
}

decimal_newtype! {
    /// An amount of money, not negative, in the unit (yuan, dollar …) of the currency named beside it.
    ///
    /// Kept without trailing zeros, so that `1018.0` and `1018.00` are one amount, in comparison, in the
    /// ledger and in the fingerprint of a message.
    Amount
}

decimal_newtype! {
    /// A premium rate or an exchange rate, not negative: `0.00625` is 0.625 %.
    Rate
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Amount × rate, exact.
    #[must_use]
    pub fn times(self, rate: Rate) -> Self {
        // 14 digits × 14 digits is 28: `Decimal` holds it without rounding.
        Self((self.0 * rate.0).normalize())
    }

    /// All of them together; `None` where that is more than can be held exactly.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let add = |sum: Decimal, amount: Self| {
            let next = sum.checked_add(amount.0)?;
            // `Decimal` drops digits at the end before it overflows; exact is what takes back exactly.
            (next.checked_sub(amount.0)? == sum && next.checked_sub(sum)? == amount.0).then_some(next)
        };
        amounts.into_iter().try_fold(Decimal::ZERO, add).map(|sum| Self(sum.normalize()))
    }

    /// Whether the two differ by no more than `tolerance`.
    pub fn agrees_with(self, other: Self, tolerance: Self) -> bool {
        (self.0 - other.0).abs() <= tolerance.0
    }

    /// Whether there is less than a hundredth in it, such as parts of a fen.
    pub fn has_parts_of_a_hundredth(self) -> bool {
        self.0.scale() > 2
    }

    /// `1,018.00`: grouped by thousands, at least two decimals, never fewer than the amount has.
    pub fn grouped(self) -> String {
        let text = self.0.to_string();
        let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let mut grouped = String::with_capacity(text.len() + integer.len() / 3 + 3);
        for (index, digit) in integer.chars().enumerate() {
            if index > 0 && (integer.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped.push('.');
        grouped.push_str(fraction);
        grouped.extend(std::iter::repeat_n('0', 2_usize.saturating_sub(fraction.len())));
        grouped
    }
}

impl Rate {
    /// Whether the rate is zero, which no exchange rate is.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Whether the rate is one, as a currency's to itself.
    pub fn is_one(self) -> bool {
        self.0 == Decimal::ONE
    }

    /// The rate as a percentage: `0.00625` is `0.625%`.
    pub fn percent(self) -> String {
        format!("{}%", (self.0 * Decimal::ONE_HUNDRED).normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn trailing_zeros_do_not_make_another_amount() {
        let amount: Amount = "1018.0".parse().unwrap();
        assert_eq!(amount, "1018.00".parse().unwrap());
        assert_eq!(amount.to_string(), "1018");
        assert_eq!("0".parse::<Amount>().unwrap().to_string(), "0");
        assert_eq!("000.500".parse::<Amount>().unwrap().to_string(), "0.5");
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "+1",
            "-1",
            "1e3",
            " 1",
            "1 ",
            "1,018",
            "1.2.3",
            "NaN",
            "１",
            "0.123456789",
            "123456789012345",
        ] {
            assert_eq!(text.parse::<Amount>(), Err(InvalidDecimal), "{text:?}");
        }
    }

    #[test]
    fn the_documents_premium_agrees_within_a_fen() {
        let amount: Amount = "1018.0".parse().unwrap();
        let exact = amount.times("0.00625".parse().unwrap());
        assert_eq!(exact.to_string(), "6.3625");
        let premium: Amount = "6.36".parse().unwrap();
        assert!(premium.agrees_with(exact, "0.01".parse().unwrap()));
        assert!(!premium.agrees_with(exact, "0.002".parse().unwrap()));
    }

    #[test]
    fn grouping_keeps_every_digit() {
        for (text, grouped) in
            [("1018", "1,018.00"), ("0.5", "0.50"), ("123", "123.00"), ("1234567.125", "1,234,567.125")]
        {
            assert_eq!(text.parse::<Amount>().unwrap().grouped(), grouped);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_rounds(text in "\\PC{0,40}|[0-9]{0,16}\\.?[0-9]{0,10}") {
            if let Ok(amount) = text.parse::<Amount>() {
                let again: Amount = amount.to_string().parse().unwrap();
                prop_assert_eq!(again, amount);
                let trimmed = |t: &str| {
                    let t = t.trim_start_matches('0');
                    let t = if t.contains('.') { t.trim_end_matches('0').trim_end_matches('.') } else { t };
                    t.to_owned()
                };
                prop_assert_eq!(trimmed(&text), trimmed(&amount.to_string()));
            }
        }

        #[test]
        fn products_are_exact(a in 0_u64..99_999_999_999_999, r in 0_u64..99_999_999_999_999) {
            let amount: Amount = a.to_string().parse().unwrap();
            let rate: Rate = r.to_string().parse().unwrap();
            prop_assert_eq!(amount.times(rate).to_string(), (u128::from(a) * u128::from(r)).to_string());
        }
    }
}
