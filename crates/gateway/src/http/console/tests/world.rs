//! The console over a ledger in a directory of its own, and a browser that keeps its cookies.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use baoqiao_channels::channel::{CallResult, RawRequest, Reply};
use baoqiao_channels::rule::Rule;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_documents::{Fonts, POLICY_TEMPLATE, Template, policy_schema};
use baoqiao_domain::auction::{AuctionInsuranceType, AuctionNotice, AuctionReport, AuctionStage, AuctionStatus};
use baoqiao_domain::currency::Currency;
use baoqiao_domain::idempotency::{IdempotencyKey, MessageUuid};
use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::ledger::Command;
use baoqiao_domain::party::PersonKey;
use baoqiao_domain::product::{AmountRange, Catalogue, DiscrepancyPolicy, Product};
use baoqiao_domain::recovery::Recovery;
use baoqiao_domain::rescission::Rescission;
use baoqiao_domain::time::format_gmt8;

use crate::clock::Clock;
use crate::config::{Config, EXAMPLE_POLICY_SOURCE, SampleOptions, sample};
use crate::console::audit::{Action, AuditEntry, AuditFilter};
use crate::console::oidc::Provider;
use crate::console::password::Password;
use crate::console::role::Role;
use crate::console::session::Lifetimes;
use crate::console::store::{ConsoleStore, User};
use crate::documents::{Documents, Insurer, Links};
use crate::http::console::{Console, ConsoleParts, router};
use crate::http::{Allowance, BodyBudget, Inbound, InboundLimits};
use crate::ledger::feed::Feed;
use crate::ledger::finding::Finder;
use crate::ledger::lists::Lists;
use crate::ledger::names::{PeopleIndex, name_next};
use crate::ledger::sqlite::{self, SqliteConsole, SqliteOutbox};
use crate::ledger::store::{Arrival, Reader, Verdict};
use crate::ledger::{Answered, Asked, Committer, Ledger, Rules, Stranger, Submission};
use crate::outbox::store::{AttemptVerdict, Finished, Next, NoticeRow, OutboxStore as _, Turn, Want};
use crate::outbox::{Desk, Wake};
use crate::record;
use crate::statistics::{Figures, Meter};
use crate::vault::keyring::Keyring;
use crate::vault::{Purpose, Vault};
use baoqiao_channels::origin::Origin;

pub(super) const START: &str = "2026-01-02T03:04:05Z";
/// The app key and the secret of the partner `alibaba`.
pub(super) const APP_KEY: &str = "24589063";
pub(super) const SECRET: &str = "helloworld";
/// Of every user of the tests.
pub(super) const PASSWORD: &str = "correct horse battery";
/// A name that would run, were it not escaped.
pub(super) const EVIL: &str = "<script>alert(1)</script>";
/// A name of characters that GBK and the first plane of Unicode do not have.
pub(super) const RARE: &str = "𠮷㐱䶮";

/// A clock that tests set.
pub(super) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// The example of the issuing document, with awkward names.
fn application(identifier: &str) -> Value {
    json!({
        "partner": "alibaba", "identifier": identifier, "insureId": "02", "productCode": "CES",
        "insureTime": "2021-08-04T07:23:28Z", "effectTime": "2021-08-04T07:23:26Z", "expireTime": "2031-09-12T15:59:59Z",
        "amount": "1018.0", "premium": "6.36", "premiumOfCny": "6.36", "currency": "CNY", "currencyRate": "1",
        "applicantPersonalInfo": {"personName": EVIL, "personPhone": "13912312323", "personLicenseNo": "11010119900307123X"},
        "insuredPersonalInfo": {"personName": RARE, "personLicenseNo": "31010119900307004X"},
    })
}

fn catalogue() -> Catalogue {
    let range = |min: &str, max: &str| AmountRange { min: min.parse().unwrap(), max: max.parse().unwrap() };
    let product = Product {
        code: "CES".to_owned(),
        name: "信用保险".to_owned(),
        prefix: "CESI".parse().unwrap(),
        sum_insured_cny: range("1", "1000000"),
        premium_cny: range("0.01", "10000"),
        premium_tolerance: "0.01".parse().unwrap(),
        cny_tolerance: "0.01".parse().unwrap(),
        currencies: vec![Currency::CNY],
        partners: vec!["alibaba".to_owned()],
        on_sale: true,
        recovery_discrepancy: DiscrepancyPolicy::Record,
    };
    Catalogue::new([product]).with_surrender_sync(["alibaba".to_owned()]).with_platforms(["alibaba".to_owned()])
}

