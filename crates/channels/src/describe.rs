//! An interface's fields, as its own decoder tells them: nothing here is written by hand, so nothing can be out of date.
//!
//! The document's own example is taken apart, and each field is left out and replaced in its turn: what the decoder says then is
//! whether it is required and what it should be.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value};

use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::{Distrust, FieldProblem, Refusal};

use crate::access::Access;
use crate::channel::{Channel, Interface, RawRequest, Verified};
use crate::explain::Words;
use crate::origin::Origin;
use crate::phrases::in_both;

/// A text that is no number, no time and no value of any list.
const NOTHING: &str = "？";
/// What the field that tells the caller should be.
const CONFIGURED_SOURCE: &str = "已配置的渠道代码";

/// A field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDescription {
    /// Its path, such as `applicantPersonalInfo.personName`.
    pub path: String,
    /// Its value in the document's example, as text.
    pub example: String,
    /// Whether a request without it is refused.
    pub is_required: bool,
    /// What it should be; absent where any text will do.
    pub expected: Option<Words>,
}

/// The example of an interface's document as a request, in JSON.
pub fn example(interface: &dyn Interface) -> RawRequest {
    request(Bytes::from_static(interface.examples().request.as_bytes()))
}

/// That request without the field of that path.
pub fn example_without(channel: &dyn Channel, interface: &dyn Interface, path: &str) -> Option<RawRequest> {
    let tree = Value::Object(channel.fields(&example(interface)).ok()?);
    let leaf = leaves(&tree).into_iter().find(|leaf| leaf.path == path)?;
    Some(request(Bytes::from(changed(&tree, &leaf.steps, None).to_string())))
}

fn request(body: Bytes) -> RawRequest {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"))]);
    RawRequest { headers, body, ..RawRequest::default() }
}

/// Whether a channel reads bodies in XML, as it says when it is given one.
pub fn takes_xml(channel: &dyn Channel) -> bool {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=utf-8"))]);
    let body = Bytes::from_static(b"<request><policyNo>1</policyNo></request>");
    channel.fields(&RawRequest { headers, body, ..RawRequest::default() }).is_ok()
}

/// What a channel's check of the caller says that knows nobody; of one that finds the caller in a field, what is wrong with that field.
fn refused_caller(channel: &dyn Channel, raw: &RawRequest) -> Option<Refusal> {
    channel.authenticate(raw, &Origin::default(), &Access::default(), Timestamp::UNIX_EPOCH).err()
}

/// The fields of the document's example, in the order of their paths, as they are taken of that caller.
pub fn fields(
    channel: &dyn Channel,
    interface: &dyn Interface,
    caller: &str,
    catalogue: &Catalogue,
) -> Vec<FieldDescription> {
    let Ok(tree) = channel.fields(&example(interface)) else { return Vec::new() };
    let tree = Value::Object(tree);
    let problems = |tree: &Value| -> Vec<FieldProblem> {
        let raw = request(Bytes::from(tree.to_string()));
        let decoded = interface.decode(&Verified::new(&raw, caller, 0), catalogue);
        let refusals = [refused_caller(channel, &raw), decoded.err()];
        let problems = |refusal| if let Refusal::InvalidFields(problems) = refusal { problems } else { Vec::new() };
        refusals.into_iter().flatten().flat_map(problems).collect()
    };
    let at = |path: &str, tree: &Value| problems(tree).into_iter().find(|problem| problem.path == path);
    leaves(&tree)
        .into_iter()
        .map(|leaf| {
            let missing = at(&leaf.path, &changed(&tree, &leaf.steps, None));
            let nonsense = changed(&tree, &leaf.steps, Some(Value::from(NOTHING)));
            let refused = refused_caller(channel, &request(Bytes::from(nonsense.to_string())));
            let tells_caller =
                matches!(refused, Some(Refusal::Untrusted(Distrust::UnknownSource(code))) if code == NOTHING);
            let wrong = at(&leaf.path, &nonsense).map(|problem| problem.expected);
            FieldDescription {
                example: leaf.example,
                is_required: missing.is_some_and(|problem| problem.received.is_none()),
                expected: wrong
                    .or_else(|| tells_caller.then(|| CONFIGURED_SOURCE.to_owned()))
                    .map(|text| in_both(&text)),
                path: leaf.path,
            }
        })
        .collect()
}

