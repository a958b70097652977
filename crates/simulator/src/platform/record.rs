//! What the platform has received: the newest calls, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::interface::Interface;
use crate::qimen::Parameter;

/// The most bytes of parameters that are kept, whatever their number.
const MAX_BYTES: usize = 256 << 20;

/// How a call was answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Answered {
    /// A success that says yes.
    Accepted,
    /// A success that says no.
    Refused {
        /// `fail_code` or `result_code`.
        fail_code: String,
    },
    /// An `error_response`.
    Error {
        /// The platform's code.
        code: u32,
        /// Its sub-code.
        #[serde(skip_serializing_if = "Option::is_none")]
        sub_code: Option<String>,
    },
    /// Nothing, and the connection left open.
    Timeout,
    /// Nothing, and the connection closed.
    Dropped,
    /// Bytes that are no answer.
    Garbage,
    /// Yes, in GBK, declared to be UTF-8.
    WrongCharset,
    /// An HTTP status with a page for people.
    Status {
        /// The status.
        status: u16,
    },
}

/// One call that reached the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Its place in the order of arrival, counted from 1.
    pub number: u64,
    /// When it was judged.
    pub time: Timestamp,
    /// Every parameter as it came, decoded, system parameters included; one each name.
    pub parameters: Vec<Parameter>,
    /// Whether the platform has taken the message, whatever it answered.
    pub taken: bool,
    /// How it was answered.
    pub answered: Answered,
    /// The answer's `request_id`.
    pub request_id: String,
    /// The rule of the scenario that decided.
    pub rule: Option<String>,
    /// The number of the call of which this is the second copy, made by the platform itself.
    pub duplicate_of: Option<u64>,
    /// For a refused signature: the text that the platform has digested.
    pub string_to_sign: Option<String>,
}

impl Received {
    /// A parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `method`, empty where there was none.
    pub fn method(&self) -> &str {
        self.parameter("method").unwrap_or_default()
    }

    /// `app_key`, empty where there was none.
    pub fn app_key(&self) -> &str {
        self.parameter("app_key").unwrap_or_default()
    }

    /// The business content, parsed: the interface's one object; of other methods all parameters of their own.
    pub fn content(&self) -> Value {
        Interface::content(&self.parameters)
    }

    fn bytes(&self) -> usize {
        let parameters: usize = self.parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        parameters + self.string_to_sign.as_ref().map_or(0, String::len)
    }
}

/// The parameters as one object.
struct Parameters<'a>(&'a [Parameter]);

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Received {
    /// As `GET /received` shows it; what does not apply is left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("time", &self.time.to_string())?;
        map.serialize_entry("method", self.method())?;
        map.serialize_entry("app_key", self.app_key())?;
        map.serialize_entry("parameters", &Parameters(&self.parameters))?;
        map.serialize_entry("content", &self.content())?;
        map.serialize_entry("taken", &self.taken)?;
        map.serialize_entry("answered", &self.answered)?;
        map.serialize_entry("request_id", &self.request_id)?;
        if let Some(rule) = &self.rule {
            map.serialize_entry("rule", rule)?;
        }
        if let Some(number) = self.duplicate_of {
            map.serialize_entry("duplicate_of", &number)?;
        }
        if let Some(text) = &self.string_to_sign {
            map.serialize_entry("string_to_sign", text)?;
        }
        map.end()
    }
}

/// The newest calls.
#[derive(Debug)]
pub(super) struct Record {
    newest: VecDeque<Arc<Received>>,
    keep: usize,
    max_bytes: usize,
    bytes: usize,
    total: u64,
}

impl Record {
    pub(super) fn new(keep: usize) -> Self {
        Self { newest: VecDeque::new(), keep, max_bytes: MAX_BYTES, bytes: 0, total: 0 }
    }

    /// Notes the call as the next in order, and gives its number.
    pub(super) fn note(&mut self, mut received: Received) -> u64 {
        self.total += 1;
        received.number = self.total;
        self.bytes += received.bytes();
        self.newest.push_back(Arc::new(received));
        while self.newest.len() > self.keep || self.bytes > self.max_bytes {
            let Some(oldest) = self.newest.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
        self.total
    }

    /// How many there have been, those no longer kept included.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The calls kept with a number above `after`, in their order.
    pub(super) fn after(&self, after: u64) -> Vec<Arc<Received>> {
        self.newest.iter().filter(|received| received.number > after).map(Arc::clone).collect()
    }

    /// Forgets the calls; numbers go on.
    pub(super) fn clear(&mut self) {
        self.newest.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn received(value: &str) -> Received {
        Received {
            number: 0,
            time: Timestamp::UNIX_EPOCH,
            parameters: vec![("a".to_owned(), value.to_owned())],
            taken: true,
            answered: Answered::Accepted,
            request_id: "r".to_owned(),
            rule: None,
            duplicate_of: None,
            string_to_sign: None,
        }
    }

    #[test]
    fn the_newest_stay_within_both_bounds() {
        let mut record = Record { max_bytes: 10, ..Record::new(3) };
        for value in ["1", "2", "3", "4"] {
            record.note(received(value));
        }
        let numbers = |record: &Record| record.after(0).iter().map(|kept| kept.number).collect::<Vec<_>>();
        assert_eq!((numbers(&record), record.total()), (vec![2, 3, 4], 4));
        record.note(received("1234567"));
        assert_eq!(numbers(&record), [4, 5]);
        record.note(received("12345678901234567890"));
        assert_eq!(numbers(&record), [] as [u64; 0]);
        record.note(received("x"));
        assert_eq!(record.after(6).len(), 1);
        assert_eq!(record.after(7).len(), 0);
    }

    #[test]
    fn content_is_parsed() {
        let mut auction = received("x");
        auction.parameters = vec![
            ("method".to_owned(), "taobao.auction.insurance.insuranceresultcallback".to_owned()),
            ("insurance_result_a_p_i_request".to_owned(), r#"{"biz_id":"1","stage":2}"#.to_owned()),
        ];
        assert_eq!(auction.content(), json!({"biz_id": "1", "stage": 2}));
        let mut other = received("1");
        other.parameters.push(("o".to_owned(), r#"{"b":[1]}"#.to_owned()));
        other.parameters.push(("app_key".to_owned(), "k".to_owned()));
        assert_eq!(other.content(), json!({"a": "1", "o": {"b": [1]}}));
        let shown = serde_json::to_value(&other).unwrap();
        assert_eq!((&shown["app_key"], &shown["answered"]), (&json!("k"), &json!({"outcome": "accepted"})));
        assert!(shown.get("rule").is_none());
    }
}
