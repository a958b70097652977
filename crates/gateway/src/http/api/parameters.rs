//! Query parameters: read by name, every problem noted, unknown ones refused.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use baoqiao_domain::refusal::FieldProblem;
use http::request::Parts;
use jiff::Timestamp;

use super::Api;
use super::order::{NO_CONTROL_CHARACTERS, has_control_character};
use super::problem::{FieldError, Problem};

/// How many rows a page has when the caller does not say.
const DEFAULT_LIMIT: u64 = 50;
/// The longest page.
const LIMIT: RangeInclusive<u64> = 1..=200;
/// What is expected of a time.
pub(super) const EXPECTED_TIME: &str = "RFC 3339 时间，如 2026-01-02T00:00:00+08:00";

/// The part of an address that names something.
pub(super) struct Segment(pub(super) String);

impl FromRequestParts<Arc<Api>> for Segment {
    type Rejection = Problem;

    /// What is no UTF-8 names nothing.
    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, api).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(Problem::not_found("此地址")),
        }
    }
}

/// The parameters of one call. [`finish`](Self::finish) tells what was wrong with them, so nothing is to be done before.
pub(super) struct Parameters {
    given: Vec<(String, String)>,
    known: RefCell<Vec<&'static str>>,
    problems: RefCell<Vec<FieldError>>,
}

impl Parameters {
    pub(super) fn of(query: Option<&str>) -> Self {
        let given = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { given, known: RefCell::default(), problems: RefCell::default() }
    }

    fn note(&self, problem: FieldProblem) {
        self.problems.borrow_mut().push(problem.into());
    }

    /// The text of a parameter; an empty one counts as absent.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        self.known.borrow_mut().push(name);
        let mut values = self.given.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        let value = values.next();
        if let Some(again) = values.next() {
            self.note(FieldProblem::wrong(name, again, "只出现一次"));
        }
        // No text of the ledger has one, and not every database lets one be asked for.
        if value.is_some_and(|value| has_control_character(value)) {
            self.note(FieldProblem {
                path: name.to_owned(),
                received: None,
                expected: NO_CONTROL_CHARACTERS.to_owned(),
            });
            return None;
        }
        value.filter(|value| !value.is_empty()).cloned()
    }

    /// What `read` makes of a parameter; noted where that is nothing.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.note(FieldProblem::wrong(name, &text, expected));
        }
        value
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &'static str, expected: &str) -> Option<T> {
        self.read(name, expected, |text| text.parse().ok())
    }

    /// An instant.
    pub(super) fn time(&self, name: &'static str) -> Option<Timestamp> {
        self.parsed(name, EXPECTED_TIME)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &'static str) -> Option<bool> {
        self.parsed(name, "true 或 false")
    }

    /// A whole number in a range.
    pub(super) fn number(&self, name: &'static str, default: u64, range: &RangeInclusive<u64>) -> u64 {
        let expected = format!("{} 至 {} 的整数", range.start(), range.end());
        let read = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.read(name, &expected, read).unwrap_or(default)
    }

    /// `limit`.
    pub(super) fn limit(&self) -> usize {
        usize::try_from(self.number("limit", DEFAULT_LIMIT, &LIMIT)).unwrap_or(usize::MAX)
    }

    /// Tells what was wrong.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        let known = self.known.borrow();
        for (name, _) in self.given.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let expected = if known.is_empty() { "无参数".to_owned() } else { known.join("、") };
            self.note(FieldProblem { path: name.clone(), received: None, expected });
        }
        let problems = self.problems.take();
        if problems.is_empty() { Ok(()) } else { Err(Problem::invalid(problems)) }
    }
}

/// The parameters of a call that takes none.
pub(super) fn none(query: Option<&str>) -> Result<(), Problem> {
    Parameters::of(query).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let parameters = Parameters::of(Some("limit=0&from=yesterday&a=1&a=2&limits=5&empty="));
        assert_eq!(parameters.limit(), 50);
        assert_eq!(parameters.time("from"), None);
        assert_eq!(parameters.text("a").as_deref(), Some("1"));
        assert_eq!(parameters.flag("empty"), None);
        let problem = serde_json::to_value(parameters.finish().unwrap_err()).unwrap();
        let fields: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["limit", "from", "a", "limits"]);
        assert_eq!((&problem["code"], &problem["status"]), (&"INVALID_ARGUMENT".into(), &400.into()));
    }

    #[test]
    fn encoded_values_are_decoded() {
        let parameters = Parameters::of(Some("at=2026-01-02T00%3A00%3A00%2B08%3A00&name=%E5%BC%A0+%F0%AC%AD%8E"));
        assert_eq!(parameters.time("at").unwrap().to_string(), "2026-01-01T16:00:00Z");
        assert_eq!(parameters.text("name").as_deref(), Some("张 𬭎"));
        parameters.finish().unwrap();
    }
}
