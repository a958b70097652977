//! Makes requests cheaply: identifiers are spliced into a prebuilt body, and what changes only once a second is
//! signed for only once a second.

use std::fmt::Write as _;

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body::BodyKind;
use bytes::{BufMut, Bytes, BytesMut};
use fastrand::Rng;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::Value;

use super::deck::{Draw, Kind};
use super::plan::{Identifiers, LoadError, Plan};
use super::target::Target;
use crate::example::{ISSUING_METHOD, ISSUING_REQUEST, RECOVERY_METHOD, RECOVERY_REQUEST};
use crate::qimen::{Call, Document, Rule};

/// A request as hyper sends it.
pub(super) type HttpRequest = Request<Full<Bytes>>;

/// The example's body in pieces, around the fields that each call has its own values for.
#[derive(Debug)]
struct Template {
    pieces: Vec<Bytes>,
}

impl Template {
    /// Cuts `body` at the values that `example` has at these JSON pointers, which must stand there in this order.
    fn of(body: &Bytes, example: &str, pointers: &[&str]) -> Result<Self, LoadError> {
        let tree: Value = serde_json::from_str(example).map_err(|error| LoadError::Template(error.to_string()))?;
        let (mut pieces, mut rest) = (Vec::new(), body.clone());
        for pointer in pointers {
            let missing = || LoadError::Template(format!("{pointer} is not where it should be"));
            let value = tree.pointer(pointer).and_then(Value::as_str).ok_or_else(missing)?;
            let at = rest.windows(value.len()).position(|window| window == value.as_bytes()).ok_or_else(missing)?;
            pieces.push(rest.slice(..at));
            rest = rest.slice(at + value.len()..);
        }
        pieces.push(rest);
        Ok(Self { pieces })
    }

    /// The pieces with the values between them.
    fn filled<'a>(&'a self, values: &'a [&str]) -> impl Iterator<Item = &'a [u8]> {
        let values = values.iter().map(|value| value.as_bytes()).chain([&[][..]]);
        self.pieces.iter().zip(values).flat_map(|(piece, value)| [&**piece, value])
    }
}

/// What every call of one second has in common.
#[derive(Debug, Default)]
struct Stamp {
    second: Option<i64>,
    /// The path with all parameters but the signature.
    path_and_query: String,
    /// The part of the string to sign that comes before the body.
    joined: Vec<u8>,
}

/// One interface's calls.
#[derive(Debug)]
struct Press {
    call: Call,
    template: Template,
    content_type: HeaderValue,
    stamp: Stamp,
}

impl Press {
    fn new(plan: &Plan, method: &str, example: &str, fields: &[&str]) -> Result<Self, LoadError> {
        let document = Document::write(BodyKind::Json, plan.charset, example)
            .map_err(|error| LoadError::Template(error.to_string()))?;
        let secret: Secret = plan.secret.clone();
        Ok(Self {
            template: Template::of(document.bytes(), example, fields)?,
            content_type: HeaderValue::from_static(document.content_type()),
            call: Call { sign_method: plan.sign_method, ..Call::new(plan.app_key.clone(), secret, method, document) },
            stamp: Stamp::default(),
        })
    }

    /// The signed request with these values in its fields.
    fn request(&mut self, target: &Target, values: &[&str], now: Timestamp) -> Result<HttpRequest, LoadError> {
        if self.stamp.second != Some(now.as_second()) {
            self.stamp = self.stamp_at(&target.path, now)?;
        }
        let secret = self.call.secret.expose().as_bytes();
        let signed = std::iter::once(self.stamp.joined.as_slice()).chain(self.template.filled(values));
        let signature = self.call.sign_method.sign(secret, signed);
        let mut body = BytesMut::with_capacity(self.template.filled(values).map(<[u8]>::len).sum());
        self.template.filled(values).for_each(|piece| body.put_slice(piece));
        Request::builder()
            .method(Method::POST)
            .uri(format!("{}{signature}", self.stamp.path_and_query))
            .header(HOST, &target.host)
            .header(CONTENT_TYPE, &self.content_type)
            .body(Full::new(body.freeze()))
            .map_err(|error| LoadError::Template(error.to_string()))
    }

