//! 人民币大写: an amount of renminbi in the capitals that Chinese financial documents carry beside figures.
//!
//! The rules are those of the People's Bank's 《支付结算办法》 annex 1, 正确填写票据和结算凭证的基本规定: 元 after the
//! integer part, 角 and 分 after it, 整 where nothing follows 元 or 角, one 零 for any run of zeros between digits.

use crate::money::Amount;

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];
const PLACES: [&str; 4] = ["", "拾", "佰", "仟"];
const GROUPS: [&str; 4] = ["", "万", "亿", "万"];

/// The amount in capitals, without the leading 人民币; `None` where the amount has parts of a fen, for which
/// the rules have no words, so that nothing is rounded behind the reader's back.
pub fn renminbi_capitals(amount: Amount) -> Option<String> {
    let text = amount.to_string();
    let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if fraction.len() > 2 {
        return None;
    }
    let mut fraction_digits = fraction.bytes().map(|b| usize::from(b - b'0')).chain([0, 0]);
    let (jiao, fen) = (fraction_digits.next()?, fraction_digits.next()?);

    let mut words = integer_words(integer);
    if !words.is_empty() {
        words.push('元');
    }
    match (jiao, fen) {
        (0, 0) if words.is_empty() => words.push_str("零元整"),
        (0, 0) => words.push('整'),
        (jiao, fen) => {
            if jiao > 0 {
                words.extend(DIGITS.get(jiao));
                words.push('角');
            } else if !words.is_empty() {
                words.push('零');
            }
            if fen > 0 {
                words.extend(DIGITS.get(fen));
                words.push('分');
            } else {
                words.push('整');
            }
        }
    }
    Some(words)
}

/// The integer part in words, empty for zero.
fn integer_words(integer: &str) -> String {
    let mut words = String::new();
    let mut zero_pending = false;
    let mut group_has_digits = false;
    for (index, byte) in integer.bytes().enumerate() {
        let place = integer.len() - 1 - index;
        let digit = usize::from(byte - b'0');
        if digit == 0 {
            zero_pending = !words.is_empty();
        } else {
            if zero_pending {
                words.push('零');
                zero_pending = false;
            }
            words.extend(DIGITS.get(digit));
            words.push_str(PLACES.get(place % 4).copied().unwrap_or_default());
            group_has_digits = true;
        }
        if place.is_multiple_of(4) {
            // 亿 is said even over four zeros when 万亿 stands before it: 壹拾贰万亿.
            let carries_over = place == 8 && integer.len() > 12;
            if group_has_digits || carries_over {
                words.push_str(GROUPS.get(place / 4).copied().unwrap_or_default());
            }
            group_has_digits = false;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_a_bank_writes_them() {
        for (figures, capitals) in [
            ("0", "零元整"),
            ("0.05", "伍分"),
            ("0.5", "伍角整"),
            ("6.36", "陆元叁角陆分"),
            ("10", "壹拾元整"),
            ("1018", "壹仟零壹拾捌元整"),
            ("1018.05", "壹仟零壹拾捌元零伍分"),
            ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
            ("107000.53", "壹拾万零柒仟元伍角叁分"),
            ("6007.14", "陆仟零柒元壹角肆分"),
            ("10000", "壹万元整"),
            ("10001", "壹万零壹元整"),
            ("100000000", "壹亿元整"),
            ("100010000", "壹亿零壹万元整"),
            ("1000000001.01", "壹拾亿零壹元零壹分"),
            ("20300000000", "贰佰零叁亿元整"),
            ("12000000000000", "壹拾贰万亿元整"),
            ("12345600000000", "壹拾贰万叁仟肆佰伍拾陆亿元整"),
        ] {
            assert_eq!(renminbi_capitals(figures.parse().unwrap()).as_deref(), Some(capitals), "{figures}");
        }
    }

    #[test]
    fn parts_of_a_fen_have_no_capitals() {
        assert_eq!(renminbi_capitals("6.3625".parse().unwrap()), None);
    }
}
