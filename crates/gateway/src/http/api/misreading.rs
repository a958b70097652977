//! What serde says about a field that does not read, told as every other refusal is: what came, and in Chinese what was
//! expected. Of the value that came, only what serde tells: its type, or a value of the schema's.

use baoqiao_domain::refusal::FieldProblem;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error};

use super::parameters::EXPECTED_TIME;

/// The problem of the field at `path`, of which serde has `said` that.
pub(super) fn misread(path: &str, said: &str) -> FieldProblem {
    // Whoever is told the field needs no line and column.
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let below = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return FieldProblem::missing(below(name));
    }
    let mut between = [", expected ", " is none of the values of ", " is not "].into_iter();
    let told = between.find_map(|between| said.split_once(between));
    let (received, expected) = told.unwrap_or(("无法识别的值", said));
    let received = received.trim_start_matches("invalid type: ").trim_start_matches("invalid value: ");
    // A name of our own stands before the values that there are.
    let expected = expected.split_once(": ").map_or(expected, |(_, values)| values);
    FieldProblem::wrong(path, what_came(received), what_was_expected(expected))
}

fn what_came(told: &str) -> String {
    let quoted = |kind: &str| told.strip_prefix(kind)?.strip_prefix(" `")?.strip_suffix('`');
    if let Some(number) = quoted("integer").or_else(|| quoted("floating point")) {
        return number.to_owned();
    }
    if let Some(truth) = quoted("boolean") {
        return truth.to_owned();
    }
    if quoted("unknown field").is_some() {
        return "未知字段".to_owned();
    }
    match told {
        "number" => "数字".to_owned(),
        "map" => "对象".to_owned(),
        "sequence" => "列表".to_owned(),
        // A text, in quotes of its own.
        _ => told.strip_prefix("string ").unwrap_or(told).to_owned(),
    }
}

fn what_was_expected(told: &str) -> String {
    if let Some(names) = told.strip_prefix("one of ") {
        let names: Vec<&str> = names.split(", ").map(|name| name.trim_matches('`')).collect();
        return format!("以下字段：{}", names.join("、"));
    }
    let known = match told {
        "a string" => "文本",
        "u8" | "u16" | "u32" | "u64" | "i64" => "整数",
        "a boolean" => "true 或 false",
        "a code of 1 to 64 characters A-Z, 0-9 and _" => "1 至 64 个大写字母、数字或下划线",
        "a plain decimal number of at most 14 digits, 8 of them after the point" => {
            "加引号的十进制数，至多 14 位，其中小数至多 8 位"
        }
        // Ours are Chinese already.
        _ => told.strip_prefix("struct ").map_or(told, |_| "对象"),
    };
    known.to_owned()
}

/// Reads an instant; serde's own words for one that is none are about the parser's insides.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| Error::custom(format_args!("{text:?} is not {EXPECTED_TIME}")))
}

#[cfg(test)]
mod tests {
    use baoqiao_domain::money::Amount;
    use baoqiao_domain::surrender::SurrenderType;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code, reason = "it is there to be wrong")]
    struct Content {
        partner: Option<String>,
        stage: Option<u8>,
        dry_run: Option<bool>,
        amount: Option<Amount>,
        #[serde(rename = "type")]
        kind: Option<SurrenderType>,
        insurance_type: Option<baoqiao_domain::auction::AuctionInsuranceType>,
        at: Option<At>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "it is there to be wrong")]
    struct At {
        #[serde(deserialize_with = "instant")]
        time: Timestamp,
    }

    fn told(body: &str) -> String {
        let mut deserializer = serde_json::Deserializer::from_str(body);
        let error = serde_path_to_error::deserialize::<_, Content>(&mut deserializer).unwrap_err();
        misread(&error.path().to_string(), &error.inner().to_string()).to_string()
    }

    #[test]
    fn what_does_not_read_is_told_by_the_field_with_what_came_and_what_was_expected() {
        for (body, expected) in [
            (r#"{"partner": 7}"#, "partner：收到“7”，应为文本"),
            (r#"{"partner": ["a"]}"#, "partner：收到“列表”，应为文本"),
            (r#"{"partner": {}}"#, "partner：收到“对象”，应为文本"),
            (r#"{"stage": "1"}"#, r#"stage：收到“"1"”，应为整数"#),
            (r#"{"stage": 1.5}"#, "stage：收到“1.5”，应为整数"),
            (r#"{"stage": 300}"#, "stage：收到“300”，应为整数"),
            (r#"{"dryRun": "yes"}"#, r#"dryRun：收到“"yes"”，应为true 或 false"#),
            (r#"{"amount": 12.5}"#, "amount：收到“数字”，应为文本"),
            (r#"{"amount": "five"}"#, r#"amount：收到“"five"”，应为加引号的十进制数，至多 14 位，其中小数至多 8 位"#),
            (r#"{"type": "x y"}"#, r#"type：收到“"x y"”，应为1 至 64 个大写字母、数字或下划线"#),
            (r#"{"insuranceType": 3}"#, "insuranceType：收到“3”，应为1（家财险）或 2（履约险）"),
            (r#"{"at": 1}"#, "at：收到“1”，应为对象"),
            (r#"{"at": {}}"#, "at.time：缺少，必填"),
            (
                r#"{"at": {"time": "yesterday"}}"#,
                r#"at.time：收到“"yesterday"”，应为RFC 3339 时间，如 2026-01-02T00:00:00+08:00"#,
            ),
            (r#"{"at": {"time": 5}}"#, "at.time：收到“5”，应为文本"),
            (
                r#"{"attached": 1}"#,
                "attached：收到“未知字段”，应为以下字段：partner、stage、dryRun、amount、type、insuranceType、at",
            ),
        ] {
            assert_eq!(told(body), expected, "{body}");
        }
        assert_eq!(misread("at", "no idea at line 1 column 1").to_string(), "at：收到“无法识别的值”，应为no idea");
    }
}