    fn stamp_at(&self, path: &str, now: Timestamp) -> Result<Stamp, LoadError> {
        let query = self.call.unsigned_query(now).map_err(|error| LoadError::Plan(error.to_string()))?;
        let path_and_query = format!("{path}?{query}&sign=");
        let bodiless = RawRequest { query: query.into(), ..RawRequest::default() };
        Ok(Stamp { second: Some(now.as_second()), path_and_query, joined: Rule::Receiver.string_to_sign(&bodiless) })
    }
}

/// What is an application's own, in the order of the example.
const APPLICATION_FIELDS: [&str; 5] = [
    "/identifier",
    "/applicantPersonalInfo/personPhone",
    "/applicantPersonalInfo/personLicenseNo",
    "/insuredPersonalInfo/personLicenseNo",
    "/insureId",
];

/// Makes the requests of one run.
#[derive(Debug)]
pub(super) struct Mint {
    issuing: Press,
    recovery: Press,
    target: Target,
    identifiers: Identifiers,
    seed: u64,
    /// Tells this run's identifiers from those of every other run.
    run: u64,
}

/// The example, with so many extension fields of a KiB each.
fn padded(example: &str, kib: usize) -> String {
    let filler = "x".repeat(1_010);
    let mut padded = "\"attrs\":{".to_owned();
    for n in 0..kib {
        // Writing to a string cannot fail.
        let _ = write!(padded, "\"padding{n}\":\"{filler}\",");
    }
    example.replacen("\"attrs\":{", &padded, 1)
}

impl Mint {
    pub(super) fn new(plan: &Plan, target: Target, now: Timestamp) -> Result<Self, LoadError> {
        let application = padded(ISSUING_REQUEST, plan.padding_kib);
        Ok(Self {
            issuing: Press::new(plan, ISSUING_METHOD, &application, &APPLICATION_FIELDS)?,
            recovery: Press::new(plan, RECOVERY_METHOD, RECOVERY_REQUEST, &["/identifier", "/policyNo"])?,
            target,
            identifiers: plan.identifiers,
            seed: plan.seed,
            run: u64::try_from(now.as_millisecond()).unwrap_or_default(),
        })
    }

    /// `identifier` of a serial: 27 digits, as long as the document's.
    fn identifier(&self, serial: u64) -> String {
        match self.identifiers {
            Identifiers::Rising => format!("{:013}{serial:014}", self.run % 10_u64.pow(13)),
            Identifiers::Random => {
                let seed = self.seed ^ serial.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let scattered = Rng::with_seed(seed).u64(..);
                format!("{scattered:020}{:07}", self.run % 10_u64.pow(7))
            }
        }
    }

