//! The API through its router, over a ledger on disk.

mod access;
mod document;
mod events;
mod lists;
mod orders;
mod overload;
mod webhooks;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use baoqiao_channels::channel::{CallResult, Reply};
use baoqiao_channels::origin::Origin;
use baoqiao_domain::currency::Currency;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::ledger::Command;
use baoqiao_domain::product::{AmountRange, Catalogue, DiscrepancyPolicy, Product};
use baoqiao_domain::recovery::Recovery;
use baoqiao_domain::refusal::Refusal;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::ledger::backend::Readers;
use crate::ledger::fixture::{Database, off_runtime, on_both_databases};
use crate::ledger::postgres::Sequencer;
use crate::ledger::store::Arrival;
use crate::ledger::{Asked, Committer, Rules, Stranger, Submission, Webhook};
use crate::outbox::Wake;
use crate::statistics::Meter;

/// A clock that tests set.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

const START: &str = "2026-01-02T03:04:05Z";
const DEADLINE: Duration = Duration::from_mins(1);
/// The token of every scope.
const ALL: &str = "token-of-every-scope";
/// The token of every scope but people:read.
const NO_PEOPLE: &str = "token-without-people";
/// Another token of every scope.
const OTHER: &str = "token-of-another-system";

/// The token of that scope alone.
fn only(scope: Scope) -> String {
    format!("only {}", scope.as_str()).replace(' ', "-")
}

/// The token of every scope but that one.
fn but(scope: Scope) -> String {
    format!("but-{}", scope.as_str())
}

fn tokens() -> Vec<ApiToken> {
    let without = |scope: Scope| Scope::ALL.into_iter().filter(|other| *other != scope).collect::<Vec<_>>();
    let mut tokens = vec![
        ApiToken::new("core", ALL, &Scope::ALL),
        ApiToken::new("reports", NO_PEOPLE, &without(Scope::PeopleRead)),
        ApiToken::new("other", OTHER, &Scope::ALL),
    ];
    for scope in Scope::ALL {
        tokens.push(ApiToken::new("only", &only(scope), &[scope]));
        tokens.push(ApiToken::new("but", &but(scope), &without(scope)));
    }
    tokens
}

