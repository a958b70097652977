//! Numbers, shares and times in words.

use std::time::Duration;

use baoqiao_domain::money::Amount;
use jiff::SignedDuration;

use super::language::messages;
use super::view::View;
use crate::statistics::store::Bounded;

messages! {
    SECONDS: "{} 秒", "{} s";
    MINUTES: "{} 分钟", "{} min";
    HOURS: "{} 小时", "{} h";
    DAYS: "{} 天", "{} d";
}

/// A count, grouped by thousands.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount as the ledger has it, as people read it.
pub(super) fn grouped(amount: &str) -> String {
    amount.parse::<Amount>().map_or_else(|_| amount.to_owned(), Amount::grouped)
}

/// A count that stopped at a limit.
pub(super) fn bounded(bounded: Bounded) -> String {
    format!("{}{}", count(bounded.count), if bounded.or_more { "+" } else { "" })
}

/// A share in percent with one digit after the point, rounded so that only all is 100 and only none is 0.
pub(super) fn share(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    let exact = u128::from(part) * 1_000;
    let rounded = (exact + u128::from(whole) / 2) / u128::from(whole);
    let per_mille = match part {
        0 => 0,
        part if part == whole => 1_000,
        _ => rounded.clamp(1, 999),
    };
    Some(format!("{}.{}%", per_mille / 10, per_mille % 10))
}

/// How long a call took: two digits are enough.
pub(super) fn took(duration: Duration) -> String {
    let us = duration.as_micros();
    match us {
        0..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// How long ago something was, in one unit.
pub(super) fn age(view: &View, age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..120 => view.with(SECONDS, &[&seconds]),
        120..7_200 => view.with(MINUTES, &[&(seconds / 60)]),
        7_200..172_800 => view.with(HOURS, &[&(seconds / 3_600)]),
        _ => view.with(DAYS, &[&(seconds / 86_400)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(bounded(Bounded { count: 20_000, or_more: true }), "20,000+");
        assert_eq!(share(0, 0), None);
        assert_eq!(share(1, 1), Some("100.0%".to_owned()));
        assert_eq!(share(99_999, 100_000), Some("99.9%".to_owned()), "only all is 100");
        assert_eq!(share(1, 100_000), Some("0.1%".to_owned()), "only none is 0");
        assert_eq!(share(2, 3), Some("66.7%".to_owned()));
    }

    #[test]
    fn durations_have_two_digits() {
        let told = [850, 1_490, 12_900, 999_999, 1_250_000].map(|us| took(Duration::from_micros(us)));
        assert_eq!(told, ["0.8 ms", "1.4 ms", "12 ms", "999 ms", "1.2 s"]);
    }
}
