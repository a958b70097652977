//! What of the body is checked and stored.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The application as it is stored.
pub struct Application {
    pub identifier: String,
    pub insure_id: String,
    pub product_code: String,
    pub amount: String,
    pub premium: String,
    pub premium_of_cny: String,
    pub currency: String,
    pub effect_ms: i64,
    pub expire_ms: i64,
    /// The numbers by which its people are found again.
    pub people: Vec<String>,
    /// The decoded content, with its digest: what a retry is compared with.
    pub content: String,
    pub fingerprint: Vec<u8>,
}

/// `yyyy-MM-dd HH:mm:ss` in GMT+8 as epoch milliseconds.
pub fn gmt8_ms(text: &str) -> Option<i64> {
    let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    Some(civil.to_zoned(TimeZone::fixed(Offset::constant(8))).ok()?.timestamp().as_millisecond())
}

impl Application {
    /// Reads and checks the body; the error names the field.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let object: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let text = |name: &str| {
            let value = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            value.map(str::to_owned).ok_or_else(|| format!("{name}：缺少，必填"))
        };
        let amount = |name: &str| {
            let text = text(name)?;
            let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if is_decimal { Ok(text) } else { Err(format!("{name}：收到“{text}”，应为十进制金额")) }
        };
        let time = |name: &str| gmt8_ms(&text(name)?).ok_or_else(|| format!("{name}：应为 yyyy-MM-dd HH:mm:ss"));
        let (effect_ms, expire_ms) = (time("effectTime")?, time("expireTime")?);
        if effect_ms >= expire_ms {
            return Err("expireTime：应晚于 effectTime".to_owned());
        }
        time("insureTime")?;
        amount("currencyRate")?;
        let content = Value::Object(object.clone()).to_string();
        Ok(Self {
            identifier: text("identifier")?,
            insure_id: text("insureId")?,
            product_code: text("productCode")?,
            amount: amount("amount")?,
            premium: amount("premium")?,
            premium_of_cny: amount("premiumOfCny")?,
            currency: text("currency")?,
            effect_ms,
            expire_ms,
            people: people(&object),
            fingerprint: Sha256::digest(&content).to_vec(),
            content,
        })
    }
}

fn people(object: &Map<String, Value>) -> Vec<String> {
    let fields = [
        ("applicantPersonalInfo", "personLicenseNo"),
        ("applicantPersonalInfo", "personPhone"),
        ("insuredPersonalInfo", "personLicenseNo"),
        ("insuredPersonalInfo", "personPhone"),
        ("applicantCompanyInfo", "companyLicenseNo"),
        ("insuredCompanyInfo", "companyLicenseNo"),
        ("insuredCompanyInfo", "companyPhone"),
    ];
    let number = |(group, field): (&str, &str)| object.get(group)?.get(field)?.as_str().map(str::to_owned);
    let mut numbers: Vec<String> = fields.into_iter().filter_map(number).collect();
    numbers.sort();
    numbers.dedup();
    numbers
}