fn catalogue() -> Catalogue {
    let range = |min: &str, max: &str| AmountRange { min: min.parse().unwrap(), max: max.parse().unwrap() };
    let product = |code: &str| Product {
        code: code.to_owned(),
        name: "信用保险".to_owned(),
        prefix: "CESI".parse().unwrap(),
        sum_insured_cny: range("1", "1000000"),
        premium_cny: range("0.01", "10000"),
        premium_tolerance: "0.01".parse().unwrap(),
        cny_tolerance: "0.01".parse().unwrap(),
        currencies: vec![Currency::CNY],
        partners: vec!["alibaba".to_owned(), "other".to_owned()],
        on_sale: true,
        recovery_discrepancy: DiscrepancyPolicy::Record,
    };
    Catalogue::new([product("CES"), product("DELIVERY")])
        .with_surrender_sync(["alibaba".to_owned()])
        .with_platforms(["alibaba".to_owned()])
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The API over a ledger of its own.
struct World {
    router: Router,
    api: Arc<Api>,
    meter: Arc<Meter>,
    ledger: Ledger,
    /// Ends when the last sender is gone.
    _committer: Committer,
    feed: Feed,
    vault: Arc<Vault>,
    clock: Arc<TestClock>,
    /// Gives events their places, where the ledger itself does not.
    sequencer: Option<Mutex<Sequencer>>,
    database: Database,
}

impl World {
    fn new() -> Self {
        Self::on(Database::sqlite())
    }

    fn on(database: Database) -> Self {
        let vault = Arc::new(database.vault());
        let mut backend = database.open(&vault);
        let Readers { reader, lists, notices, .. } = backend.readers();
        let clock = Arc::new(TestClock(AtomicI64::new(START.parse::<Timestamp>().unwrap().as_millisecond())));
        let sequencer = backend.sequencer(Arc::clone(&clock) as Arc<dyn Clock>).unwrap().map(Mutex::new);
        let feed = Feed::default();
        let rules = Rules {
            catalogue: Arc::new(catalogue()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            vault: Arc::clone(&vault),
            document_url: Box::new(|number| format!("https://x.test/documents/{number}")),
            stranger_records: 3,
            wake_outbox: Wake::default(),
            feed: feed.clone(),
            webhooks: vec![Webhook { id: "core".to_owned(), kinds: vec!["recovery.recorded"] }],
        };
        let (ledger, committer) = Ledger::start_lanes(backend.stores().unwrap(), rules, 4_096).unwrap();
        let meter = Arc::new(Meter::new("test".to_owned()));
        let api = Arc::new(Api::new(ApiParts {
            tokens: tokens(),
            ledger: ledger.clone(),
            reader,
            lists,
            desk: Desk::new(backend.outbox().unwrap(), notices, Wake::default(), Arc::clone(&clock) as Arc<dyn Clock>),
            resends: backend.resends().unwrap(),
            feed: feed.clone(),
            vault: Arc::clone(&vault),
            links: Links { public_url: "https://x.test".to_owned(), vault: Arc::clone(&vault) },
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            meter: Arc::clone(&meter),
            limits: ApiLimits { body_bytes: 4_096, body_timeout: Duration::from_mins(1), deadline: DEADLINE },
        }));
        let router = router(Arc::clone(&api));
        Self { router, api, meter, ledger, _committer: committer, feed, vault, clock, sequencer, database }
    }

    fn advance_ms(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    async fn result(&self, scope: &'static str, key: &str, command: Command) -> CallResult {
        let key = IdempotencyKey { scope, key: key.to_owned() };
        let arrival = Arrival {
            received_at: self.clock.now(),
            channel: "qimen",
            scope: Some(scope),
            caller: "alibaba".to_owned(),
            secret_index: 0,
            peer: "192.0.2.1".to_owned(),
            request: self.vault.seal(Purpose::Request, "POST / HTTP/1.1\r\n\r\n张𬭎三".as_bytes()).unwrap(),
        };
        let asked = Ok(Asked::new(&self.vault, key, None, command).unwrap());
        let reply = || Reply { status: 200, content_type: "application/json", body: b"{}".to_vec() };
        let submission = Submission { arrival, asked, render: Box::new(move |_, _| reply()) };
        self.ledger.submit(submission).await.unwrap().result
    }

    /// Issues a policy; what is not said is the example's.
    async fn issue(&self, identifier: &str, changes: Value) -> String {
        self.apply(identifier, changes).await.unwrap().policy_no().unwrap().to_string()
    }

    /// What an application is refused for.
    async fn issue_refused(&self, identifier: &str, changes: Value) -> Refusal {
        self.apply(identifier, changes).await.unwrap_err()
    }

    async fn apply(&self, identifier: &str, changes: Value) -> CallResult {
        let mut content = json!({
            "partner": "alibaba", "identifier": identifier, "insureId": "02", "productCode": "CES",
            "insureTime": "2021-08-04T07:23:28Z", "effectTime": "2021-08-04T07:23:26Z", "expireTime": "2031-09-12T15:59:59Z",
            "amount": "1018.0", "premium": "6.36", "premiumOfCny": "6.36", "currency": "CNY", "currencyRate": "1",
            "applicantPersonalInfo": {"personName": "张𬭎三", "personPhone": "13912312323", "personLicenseNo": "11010119900307123X"},
        });
        content.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let application: PolicyApplication = serde_json::from_value(content).unwrap();
        self.result("qimen/policy-issuing", identifier, Command::IssuePolicy(Box::new(application))).await
    }

    async fn recover(&self, identifier: &str, policy_no: Option<&str>, amount_of_cny: &str) {
        let recovery: Recovery = serde_json::from_value(json!({
            "partner": "alibaba", "identifier": identifier, "institution": "I", "productCode": "CES",
            "policyNo": policy_no, "recoverAmount": "12", "currency": "CNY", "currencyRate": "1",
            "recoverAmountOfCny": amount_of_cny,
        }))
        .unwrap();
        self.result("qimen/recovery", identifier, Command::RecordRecovery(Box::new(recovery))).await.unwrap();
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn get_as(&self, token: &str, path: &str) -> Answer {
        if let Some(sequencer) = &self.sequencer {
            off_runtime(|| sequencer.lock().unwrap().turn()).unwrap();
        }
        let request = Request::get(format!("/api/v1{path}")).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.get_as(ALL, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    async fn post_as(&self, token: &str, path: &str, key: &str, body: &Value) -> Answer {
        let origin = Origin::address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request = Request::post(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .extension(origin)
            .body(Body::from(body.to_string()));
        self.send(request.unwrap()).await
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.post_as(ALL, path, key, body).await
    }
}

/// The one field of every item of a page.
fn column(page: &Value, field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().map_or_else(|| item[field].to_string(), str::to_owned);
    page["items"].as_array().unwrap().iter().map(text).collect()
}