/// The sample's configuration, with a sandbox secret and what is told more.
fn config(folder: &Path, more: &str) -> Config {
    let options = SampleOptions::new("127.0.0.1:0", APP_KEY, SECRET).unwrap();
    let text = sample(&options)
        .replace("# sandbox_secrets = [{ file = \"sandbox-secret\" }]", "sandbox_secrets = [\"sandbox\"]");
    Config::parse(&folder.join("baoqiao.toml"), &format!("{text}\n{more}"), &|_| None).unwrap()
}

/// The provider of that configuration.
fn provider(config: &Config, public_url: &str, clock: &Arc<dyn Clock>) -> Option<Provider> {
    let provider = config.console.oidc.clone()?;
    Some(Provider::new(provider, public_url, crate::https::client().unwrap(), Arc::clone(clock)))
}

/// What the committer decides with, by that configuration.
fn rules(config: &Config, vault: &Arc<Vault>, clock: &Arc<dyn Clock>, feed: &Feed) -> Rules {
    Rules {
        catalogue: Arc::new(config.catalogue.clone()),
        clock: Arc::clone(clock),
        vault: Arc::clone(vault),
        document_url: Box::new(|number| format!("https://gateway.test/documents/{number}")),
        stranger_records: 3,
        wake_outbox: Wake::default(),
        feed: feed.clone(),
        webhooks: Vec::new(),
    }
}

/// The way in for calls, by that configuration.
fn inbound(
    config: &Config,
    ledger: &Ledger,
    vault: &Arc<Vault>,
    clock: &Arc<dyn Clock>,
    meter: &Arc<Meter>,
) -> Inbound {
    Inbound {
        access: Arc::new(config.access.clone()),
        catalogue: Arc::new(config.catalogue.clone()),
        ledger: ledger.clone(),
        vault: Arc::clone(vault),
        clock: Arc::clone(clock),
        limits: InboundLimits {
            body_bytes: 1 << 20,
            body_timeout: Duration::from_mins(1),
            deadline: Duration::from_mins(1),
            stranger_body_bytes: 4_096,
        },
        deadlines: config.deadlines.clone(),
        strangers: Allowance::new(100),
        bodies: BodyBudget::new(4_096),
        meter: Arc::clone(meter),
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn location(&self) -> &str {
        self.headers.get(LOCATION).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// That the page holds this text.
    #[track_caller]
    pub(super) fn says(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "{text:?} is not in:\n{}", self.text);
        self
    }

    #[track_caller]
    pub(super) fn says_not(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text:?} is in:\n{}", self.text);
        self
    }
}

/// The console over a ledger.
pub(super) struct World {
    router: Router,
    pub(super) store: Arc<dyn ConsoleStore>,
    pub(super) ledger: Ledger,
    /// Ends when the last sender is gone.
    _committer: Committer,
    pub(super) vault: Arc<Vault>,
    pub(super) clock: Arc<TestClock>,
    pub(super) feed: Feed,
    /// The outbox as its worker sees it.
    pub(super) outbox: Mutex<SqliteOutbox>,
    pub(super) meter: Arc<Meter>,
    /// The turns of pages that read.
    pub(super) reading: Arc<Semaphore>,
    names: Arc<dyn PeopleIndex>,
    directory: tempfile::TempDir,
}

impl World {
    /// A console without users.
    pub(super) fn new() -> Self {
        Self::at("https://gateway.test")
    }

    /// A console with a user of each role, each of its role's name.
    pub(super) fn with_users() -> Self {
        let world = Self::new();
        for role in Role::ALL {
            world.add(role.as_str(), role);
        }
        world
    }

    pub(super) fn at(public_url: &str) -> Self {
        Self::with(public_url, "")
    }