/// A value of a tree that holds no others.
struct Leaf {
    path: String,
    /// Names and places on the way to it.
    steps: Vec<Step>,
    example: String,
}

#[derive(Clone)]
enum Step {
    Name(String),
    Place(usize),
}

fn leaves(tree: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(tree, String::new(), &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, path: String, steps: &mut Vec<Step>, found: &mut Vec<Leaf>) {
    let mut go = |step: Step, path: String, inner: &Value| {
        steps.push(step);
        collect(inner, path, steps, found);
        steps.pop();
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, inner) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                go(Step::Name(name.clone()), path, inner);
            }
        }
        Value::Array(array) if !array.is_empty() => {
            // One of a list tells what all are.
            if let Some(inner) = array.first() {
                go(Step::Place(0), format!("{path}[0]"), inner);
            }
        }
        Value::String(text) => found.push(Leaf { path, steps: steps.clone(), example: text.clone() }),
        other => found.push(Leaf { path, steps: steps.clone(), example: other.to_string() }),
    }
}

/// The tree with another value at that place, or none.
fn changed(tree: &Value, steps: &[Step], value: Option<Value>) -> Value {
    let mut tree = tree.clone();
    let Some((last, way)) = steps.split_last() else { return tree };
    let parent = way.iter().try_fold(&mut tree, |value, step| match step {
        Step::Name(name) => value.get_mut(name),
        Step::Place(place) => value.get_mut(place),
    });
    match (parent, last, value) {
        (Some(Value::Object(object)), Step::Name(name), Some(value)) => {
            object.insert(name.clone(), value);
        }
        (Some(Value::Object(object)), Step::Name(name), None) => {
            Map::remove(object, name);
        }
        (Some(Value::Array(array)), Step::Place(place), Some(value)) => {
            if let Some(item) = array.get_mut(*place) {
                *item = value;
            }
        }
        _ => {}
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CHANNELS;

    fn described(scope: &str) -> Vec<FieldDescription> {
        let found = CHANNELS.iter().find_map(|channel| {
            let interface = channel.interfaces().iter().find(|interface| interface.scope() == scope)?;
            Some(fields(*channel, *interface, "alibaba", &Catalogue::default()))
        });
        found.unwrap()
    }

    fn field(fields: &[FieldDescription], path: &str) -> FieldDescription {
        fields.iter().find(|field| field.path == path).unwrap_or_else(|| panic!("no {path} in {fields:?}")).clone()
    }

    #[test]
    fn the_decoder_tells_what_each_field_should_be() {
        let issuing = described("qimen/policy-issuing");
        let amount = field(&issuing, "amount");
        assert_eq!((amount.example.as_str(), amount.is_required), ("1018.0", true));
        assert!(amount.expected.unwrap().zh.contains("十进制金额"));
        let name = field(&issuing, "applicantPersonalInfo.personName");
        assert_eq!((name.is_required, name.expected), (false, None));
        let license = field(&issuing, "applicantPersonalInfo.personLicenseType");
        assert_eq!(license.expected.unwrap().en, "ALI, IDENTITY_CARD or PASSPORT");
        let rescission = described("avatar/rescission-notice");
        assert!(field(&rescission, "head.orderNo").is_required);
        let source = field(&rescission, "head.policySource");
        assert_eq!((source.is_required, source.expected.unwrap().zh.as_str()), (true, "已配置的渠道代码"));
        assert!(rescission.iter().any(|field| field.path.contains("installmentList[0]")), "{rescission:?}");
        assert!(field(&described("qimen/recovery"), "identifier").is_required);
    }

    #[test]
    fn a_channel_is_asked_whether_it_reads_xml() {
        let told: Vec<_> = CHANNELS.iter().map(|channel| (channel.name(), takes_xml(*channel))).collect();
        assert_eq!(told, [("qimen", true), ("avatar", false)]);
    }

    #[test]
    fn every_interface_has_an_example_that_reads() {
        for channel in CHANNELS {
            for interface in channel.interfaces() {
                let scope = interface.scope();
                assert!(channel.fields(&example(*interface)).is_ok(), "{scope}");
                assert!(!interface.examples().answer.is_empty(), "{scope}");
                assert!(fields(*channel, *interface, "x", &Catalogue::default()).len() > 5, "{scope}");
            }
        }
    }
}