    /// The numbers of a policy's people, which are other people's in each policy: what finds them again is an index
    /// in no order, and its upkeep part of the work.
    fn people(&self, serial: u64) -> [String; 3] {
        let mut rng = Rng::with_seed(self.seed ^ self.run ^ serial.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        [
            format!("33{:017}", rng.u64(..10_u64.pow(17))),
            format!("139{:09}", rng.u32(..1_000_000_000)),
            rng.u32(1_000_000_000..).to_string(),
        ]
    }

    /// The signed request for a draw.
    pub(super) fn request(&mut self, draw: &Draw, now: Timestamp) -> Result<HttpRequest, LoadError> {
        let identifier = self.identifier(draw.serial);
        // A conflict names another business document: a field that every receiver must compare.
        let document = match draw.kind {
            Kind::New | Kind::Repeat => 1,
            Kind::Conflict => 2,
            Kind::Recovery => {
                let policy_no = draw.policy_no().unwrap_or_default();
                return self.recovery.request(&self.target, &[&identifier, policy_no], now);
            }
        };
        let run = self.run % 10_u64.pow(12);
        let insure_id = format!("{document}{:014}{run:012}", draw.serial);
        let [applicant, phone, insured] = self.people(draw.serial);
        self.issuing.request(&self.target, &[&identifier, &phone, &applicant, &insured, &insure_id], now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::deck::Deck;
    use crate::qimen::Charset;
    use baoqiao_channels::qimen::body;
    use baoqiao_channels::qimen::sign::SignedParts;
    use baoqiao_channels::sign_method::SignMethod;
    use http_body_util::BodyExt;
    use std::collections::HashSet;

    fn mint(change: impl FnOnce(&mut Plan)) -> Mint {
        let mut plan = Plan::new("http://127.0.0.1/qimen", "24589063", Secret::new("s"));
        change(&mut plan);
        let target = Target {
            address: ([127, 0, 0, 1], 80).into(),
            host: HeaderValue::from_static("127.0.0.1"),
            path: "/qimen".to_owned(),
        };
        Mint::new(&plan, target, at(0)).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// The request as the gateway sees it.
    fn raw(request: HttpRequest) -> RawRequest {
        let (head, body) = request.into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        RawRequest {
            query: head.uri.query().unwrap().to_owned().into(),
            headers: head.headers,
            body: runtime.unwrap().block_on(body.collect()).unwrap().to_bytes(),
        }
    }

    #[test]
    fn every_request_is_signed_and_is_the_example_but_for_its_numbers() {
        let example: Value = serde_json::from_str(ISSUING_REQUEST).unwrap();
        for charset in [Charset::Utf8, Charset::Gbk] {
            for sign_method in SignMethod::ALL {
                let mut mint = mint(|plan| {
                    plan.charset = charset;
                    plan.sign_method = sign_method;
                });
                let mut deck = Deck::new(1, 0.5, 0.0);
                // Within one second and across two: the stamp is used again, and made anew.
                for second in [0, 0, 1, 1, 1] {
                    let raw = raw(mint.request(&deck.draw(), at(second)).unwrap());
                    let parts = SignedParts::of(&raw);
                    assert!(parts.is_signed_with(sign_method, "s"));
                    let timestamp = baoqiao_domain::time::format_gmt8(at(second));
                    assert_eq!(parts.text("timestamp").unwrap(), timestamp);
                    let mut tree = Value::Object(body::read(&raw).unwrap());
                    for field in APPLICATION_FIELDS {
                        let (own, given) = (tree.pointer_mut(field).unwrap(), example.pointer(field).unwrap());
                        assert_eq!(own.as_str().unwrap().len(), given.as_str().unwrap().len(), "{field}");
                        *own = given.clone();
                    }
                    assert_eq!(tree, example);
                }
            }
        }
    }

    #[test]
    fn a_repeat_has_the_same_body_and_a_conflict_another() {
        let mut mint = mint(|_| ());
        let mut deck = Deck::new(3, 0.3, 0.3);
        let mut contents = std::collections::HashMap::new();
        for _ in 0..200 {
            let draw = deck.draw();
            deck.compare(&draw, "P");
            let body = raw(mint.request(&draw, at(0)).unwrap()).body;
            let first = contents.entry(draw.serial).or_insert_with(|| body.clone());
            assert_eq!(*first == body, draw.kind != Kind::Conflict);
        }
    }

    #[test]
    fn a_recovery_names_its_policy_and_is_signed() {
        let mut mint = mint(|_| ());
        let mut deck = Deck::new(1, 0.0, 0.0).with_recoveries(0.9, true);
        let new = deck.draw();
        deck.compare(&new, "PBDI20260102Q0000000001");
        let draw = (0..20).map(|_| deck.draw()).find(|draw| draw.kind == Kind::Recovery).unwrap();
        let raw = raw(mint.request(&draw, at(0)).unwrap());
        assert!(SignedParts::of(&raw).is_signed_with(SignMethod::Md5, "s"));
        assert_eq!(body::read(&raw).unwrap()["policyNo"], "PBDI20260102Q0000000001");
    }

    #[test]
    fn padding_makes_the_body_longer_and_nothing_else() {
        let length = |kib: usize| {
            let mut mint = mint(|plan| plan.padding_kib = kib);
            let raw = raw(mint.request(&Deck::new(1, 0.0, 0.0).draw(), at(0)).unwrap());
            let tree = body::read(&raw).unwrap();
            assert_eq!(tree["attrs"].as_object().unwrap().len(), 3 + kib);
            raw.body.len()
        };
        assert!((64 << 10..66 << 10).contains(&(length(64) - length(0))));
    }

    #[test]
    fn identifiers_never_repeat_and_rise_when_they_should() {
        let rising = mint(|_| ());
        let identifiers: Vec<String> = (0..1000).map(|n| rising.identifier(n)).collect();
        assert!(identifiers.is_sorted());
        let random = mint(|plan| plan.identifiers = Identifiers::Random);
        let scattered: Vec<String> = (0..1000).map(|n| random.identifier(n)).collect();
        assert!(!scattered.is_sorted());
        for each in [identifiers, scattered] {
            assert!(each.iter().all(|identifier| identifier.len() == 27));
            assert_eq!(each.iter().collect::<HashSet<_>>().len(), 1000);
        }
    }
}
