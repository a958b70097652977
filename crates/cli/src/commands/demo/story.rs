//! What happens, act by act: the platform, a channel and the core system each play their part over HTTP.

use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::CHANNELS;
use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::time::format_gmt8;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::config::Config;
use baoqiao_gateway::ledger::lists::{Lists, MessageFilter, PolicyFilter, RecoveryFilter};
use baoqiao_gateway::opening::{open_for_reading, open_outbox};
use baoqiao_gateway::outbox::Desk;
use baoqiao_gateway::outbox::store::Filter;
use baoqiao_simulator::client::Client;
use baoqiao_simulator::example::{ISSUING_METHOD, RECOVERY_METHOD};
use baoqiao_simulator::qimen::{Answer, Call, Charset, Document, SignedRequest, Verdict};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::examples::{self, AUCTION, set};
use super::outbox::follow;
use super::screen::{self, Tone, act, more, ms, step};
use crate::failure::Failure;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The most rows of each kind at the end: more than are made.
const ROWS: usize = 50;

/// Who calls, whom, and where one looks afterwards.
pub(super) struct Story {
    base: String,
    app_key: &'static str,
    secret: Secret,
    token: String,
    client: Client,
    lists: Arc<dyn Lists>,
    desk: Desk,
}

/// A policy that was issued, with the address of its document.
struct Issued {
    number: PolicyNumber,
    document_url: String,
}

impl Story {
    pub(super) fn new(
        base: String,
        app_key: &'static str,
        secret: Secret,
        token: String,
        config: &Config,
    ) -> Result<Self, Failure> {
        let lists = open_for_reading(config)?.lists;
        let (desk, _) = open_outbox(config, Arc::new(SystemClock))?;
        Ok(Self { base, app_key, secret, token, client: Client::new(ANSWER_TIMEOUT)?, lists, desk })
    }

    pub(super) async fn play(&self) -> Result<(), Failure> {
        act(1, "出单", "a platform sells a policy, and makes the mistakes that platforms make");
        let kept = self.issue_in_every_way().await?;
        act(2, "追缴", "money comes back");
        self.recover(&kept.number).await?;
        act(3, "解约", "a channel rescinds another policy, and the platform that sold it is told");
        self.rescind().await?;
        act(4, "拍卖", "the core system reports three stages; the platform fails twice, and their order stays");
        self.auction().await?;
        act(5, "台账与发件箱", "what there is now");
        self.ledger()?;
        self.outbox()?;
        screen::link("电子保单", "electronic policy", &kept.document_url);
        Ok(())
    }

    async fn issue_in_every_way(&self) -> Result<Issued, Failure> {
        let example = examples::issuing(SystemClock.now())?;
        let first = self.qimen(ISSUING_METHOD, &example, false).await?;
        let issued = issued(&first)?;
        step("the document's example, as of today", Tone::Good, "issued", issued.number.as_str(), &ms(first.elapsed));
        let again = self.qimen(ISSUING_METHOD, &example, false).await?;
        if first.body != again.body {
            return Err(Failure::new("the retry got another answer than the first"));
        }
        step("the same again, as a retry", Tone::Good, "issued", "the same answer, byte for byte", &ms(again.elapsed));
        let mut dearer = example.clone();
        set(&mut dearer, "/amount", "1019.0");
        self.refused("the same key, another amount", &dearer, false).await?;
        self.refused("a broken signature", &example, true).await?;
        let mut wrong = with_key(example, "010101004178221080402170020");
        set(&mut wrong, "/currency", "RMB");
        set(&mut wrong, "/premium", "6,36");
        self.refused("two wrong fields", &wrong, false).await?;
        Ok(issued)
    }

    async fn refused(&self, what: &str, body: &Value, break_signature: bool) -> Result<(), Failure> {
        let answer = self.qimen(ISSUING_METHOD, body, break_signature).await?;
        let Verdict::Refused { code, message } = answer.verdict() else {
            return Err(Failure::new(format_args!("{what}: {}", answer.text())));
        };
        step(what, Tone::Bad, "refused", &code, &ms(answer.elapsed));
        message.split('；').for_each(more);
        Ok(())
    }

    async fn recover(&self, policy_no: &PolicyNumber) -> Result<(), Failure> {
        let example = examples::recovery(policy_no, SystemClock.now())?;
        let answer = self.qimen(RECOVERY_METHOD, &example, false).await?;
        if answer.verdict() != Verdict::Accepted {
            return Err(Failure::new(answer.text()));
        }
        step(
            "the document's example",
            Tone::Good,
            "recorded",
            "beside that policy, with what is odd:",
            &ms(answer.elapsed),
        );
        for recovery in self.lists.recoveries(&RecoveryFilter::default(), None, ROWS)?.items {
            let found: Vec<Value> = serde_json::from_str(&recovery.discrepancies)?;
            for odd in found {
                let text = |name: &str| odd.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                more(&format!(
                    "{} is {}, where its other amounts make {}",
                    text("field"),
                    text("stated"),
                    text("computed")
                ));
            }
        }
        Ok(())
    }

