//! What decoders and checks say in one language, in both.
//!
//! A platform is answered in Chinese, and the log speaks English: each text is written there once, in the language of whom it is for. People at the
//! insurer read it in theirs. What is not in the table stays as it is.

use crate::explain::Words;

/// In Chinese and in English; `{}` stands for a value.
const PHRASES: &[(&str, &str)] = &[
    // What a field should be.
    ("ALI、IDENTITY_CARD 或 PASSPORT", "ALI, IDENTITY_CARD or PASSPORT"),
    ("UNITY 或 GENERAL", "UNITY or GENERAL"),
    ("recissionNotice 或 proposalOrder", "recissionNotice or proposalOrder"),
    ("ISO 4217 币种代码，如 CNY", "a currency's code of ISO 4217, such as CNY"),
    (
        "yyyy-MM-dd HH:mm:ss 格式的北京时间，或自 1970 年起的毫秒数",
        "a time in China as yyyy-MM-dd HH:mm:ss, or milliseconds since 1970",
    ),
    ("yyyy-MM-dd HH:mm:ss 格式的北京时间", "a time in China as yyyy-MM-dd HH:mm:ss"),
    ("不为负的整数", "a whole number that is not negative"),
    ("不含正负号的十进制比率，如 {}", "a decimal rate without a sign, such as {}"),
    ("不含正负号的十进制金额（元），如 {}", "a decimal amount in yuan without a sign, such as {}"),
    ("不含正负号的十进制金额，如 {}", "a decimal amount without a sign, such as {}"),
    ("大于 0 的十进制汇率，如 {}", "a decimal exchange rate greater than 0, such as {}"),
    ("对象", "an object"),
    ("已配置的渠道代码", "the code of a policy source that is configured"),
    ("本合作方可售的产品码", "the code of a product that the partner may sell"),
    (
        "至多 {} 字节、首尾无空白、不含控制字符的文本",
        "a text of at most {} bytes without blanks at its ends or control characters",
    ),
    // Why a caller is not believed.
    ("缺少系统参数 {}", "system parameter {} is missing"),
    ("app_key {} 不属于任何合作方", "app_key {} belongs to no partner"),
    ("该合作方不得使用 sign_method {}", "sign_method {} is not allowed to this partner"),
    ("参数多于 {} 个", "more than {} parameters"),
    ("签名与该合作方的任何密钥都不符", "the signature fits none of the partner's secrets"),
    ("timestamp {} 不是 yyyy-MM-dd HH:mm:ss 格式", "timestamp {} is not yyyy-MM-dd HH:mm:ss"),
    ("timestamp 偏差 {} 秒，允许 {} 秒", "timestamp is {} s off, {} s are allowed"),
    ("policySource {} 没有配置", "policySource {} is not configured"),
    ("policySource {} 不得从 {} 调用", "policySource {} may not call from {}"),
    ("policySource {} 没有出示客户端证书", "policySource {} showed no client certificate"),
    ("policySource {} 不得使用证书 {}", "policySource {} may not call with the certificate {}"),
    (
        "policySource {} 的 HMAC 头缺失，或与其任何密钥都不符",
        "the HMAC header of policySource {} is absent or fits none of its secrets",
    ),
    // Why what came cannot be read.
    ("字段 {} 缺失", "field {} is missing"),
    ("字段 {} 有误", "field {} is wrong"),
    ("报文过大，上限为 {} 字节", "the body is too large: {} bytes at most"),
    ("报文不是有效的 {} 编码", "the body is not valid {}"),
    ("JSON 顶层应为对象", "the JSON has to be an object"),
    ("JSON 第 {} 行第 {} 列有误", "the JSON is wrong at line {}, column {}"),
    ("XML 第 {} 字节处有误", "the XML is wrong at byte {}"),
    ("XML 嵌套超过 {} 层", "the XML is nested deeper than {} levels"),
    ("XML 不得含 DOCTYPE", "the XML may not have a DOCTYPE"),
    ("XML 有未结束的元素", "the XML has an element that does not end"),
    ("XML 应为一个元素，内含各字段", "the XML has to be one element with the fields in it"),
    ("XML 应为一个 <request> 元素，内含各字段", "the XML has to be one element <request> with the fields in it"),
];

/// A text that is in one language, in both; as it is, where it is none of those that are known.
pub fn in_both(text: &str) -> Words {
    let known = PHRASES.iter().find_map(|(zh, en)| {
        let values = values(zh, text).or_else(|| values(en, text))?;
        Some(Words::new(filled(zh, &values), filled(en, &values)))
    });
    known.unwrap_or_else(|| Words::new(text, text))
}

/// The values that a text has in the places of a phrase; `None` where it is another phrase's.
fn values<'a>(phrase: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = phrase.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        let (value, after) = if is_last { (rest.strip_suffix(piece)?, "") } else { rest.split_once(piece)? };
        values.push(value);
        rest = after;
    }
    rest.is_empty().then_some(values)
}

fn filled(phrase: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut pieces = phrase.split("{}");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + values.next().copied().unwrap_or_default() + piece)
}

#[cfg(test)]
mod tests {
    use baoqiao_domain::product::Catalogue;
    use baoqiao_domain::refusal::Distrust;

    use super::*;
    use crate::CHANNELS;
    use crate::describe::fields;

    #[test]
    fn every_phrase_has_as_many_values_in_both_languages() {
        for (zh, en) in PHRASES {
            assert_eq!(zh.matches("{}").count(), en.matches("{}").count(), "{en}");
            assert!(en.is_ascii(), "{en}");
        }
    }

    #[test]
    fn values_stand_in_their_places() {
        let told = in_both("JSON 第 1 行第 20 列有误");
        assert_eq!(told.en, "the JSON is wrong at line 1, column 20");
        assert_eq!(in_both(&told.en).zh, told.zh);
        assert_eq!(in_both("<𬭎>"), Words::new("<𬭎>", "<𬭎>"));
        assert_eq!(in_both("policySource is not configured").zh, "policySource is not configured");
    }

    #[test]
    fn whatever_a_field_should_be_is_told_in_english() {
        for channel in CHANNELS {
            for interface in channel.interfaces() {
                for field in fields(*channel, *interface, "alibaba", &Catalogue::default()) {
                    let Some(expected) = field.expected else { continue };
                    assert!(expected.en.is_ascii(), "{}: {}", field.path, expected.en);
                }
            }
        }
    }

    #[test]
    fn every_distrust_is_told_in_chinese() {
        let text = || "x y".to_owned();
        let source = |source_code: String| Distrust::AddressNotAllowed { source_code, peer: "192.0.2.7".to_owned() };
        for distrust in [
            Distrust::MissingParameter("sign"),
            Distrust::UnknownCaller(text()),
            Distrust::SignMethodNotAllowed(text()),
            Distrust::TooManyParameters(64),
            Distrust::WrongSignature,
            Distrust::UnreadableTimestamp(text()),
            Distrust::StaleTimestamp { offset_s: -900, window_s: 600 },
            Distrust::UnknownSource(text()),
            source(text()),
            Distrust::NoCertificate(text()),
            Distrust::CertificateNotAllowed { source_code: text(), certificate: "sha256:00".to_owned() },
            Distrust::WrongHmac(text()),
        ] {
            let told = in_both(&distrust.to_string());
            assert!(!told.zh.is_ascii() && told.en == distrust.to_string(), "{told:?}");
        }
    }
}