    /// A console with these lines at the end of its configuration.
    pub(super) fn with(public_url: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), more);
        let (keys, path) = (directory.path().join("keys.toml"), directory.path().join("ledger.db"));
        std::fs::write(&keys, Keyring::generate(getrandom::fill).unwrap().to_toml()).unwrap();
        let vault = Arc::new(Vault::new(&Keyring::load(&keys).unwrap(), getrandom::fill));
        let (store, reader) = sqlite::open(&path, &vault).unwrap();
        let reader = Arc::new(reader);
        let clock = Arc::new(TestClock(AtomicI64::new(START.parse::<Timestamp>().unwrap().as_millisecond())));
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let desk = SqliteOutbox::open(&path, store.gate()).unwrap();
        let outbox = SqliteOutbox::open(&path, store.gate()).unwrap();
        let tables = Arc::new(SqliteConsole::open(&path, store.gate()).unwrap());
        let people = Arc::clone(&tables) as Arc<dyn ConsoleStore>;
        let names = Arc::clone(&tables) as Arc<dyn PeopleIndex>;
        let meter = Arc::new(Meter::new("test".to_owned()));
        let feed = Feed::default();
        let (ledger, committer) = Ledger::start(store, rules(&config, &vault, &time, &feed), 4_096).unwrap();
        let links = Links { public_url: public_url.to_owned(), vault: Arc::clone(&vault) };
        let documents = Documents {
            reader: Arc::clone(&reader) as Arc<dyn Reader>,
            ledger: ledger.clone(),
            vault: Arc::clone(&vault),
            links: links.clone(),
            insurer: Insurer { name: "示例保险".to_owned(), address: String::new(), hotline: String::new() },
            catalogue: Arc::new(catalogue()),
            template: Template::parse(POLICY_TEMPLATE, policy_schema()).unwrap(),
            template_sha256: [0; 32],
            fonts: Fonts::embedded(),
            clock: Arc::clone(&time),
            making: Arc::new(Semaphore::new(1)),
            deadline: Duration::from_mins(1),
        };
        let console = Console::new(ConsoleParts {
            provider: provider(&config, public_url, &time),
            store: Arc::clone(&people),
            ledger: ledger.clone(),
            reader: Arc::clone(&reader) as Arc<dyn Reader>,
            lists: Arc::clone(&reader) as Arc<dyn Lists>,
            finder: Arc::clone(&tables) as Arc<dyn Finder>,
            figures: Arc::new(Figures::new(tables, Arc::clone(&meter), Arc::clone(&time))),
            desk: Desk::new(Box::new(desk), reader, Wake::default(), Arc::clone(&time)),
            inbound: Arc::new(inbound(&config, &ledger, &vault, &time, &meter)),
            documents: Arc::new(documents),
            feed: feed.clone(),
            config: Arc::new(config),
            vault: Arc::clone(&vault),
            clock: time,
            entropy: getrandom::fill,
            lifetimes: Lifetimes { idle: SignedDuration::from_mins(30), absolute: SignedDuration::from_hours(12) },
            body_timeout: Duration::from_mins(1),
            deadline: Duration::from_mins(1),
            public_url: links.public_url,
        });
        let reading = Arc::clone(&console.reading);
        let router = router(console);
        let outbox = Mutex::new(outbox);
        Self {
            router,
            store: people,
            ledger,
            _committer: committer,
            vault,
            clock,
            feed,
            outbox,
            meter,
            reading,
            names,
            directory,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn advance(&self, by: SignedDuration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(super) fn add(&self, name: &str, role: Role) {
        let user = User {
            name: name.to_owned(),
            role,
            password: Some(Password::typed(PASSWORD).hash(getrandom::fill).unwrap()),
            provider: None,
            disabled_at: None,
            added_at: self.now(),
            signed_in_at: None,
        };
        let entry = AuditEntry {
            at: self.now(),
            user: "test".to_owned(),
            peer: "test".to_owned(),
            action: Action::UserAdded,
            subject: format!("user:{name}"),
            reason: String::new(),
            detail: String::new(),
        };
        assert!(self.store.add_user(&user, &entry).unwrap());
    }

    /// What the audit log says, the newest first: user, action, subject, reason.
    pub(super) fn audit(&self) -> Vec<(String, Action, String, String)> {
        let records = self.store.audit(&AuditFilter::default(), None, 100).unwrap().items;
        let entries = records.into_iter().map(|record| record.entry);
        entries.map(|entry| (entry.user, entry.action, entry.subject, entry.reason)).collect()
    }

    /// Issues a policy; what is not said is the example's.
    pub(super) async fn issue(&self, identifier: &str, changes: Value) -> String {
        self.apply(identifier, changes).await.unwrap().policy_no().unwrap().to_string()
    }

    /// What an application comes to; what is not said is the example's.
    pub(super) async fn apply(&self, identifier: &str, changes: Value) -> CallResult {
        let mut content = application(identifier);
        content.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let application: PolicyApplication = serde_json::from_value(content).unwrap();
        self.submit(identifier, Command::IssuePolicy(Box::new(application))).await
    }

    /// Settles a command as a message of Qimen, with a request that is rightly signed.
    pub(super) async fn submit(&self, identifier: &str, command: Command) -> CallResult {
        let key = IdempotencyKey { scope: "qimen/policy-issuing", key: identifier.to_owned() };
        let arrival = Arrival {
            received_at: self.now(),
            channel: "qimen",
            scope: Some("qimen/policy-issuing"),
            caller: "alibaba".to_owned(),
            secret_index: 0,
            peer: "192.0.2.1".to_owned(),
            request: self.vault.seal(Purpose::Request, &self.request(SECRET, "", EVIL)).unwrap(),
        };
        let asked = Asked::new(&self.vault, key, None, command);
        let reply = || Reply { status: 200, content_type: "application/json", body: b"{}".to_vec() };
        let submission = Submission { arrival, asked: Ok(asked.unwrap()), render: Box::new(move |_, _| reply()) };
        self.ledger.submit(submission).await.unwrap().result
    }

    /// The record of a request that is signed with that secret; `extra` is sent unsigned.
    pub(super) fn request(&self, secret: &str, extra: &str, name: &str) -> Vec<u8> {
        let body = json!({"applicantPersonalInfo": {"personName": name}}).to_string();
        let timestamp = format_gmt8(self.now()).replace(' ', "+").replace(':', "%3A");
        let query = format!("app_key={APP_KEY}&method=m.y&timestamp={timestamp}");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        let mut raw = RawRequest { query: query.clone().into(), headers, body: body.into() };
        let sign = Rule::Receiver.signature(&raw, SignMethod::Md5, secret);
        raw.query = format!("{query}{extra}&sign={sign}").into();
        record::write("/qimen", &raw, &raw.body)
    }

    /// Records a stranger's request of which so many bytes are kept; returns when it is in the ledger.
    pub(super) async fn stranger(&self, request: &[u8], kept_bytes: usize) {
        let body = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        self.ledger.record_stranger(Stranger {
            received_at: self.now(),
            channel: "qimen",
            peer: "203.0.113.9".to_owned(),
            reason: "the signature fits none of the partner's secrets".to_owned(),
            body_bytes: request.len() - body,
            request: self.vault.seal(Purpose::Request, &request[..request.len().min(body + kept_bytes)]).unwrap(),
        });
        // Tasks are done in their order.
        self.issue(&format!("after a stranger {}", request.len()), json!({})).await;
    }

    /// A notice about that policy, and the attempt that ended so.
    pub(super) fn attempted(&self, policy_no: &str, detail: &str, next: Next) -> u64 {
        let mut outbox = self.outbox.lock().unwrap();
        let content = json!({"partner": "alibaba", "name": EVIL}).to_string();
        let row = NoticeRow {
            kind: "surrender-sync",
            subject: format!("policy:{policy_no}"),
            partner: "alibaba".to_owned(),
            content: self.vault.seal(Purpose::Notice, content.as_bytes()).unwrap(),
            cause_message_id: None,
        };
        outbox.queue(&[row], self.now()).unwrap();
        let until = self.now() + SignedDuration::from_secs(9);
        let wants = [Want { partner: "alibaba", limit: 9, lease_until: until }];
        let turn = Turn { now: self.now(), owner: "test", finished: &[], wants: &wants };
        let claimed = outbox.turn(&turn).unwrap().claimed.remove(0);
        let finished = [Finished {
            id: claimed.id,
            leased_at: claimed.leased_at,
            started_at: self.now(),
            duration_ms: 12,
            verdict: if next == Next::Dead { AttemptVerdict::Dead } else { AttemptVerdict::Delivered },
            detail: detail.to_owned(),
            response: Some(self.vault.seal(Purpose::NoticeResponse, EVIL.as_bytes()).unwrap()),
            next,
        }];
        outbox.turn(&Turn { finished: &finished, wants: &[], ..turn }).unwrap();
        claimed.id
    }

    async fn settle(
        &self,
        channel: &'static str,
        scope: &'static str,
        key: &str,
        uuid: Option<MessageUuid>,
        command: Command,
    ) -> Answered {
        let key = IdempotencyKey { scope, key: key.to_owned() };
        let arrival = Arrival {
            received_at: self.now(),
            channel,
            scope: Some(scope),
            caller: "alibaba".to_owned(),
            secret_index: 0,
            peer: "192.0.2.1".to_owned(),
            request: self.vault.seal(Purpose::Request, &self.request(SECRET, "", EVIL)).unwrap(),
        };
        let asked = Asked::new(&self.vault, key, uuid, command);
        let reply = || Reply { status: 200, content_type: "application/json", body: b"{}".to_vec() };
        let submission = Submission { arrival, asked: Ok(asked.unwrap()), render: Box::new(move |_, _| reply()) };
        self.ledger.submit(submission).await.unwrap()
    }

    /// Another message under the key of a policy, with other content.
    pub(super) async fn conflict(&self, identifier: &str) {
        let mut content = application(identifier);
        content.as_object_mut().unwrap().insert("amount".to_owned(), "1019.0".into());
        let application: PolicyApplication = serde_json::from_value(content).unwrap();
        let command = Command::IssuePolicy(Box::new(application));
        let answered = self.settle("qimen", "qimen/policy-issuing", identifier, None, command).await;
        assert_eq!(answered.verdict, Verdict::Conflicting);
    }

    /// A recovery of 12 yuan, said to be of that policy and, by what it says of the amount in yuan, of `yuan`.
    pub(super) async fn recover(&self, identifier: &str, policy_no: &str, yuan: &str) {
        let recovery: Recovery = serde_json::from_value(json!({
            "partner": "alibaba", "identifier": identifier, "institution": EVIL, "productCode": "CES",
            "policyNo": policy_no, "recoverTime": START, "recoverAmount": "12", "recoverAmountOfCny": yuan,
            "currency": "CNY", "currencyRate": "1",
        }))
        .unwrap();
        let command = Command::RecordRecovery(Box::new(recovery));
        let answered = self.settle("qimen", "qimen/recovery", identifier, None, command).await;
        assert_eq!(answered.result.map(|_| ()), Ok(()));
    }

    /// A policy, and its rescission under that order.
    pub(super) async fn rescind(&self, uuid: &str, order_no: &str) {
        let number = self.issue(&format!("for {order_no}"), json!({})).await;
        let rescission: Rescission = serde_json::from_value(json!({
            "policySource": EXAMPLE_POLICY_SOURCE, "interfaceType": "recissionNotice", "orderNo": order_no, "policyNo": number,
        }))
        .unwrap();
        let scope = "avatar/rescission-notice";
        let uuid = MessageUuid { scope, sender: EXAMPLE_POLICY_SOURCE.to_owned(), uuid: uuid.to_owned() };
        let command = Command::RescindPolicy(Box::new(rescission));
        let key = format!("{EXAMPLE_POLICY_SOURCE}:recissionNotice:{order_no}");
        let answered = self.settle("avatar", scope, &key, Some(uuid), command).await;
        assert_eq!(answered.result.map(|_| ()), Ok(()));
    }

    pub(super) async fn report_auction(&self, biz_id: &str) {
        let result = AuctionNotice {
            biz_id: biz_id.to_owned(),
            policy_number: None,
            insurance_company: Some(1),
            stage: AuctionStage::PreInsurance,
            status: AuctionStatus::Success,
            time_of_occurrence: self.now(),
            bank_account_manager_name: Some(EVIL.to_owned()),
            insurance_document: None,
            insurance_type: AuctionInsuranceType::HouseholdProperty,
            appkey: None,
            request_id: None,
        };
        let report = AuctionReport { caller: "core".to_owned(), partner: "alibaba".to_owned(), result };
        let command = Command::ReportAuctionStage(Box::new(report));
        let answered = self.settle("api", "api/auction-stage", biz_id, None, command).await;
        assert_eq!(answered.result.map(|_| ()), Ok(()));
    }

    /// A notice that was tried once and given up; its number.
    pub(super) fn kill_a_notice(&self, subject: &str) -> u64 {
        let mut outbox = self.outbox.lock().unwrap();
        let row = NoticeRow {
            kind: "surrender-sync",
            subject: subject.to_owned(),
            partner: "alibaba".to_owned(),
            content: self.vault.seal(Purpose::Notice, b"{}").unwrap(),
            cause_message_id: None,
        };
        outbox.queue(&[row], self.now()).unwrap();
        let lease_until = self.now() + SignedDuration::from_secs(9);
        let wants = [Want { partner: "alibaba", limit: 9, lease_until }];
        let turn = Turn { now: self.now(), owner: "w", finished: &[], wants: &wants };
        let claimed = outbox.turn(&turn).unwrap().claimed;
        let claimed = claimed.into_iter().find(|claimed| claimed.subject == subject).unwrap();
        let finished = [Finished {
            id: claimed.id,
            leased_at: claimed.leased_at,
            started_at: self.now(),
            duration_ms: 12,
            verdict: AttemptVerdict::Dead,
            detail: format!("caller-error: isv.invalid {EVIL} request_id=request-id-of-the-platform"),
            response: None,
            next: Next::Dead,
        }];
        outbox.turn(&Turn { finished: &finished, wants: &[], ..turn }).unwrap();
        claimed.id
    }

    /// What the audit log says of the newest entry: user, action, detail.
    pub(super) fn told_last(&self) -> (String, Action, String) {
        let entry = self.store.audit(&AuditFilter::default(), None, 1).unwrap().items.remove(0).entry;
        (entry.user, entry.action, entry.detail)
    }

    /// The ledger, behind its back.
    pub(super) fn ledger_file(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.directory.path().join("ledger.db")).unwrap()
    }

    /// Makes the ledger one that is older than the index of names.
    pub(super) fn forget_names(&self) {
        let names = [EVIL, RARE].map(|name| self.vault.blind_index(&PersonKey::name(name).unwrap()));
        let file = self.ledger_file();
        for name in names {
            let rest = "UPDATE fresh_people SET digests = CAST(substr(digests, 1, instr(digests, ?1) - 1) \
                        || substr(digests, instr(digests, ?1) + 16) AS BLOB) WHERE instr(digests, ?1) > 0";
            assert!(file.execute(rest, [name.0]).unwrap() > 0);
        }
        file.execute("UPDATE name_index SET missing_to = (SELECT max(sequence) FROM policies)", []).unwrap();
    }

    pub(super) fn name_all(&self) -> usize {
        let mut done = 0;
        loop {
            match name_next(&*self.names, &self.vault).unwrap() {
                0 => return done,
                named => done += named,
            }
        }
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    /// A browser that knows nothing of this console yet.
    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new(), peer: Ipv4Addr::new(192, 0, 2, 7), page: String::new() }
    }

    /// A browser in which that user has signed in.
    pub(super) async fn signed_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        browser.get("/console/sign-in").await;
        let answer = browser.post("/console/sign-in", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser.get(answer.location()).await;
        browser
    }
}

