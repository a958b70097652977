//! `[channels.<channel>.methods]`: the method names on the wire.
//!
//! Some documents do not say their method name, and a platform may give an insurer its own: each interface has a
//! default, and the key here is the part of its scope after the channel (`policy-issuing` of `qimen/policy-issuing`).

use std::collections::HashMap;

use baoqiao_channels::channel::{Channel, Interface};

use super::reader::{Item, Section};

const EXPECTED: &str = "a method name of letters, digits, dots, hyphens and underscores";

/// An interface's method name, and where the file gives it.
pub(super) struct Named<'a> {
    scope: &'static str,
    method: &'a str,
    item: Option<Item<'a>>,
}

/// The method names of a channel's interfaces; none in a channel without such names.
pub(super) fn of_channel<'a>(section: &Section<'a>, channel: &dyn Channel) -> Vec<Named<'a>> {
    let interfaces = channel.interfaces();
    if interfaces.iter().all(|interface| interface.default_method().is_none()) {
        return Vec::new();
    }
    section.section("methods", |section| {
        interfaces.iter().filter_map(|interface| name(section, channel.name(), *interface)).collect()
    })
}

/// Method names to interface scopes, each name for one interface.
pub(super) fn distinct(named: Vec<Named<'_>>) -> HashMap<String, &'static str> {
    for (index, one) in named.iter().enumerate() {
        let before = named.iter().take(index).find(|other| other.method == one.method);
        let Some(before) = before else { continue };
        // A default that is taken is no fault of the file: the name that took it is.
        let (item, other) = match &one.item {
            Some(item) => (Some(item), before.scope),
            None => (before.item.as_ref(), one.scope),
        };
        if let Some(item) = item {
            item.refuse(format_args!("a method name of its own: it is that of {other}"));
        }
    }
    named.into_iter().map(|named| (named.method.to_owned(), named.scope)).collect()
}

/// `None` in a channel without method names.
fn name<'a>(section: &Section<'a>, channel: &str, interface: &'static dyn Interface) -> Option<Named<'a>> {
    let default = interface.default_method()?;
    let scope = interface.scope();
    let key = scope.strip_prefix(channel).and_then(|rest| rest.strip_prefix('/')).unwrap_or(scope);
    let item = section.item(key);
    let configured = item.as_ref().and_then(|item| item.text(EXPECTED, method_name));
    Some(Named { scope, method: configured.unwrap_or(default), item })
}

fn method_name(text: &str) -> Option<&str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    ((1..=128).contains(&text.len()) && text.bytes().all(allowed)).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use baoqiao_channels::access::Access;
    use baoqiao_channels::channel::{CallResult, Decoded, Draft, Examples, Label, RawRequest, Reply, Verified};
    use baoqiao_channels::explain::{Evidence, Explanation, Known};
    use baoqiao_channels::origin::Origin;
    use baoqiao_domain::product::Catalogue;
    use baoqiao_domain::refusal::Refusal;
    use jiff::Timestamp;
    use serde_json::{Map, Value};
    use toml::de::DeTable;

    use super::super::reader::Source;
    use super::*;

    struct Pair;

    struct Named(&'static str, &'static str);

    impl Channel for Pair {
        fn name(&self) -> &'static str {
            "pair"
        }
        fn path(&self) -> &'static str {
            "/pair"
        }
        fn interfaces(&self) -> &'static [&'static dyn Interface] {
            &[&Named("pair/one", "method.one"), &Named("pair/two", "method.two")]
        }
        fn callers(&self, _: &Access) -> Vec<String> {
            unreachable!()
        }

        fn signs(&self, _: &str, _: &Access) -> bool {
            unreachable!()
        }
        fn interface(&self, _: &RawRequest, _: &Access) -> Option<&'static dyn Interface> {
            unreachable!()
        }
        fn authenticate<'a>(
            &self,
            _: &'a RawRequest,
            _: &Origin,
            _: &'a Access,
            _: Timestamp,
        ) -> Result<Verified<'a>, Refusal> {
            unreachable!()
        }
        fn explain(&self, _: &Evidence, _: &Known<'_>, _: Timestamp) -> Explanation {
            unreachable!()
        }
        fn fields(&self, _: &RawRequest) -> Result<Map<String, Value>, Refusal> {
            unreachable!()
        }
        fn compose(&self, _: &dyn Interface, _: &str, _: &Draft, _: &Access, _: Timestamp) -> Option<RawRequest> {
            unreachable!()
        }
        fn unknown_interface(&self, _: &Verified<'_>) -> Refusal {
            unreachable!()
        }
        fn told_code(&self, _: &Refusal) -> &'static str {
            unreachable!()
        }
        fn reply_refused(&self, _: &RawRequest, _: &Refusal, _: Timestamp) -> Reply {
            unreachable!()
        }
    }

    impl Interface for Named {
        fn scope(&self) -> &'static str {
            self.0
        }
        fn label(&self) -> Label {
            unreachable!()
        }
        fn default_method(&self) -> Option<&'static str> {
            Some(self.1)
        }
        fn examples(&self) -> Examples {
            unreachable!()
        }
        fn keys_named(&self, _: &str, _: &[String]) -> Vec<String> {
            unreachable!()
        }
        fn decode(&self, _: &Verified<'_>, _: &Catalogue) -> Result<Decoded, Refusal> {
            unreachable!()
        }
        fn reply(&self, _: &RawRequest, _: &CallResult, _: Timestamp) -> Reply {
            unreachable!()
        }
    }

    fn read_from(text: &str) -> Result<HashMap<String, &'static str>, String> {
        let root = DeTable::parse(text).unwrap();
        let source = Source::new(text, Path::new("/"), &|_| None);
        let of_pair = |section: &Section<'_>| distinct(section.section("pair", |pair| of_channel(pair, &Pair)));
        let methods = Section::root(&source, root.get_ref(), of_pair);
        if source.has_problems() { Err(source.into_error(Path::new("f")).to_string()) } else { Ok(methods) }
    }

    #[test]
    fn a_name_that_is_given_replaces_the_default() {
        let defaults = HashMap::from([("method.one".to_owned(), "pair/one"), ("method.two".to_owned(), "pair/two")]);
        assert_eq!(read_from("").unwrap(), defaults);
        let swapped = "[pair.methods]\none = \"method.two\"\ntwo = \"method.one\"\n";
        let expected = HashMap::from([("method.two".to_owned(), "pair/one"), ("method.one".to_owned(), "pair/two")]);
        assert_eq!(read_from(swapped).unwrap(), expected);
    }

    #[test]
    fn a_name_stands_for_one_interface() {
        let of_one = "f:1: pair.methods.one: \"method.two\"; expected a method name of its own: it is that of pair/two";
        let of_two = "f:1: pair.methods.two: \"method.one\"; expected a method name of its own: it is that of pair/one";
        let both = "f:2: pair.methods.two: \"m\"; expected a method name of its own: it is that of pair/one";
        for (text, expected) in [
            ("pair.methods.one = \"method.two\"", of_one),
            ("pair.methods.two = \"method.one\"", of_two),
            ("pair.methods.one = \"m\"\npair.methods.two = \"m\"", both),
        ] {
            assert_eq!(read_from(text).unwrap_err(), expected, "{text}");
        }
    }
}
