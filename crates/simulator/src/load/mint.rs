//! Makes requests cheaply: identifiers are spliced into a prebuilt body, and what changes only once a second is
//! signed for only once a second.

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
use crate::example::{ISSUING_METHOD, ISSUING_REQUEST};
use crate::qimen::{Call, Document, Rule};

/// A request as hyper sends it.
pub(super) type HttpRequest = Request<Full<Bytes>>;

/// The example's body around `identifier` and `insureId`.
#[derive(Debug)]
struct Template {
    before: Bytes,
    between: Bytes,
    after: Bytes,
}

impl Template {
    fn of(body: &Bytes) -> Result<Self, LoadError> {
        let tree: Value =
            serde_json::from_str(ISSUING_REQUEST).map_err(|error| LoadError::Template(error.to_string()))?;
        let cut = |text: &Bytes, field: &str| {
            let missing = || LoadError::Template(format!("{field} is not where it should be"));
            let value = tree.get(field).and_then(Value::as_str).ok_or_else(missing)?;
            let at = text.windows(value.len()).position(|window| window == value.as_bytes()).ok_or_else(missing)?;
            Ok::<_, LoadError>((text.slice(..at), text.slice(at + value.len()..)))
        };
        let (before, rest) = cut(body, "identifier")?;
        let (between, after) = cut(&rest, "insureId")?;
        Ok(Self { before, between, after })
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

/// Makes the requests of one run.
#[derive(Debug)]
pub(super) struct Mint {
    call: Call,
    template: Template,
    content_type: HeaderValue,
    target: Target,
    identifiers: Identifiers,
    seed: u64,
    /// Tells this run's identifiers from those of every other run.
    run: u64,
    stamp: Stamp,
}

impl Mint {
    pub(super) fn new(plan: &Plan, target: Target, now: Timestamp) -> Result<Self, LoadError> {
        let document = Document::write(BodyKind::Json, plan.charset, ISSUING_REQUEST)
            .map_err(|error| LoadError::Template(error.to_string()))?;
        let secret: Secret = plan.secret.clone();
        Ok(Self {
            template: Template::of(document.bytes())?,
            content_type: HeaderValue::from_static(document.content_type()),
            call: Call {
                sign_method: plan.sign_method,
                ..Call::new(plan.app_key.clone(), secret, ISSUING_METHOD, document)
            },
            target,
            identifiers: plan.identifiers,
            seed: plan.seed,
            run: u64::try_from(now.as_millisecond()).unwrap_or_default(),
            stamp: Stamp::default(),
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

    /// The signed request for a draw.
    pub(super) fn request(&mut self, draw: &Draw, now: Timestamp) -> Result<HttpRequest, LoadError> {
        if self.stamp.second != Some(now.as_second()) {
            self.stamp = self.stamp_at(now)?;
        }
        let identifier = self.identifier(draw.serial);
        // A conflict names another business document: a field that every receiver must compare.
        let document = match draw.kind {
            Kind::New | Kind::Repeat => 1,
            Kind::Conflict => 2,
        };
        let run = self.run % 10_u64.pow(12);
        let insure_id = format!("{document}{:014}{run:012}", draw.serial);
        let pieces: [&[u8]; 5] = [
            &self.template.before,
            identifier.as_bytes(),
            &self.template.between,
            insure_id.as_bytes(),
            &self.template.after,
        ];
        let secret = self.call.secret.expose().as_bytes();
        let signed = std::iter::once(self.stamp.joined.as_slice()).chain(pieces);
        let signature = self.call.sign_method.sign(secret, signed);
        let mut body = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            body.put_slice(piece);
        }
        Request::builder()
            .method(Method::POST)
            .uri(format!("{}{signature}", self.stamp.path_and_query))
            .header(HOST, &self.target.host)
            .header(CONTENT_TYPE, &self.content_type)
            .body(Full::new(body.freeze()))
            .map_err(|error| LoadError::Template(error.to_string()))
    }

    fn stamp_at(&self, now: Timestamp) -> Result<Stamp, LoadError> {
        let query = self.call.unsigned_query(now).map_err(|error| LoadError::Plan(error.to_string()))?;
        let path_and_query = format!("{}?{query}&sign=", self.target.path);
        let bodiless = RawRequest { query: query.into(), ..RawRequest::default() };
        Ok(Stamp { second: Some(now.as_second()), path_and_query, joined: Rule::Receiver.string_to_sign(&bodiless) })
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
    fn every_request_is_signed_and_is_the_example_but_for_its_ids() {
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
                    let mut tree = body::read(&raw).unwrap();
                    for field in ["identifier", "insureId"] {
                        assert_eq!(tree[field].as_str().unwrap().len(), 27);
                        tree[field] = example[field].clone();
                    }
                    assert_eq!(Value::Object(tree), example);
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