/// Cookies, and the page that was last shown.
pub(super) struct Browser<'a> {
    world: &'a World,
    pub(super) cookies: BTreeMap<String, String>,
    pub(super) peer: Ipv4Addr,
    page: String,
}

impl Browser<'_> {
    /// Opens an address whose answer does not end.
    pub(super) async fn open(&mut self, request: http::request::Builder) -> http::Response<Body> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(HOST, "gateway.test").header(COOKIE, cookies.join("; ")).body(Body::empty());
        self.world.router.clone().oneshot(request.unwrap()).await.unwrap()
    }

    pub(super) async fn send(&mut self, request: http::request::Builder, body: String) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request
            .header(HOST, "gateway.test")
            .header(COOKIE, cookies.join("; "))
            .extension(Origin { address: Some(IpAddr::V4(self.peer)), certificate: None })
            .body(Body::from(body));
        let response = self.world.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        for line in head.headers.get_all(SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        Answer { status: head.status, headers: head.headers, text }
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let answer = self.send(Request::get(path), String::new()).await;
        if answer.text.contains("form_token") {
            self.page.clone_from(&answer.text);
        }
        answer
    }

    /// The token of the page that was last shown.
    pub(super) fn form_token(&self) -> String {
        let marked = self.page.split("name=\"form_token\" value=\"").nth(1).unwrap_or_default();
        marked.split('"').next().unwrap().to_owned()
    }

    /// The same browser, after its user has signed in again.
    pub(super) async fn signed_in_again(&mut self, name: &str) -> &mut Self {
        self.cookies.remove("baoqiao_session");
        self.get("/console/sign-in").await;
        let answer = self.post("/console/sign-in", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        self
    }

    /// Sends a form of the page that was last shown.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token();
        let fields = [("form_token", token.as_str())].into_iter().chain(fields.iter().copied());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("origin", "https://gateway.test");
        self.send(request, body).await
    }
}