    async fn rescind(&self) -> Result<(), Failure> {
        let other = with_key(examples::issuing(SystemClock.now())?, "010101004178221080402170021");
        let answer = self.qimen(ISSUING_METHOD, &other, false).await?;
        let number = issued(&answer)?.number;
        step("another policy", Tone::Good, "issued", number.as_str(), &ms(answer.elapsed));
        let notice = examples::rescission(&number, SystemClock.now())?;
        let path = CHANNELS.iter().find(|channel| channel.name() == "avatar").map_or("", |channel| channel.path());
        let answer = self.post(path, HeaderMap::new(), &notice).await?;
        let said: Value = serde_json::from_slice(&answer.body)?;
        if said.pointer("/secondRefundResp/dealCode").and_then(Value::as_str) != Some("1") {
            return Err(Failure::new(answer.text()));
        }
        step("the document's notice", Tone::Good, "rescinded", "dealCode 1, 成功", &ms(answer.elapsed));
        follow(&self.desk, &format!("policy:{number}"), &["退保信息 to the platform"]).await
    }

    async fn auction(&self) -> Result<(), Failure> {
        let stages = [(1, "预保"), (2, "核保"), (3, "投保")];
        for (stage, name) in stages {
            let report = examples::auction_stage(stage, SystemClock.now());
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", self.token))?);
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::try_from(format!("{AUCTION}-{stage}"))?);
            let answer = self.post(&format!("/api/v1/auctions/{AUCTION}/stages"), headers, &report).await?;
            if answer.status != StatusCode::OK {
                return Err(Failure::new(answer.text()));
            }
            step(&format!("{name}, from the core system"), Tone::Waiting, "queued", "", &ms(answer.elapsed));
        }
        let names = stages.map(|(_, name)| name);
        follow(&self.desk, &format!("auction:{AUCTION}"), &names).await
    }

    fn ledger(&self) -> Result<(), Failure> {
        let now = SystemClock.now();
        let mut policies = self.lists.policies(&PolicyFilter::default(), None, ROWS)?.items;
        policies.reverse();
        for policy in policies {
            let of_policy = RecoveryFilter { policy_no: Some(policy.number.clone()), ..RecoveryFilter::default() };
            let recoveries = self.lists.recoveries(&of_policy, None, ROWS)?.items.len();
            policy_row(&policy, recoveries, now);
        }
        let messages = self.lists.messages(&MessageFilter::default(), None, ROWS)?.items;
        let count = |verdict: &str| messages.iter().filter(|message| message.verdict == verdict).count();
        let (accepted, replayed) = (count("accepted"), count("replayed"));
        let (conflicting, refused) = (count("conflicting"), count("refused"));
        screen::row(&[
            ("报文", 6),
            (
                &format!(
                    "{} calls are kept: {accepted} accepted, {replayed} replayed, {conflicting} conflicting, {refused} refused; the broken signature's apart",
                    messages.len()
                ),
                0,
            ),
        ]);
        Ok(())
    }

    fn outbox(&self) -> Result<(), Failure> {
        let mut notices = self.desk.list(&Filter::default(), ROWS)?.items;
        notices.reverse();
        for notice in notices {
            let attempts = if notice.attempts == 1 { "attempt" } else { "attempts" };
            screen::row(&[
                ("通知", 6),
                (&format!("#{}", notice.id), 4),
                (&notice.subject, 34),
                (notice.kind.as_str(), 17),
                (notice.state.as_str(), 12),
                (&format!("{} {attempts}", notice.attempts), 0),
            ]);
        }
        Ok(())
    }

    /// A call as the platform makes it.
    async fn qimen(&self, method: &str, body: &Value, break_signature: bool) -> Result<Answer, Failure> {
        let document = Document::write(BodyKind::Json, Charset::Utf8, &body.to_string())?;
        let call = Call::new(self.app_key, self.secret.clone(), method, document);
        let signed = Call { break_signature, ..call }.sign(SystemClock.now())?;
        Ok(self.client.send(&format!("{}/qimen", self.base), &signed).await?)
    }

    /// JSON to one of the gateway's other addresses.
    async fn post(&self, path: &str, mut headers: HeaderMap, body: &Value) -> Result<Answer, Failure> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Bytes::from(body.to_string());
        let request = SignedRequest { query: String::new(), headers, body, string_to_sign: String::new() };
        Ok(self.client.send(&format!("{}{path}", self.base), &request).await?)
    }
}

fn policy_row(policy: &Policy, recoveries: usize, now: Timestamp) {
    let phase = policy.phase(now);
    let beside = if recoveries > 0 { format!("{recoveries} recovery beside it") } else { String::new() };
    screen::row(&[
        ("保单", 6),
        (policy.number.as_str(), 25),
        (&format!("{} {}", phase.label(), phase.as_str()), 20),
        (&format!("{} {}", policy.currency, policy.amount.grouped()), 16),
        (&format!("until {}", format_gmt8(policy.expire_time)), 29),
        (&beside, 0),
    ]);
}

/// The same application under other keys of the platform's.
fn with_key(mut application: Value, identifier: &str) -> Value {
    set(&mut application, "/identifier", identifier);
    set(&mut application, "/insureId", format!("I-{identifier}"));
    application
}

fn issued(answer: &Answer) -> Result<Issued, Failure> {
    let not_issued = || Failure::new(answer.text());
    let fields = answer.fields().ok_or_else(not_issued)?;
    let text = |name: &str| Some(fields.get("context")?.get(name)?.as_str()?.to_owned());
    let number = text("policyNo").and_then(|number| number.parse().ok()).ok_or_else(not_issued)?;
    Ok(Issued { number, document_url: text("policyFileUrl").ok_or_else(not_issued)? })
}
