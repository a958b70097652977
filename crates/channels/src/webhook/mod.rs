//! Webhooks: events pushed to the insurer's own systems, as Standard Webhooks has it (standardwebhooks.com, version 1).
//!
//! The signature is the HMAC-SHA256 of `<id>.<timestamp>.<body>` under the endpoint's secret, base64, as `v1,…` in
//! `webhook-signature`. It is made here and not by the crate `standardwebhooks`, which would bring a second base64, a
//! second HMAC and the `time` crate for these few lines; the tests hold the two against each other.

use baoqiao_domain::event::Event;
use baoqiao_domain::notice::{Notice, NoticeContent, NoticeKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::Sha256;

use crate::channel::{Examples, Label};
use crate::outbound::{Judgement, Outbound, OutboundRequest, OutboundResponse, TopApp, Verdict, WrongInterface};

const PREFIX: &str = "whsec_";
/// The specification's own bounds on a secret.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The key that a secret `whsec_…` stands for; `None` where it is no base64 of 24 to 64 bytes.
pub fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

/// The value of `webhook-signature`.
fn signature(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    // HMAC takes a key of any length: the error cannot occur.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The body. Fields are added, never renamed.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    subject: String,
    data: &'a Event,
}

/// The push of an event.
pub struct Webhook;

impl Outbound for Webhook {
    fn kind(&self) -> NoticeKind {
        NoticeKind::Webhook
    }

    fn label(&self) -> Label {
        Label { zh: "事件推送", en: "Event" }
    }

    fn method(&self) -> &'static str {
        "webhook"
    }

    fn examples(&self) -> Examples {
        Examples { request: include_str!("golden/example.request"), answer: "HTTP 204" }
    }

    fn request(&self, notice: &Notice, app: &TopApp, now: Timestamp) -> Result<OutboundRequest, WrongInterface> {
        let NoticeContent::Webhook(content) = &notice.content else {
            return Err(WrongInterface { interface: self.kind(), notice: notice.kind });
        };
        let event = &content.event;
        let payload = Payload { kind: event.kind(), timestamp: content.at, subject: event.subject(), data: event };
        // Text, decimals and times always serialise.
        let body = serde_json::to_vec(&payload).unwrap_or_default();
        // The configuration has checked the secret; a receiver refuses what another key has signed.
        let key = key(app.secret.expose()).unwrap_or_default();
        let timestamp = now.as_second();
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, value) in [
            ("webhook-id", content.id.clone()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature(&key, &content.id, timestamp, &body)),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok(OutboundRequest { query: String::new(), headers, body: Bytes::from(body) })
    }

    fn verdict(&self, response: &OutboundResponse) -> Judgement {
        let (status, headers) = match response {
            OutboundResponse::Answer { status, headers, .. } => (*status, headers),
            OutboundResponse::TimedOut => return again("webhook-timeout", None, "no answer in time".to_owned()),
            OutboundResponse::NetworkFailed { detail } => return again("webhook-network", None, detail.clone()),
        };
        let detail = format!("HTTP {status}");
        let pause = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
        let pause = pause.map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
        match status {
            200..=299 => Judgement { verdict: Verdict::Delivered, rule: "webhook-taken", detail },
            // The specification's word for an endpoint that wants no more.
            410 => Judgement { verdict: Verdict::Dead, rule: "webhook-gone", detail },
            429 => Judgement { verdict: Verdict::SlowDown { pause }, rule: "webhook-too-fast", detail },
            _ => again("webhook-refused", pause, detail),
        }
    }
}

fn again(rule: &'static str, after: Option<SignedDuration>, detail: String) -> Judgement {
    Judgement { verdict: Verdict::Retry { after }, rule, detail }
}

#[cfg(test)]
mod tests {
    use baoqiao_domain::auction::AuctionInsuranceType;
    use baoqiao_domain::auction::{AuctionStage, AuctionStatus};
    use baoqiao_domain::webhook::WebhookNotice;

    use super::*;
    use crate::access::Secret;
    use crate::outbound::AnswerFormat;
    use crate::sign_method::SignMethod;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn app() -> TopApp {
        TopApp {
            app_key: "core".to_owned(),
            secret: Secret::new(SECRET),
            sign_method: SignMethod::HmacSha256,
            format: AnswerFormat::Json,
            session: None,
            partner_id: None,
            target_app_key: None,
        }
    }

    /// The report of the auction's document.
    fn notice() -> Notice {
        about("24010900100YSKSSG")
    }

    fn about(biz_id: &str) -> Notice {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let event = Event::AuctionStageReported {
            biz_id: biz_id.to_owned(),
            partner: "alibaba".to_owned(),
            insurance_type: AuctionInsuranceType::Performance,
            stage: AuctionStage::PreInsurance,
            status: AuctionStatus::Success,
            policy_number: None,
            time_of_occurrence: now,
        };
        Notice::webhook("core", WebhookNotice::new(7, 0, now, event))
    }

    #[test]
    fn the_specifications_own_library_makes_the_same_signature() {
        let now: Timestamp = "2026-01-03T00:00:00Z".parse().unwrap();
        let notice = about("𬭎1");
        let request = Webhook.request(&notice, &app(), now).unwrap();
        let judge = standardwebhooks::Webhook::new(SECRET).unwrap();
        let expected = judge.sign("msg_7_0", now.as_second(), &request.body).unwrap();
        assert_eq!(request.headers["webhook-signature"], expected);
        assert_eq!(request.headers["webhook-id"], "msg_7_0");
        assert_eq!(request.headers["webhook-timestamp"], now.as_second().to_string());
        let later = Webhook.request(&notice, &app(), now + SignedDuration::from_secs(1)).unwrap();
        assert_eq!(later.body, request.body);
        assert_ne!(later.headers["webhook-signature"], expected);
    }

    #[test]
    fn the_body_is_the_specifications() {
        let body = Webhook.request(&about("𬭎1"), &app(), Timestamp::UNIX_EPOCH).unwrap().body;
        let expected =
            r#"{"type":"auction.stage-reported","timestamp":"2026-01-02T03:04:05Z","subject":"auction:𬭎1","data":{"#;
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.starts_with(expected), "{body}");
        assert!(body.contains(r#""bizId":"𬭎1""#), "{body}");
    }

    #[test]
    fn the_example_is_what_is_sent() {
        let request = Webhook.request(&notice(), &app(), "2026-01-03T00:00:00Z".parse().unwrap()).unwrap();
        let header = |name: &str| format!("{name}: {}", request.headers[name].to_str().unwrap());
        let headers = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"].map(header).join("\n");
        let written = format!("{headers}\n\n{}\n", std::str::from_utf8(&request.body).unwrap());
        assert_eq!(written, include_str!("golden/example.request"));
    }

    #[test]
    fn each_answer_has_its_verdict() {
        let answer = |status: u16, retry_after: Option<&'static str>| {
            let headers = retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text)));
            OutboundResponse::Answer { status, headers: headers.into_iter().collect(), body: Bytes::new() }
        };
        let after = |seconds| Some(SignedDuration::from_secs(seconds));
        for (response, verdict) in [
            (answer(200, None), Verdict::Delivered),
            (answer(204, None), Verdict::Delivered),
            (answer(302, None), Verdict::Retry { after: None }),
            (answer(400, None), Verdict::Retry { after: None }),
            (answer(410, None), Verdict::Dead),
            (answer(429, Some("7")), Verdict::SlowDown { pause: after(7) }),
            (answer(429, Some("soon")), Verdict::SlowDown { pause: None }),
            (answer(503, Some("30")), Verdict::Retry { after: after(30) }),
            (OutboundResponse::TimedOut, Verdict::Retry { after: None }),
            (OutboundResponse::NetworkFailed { detail: "refused".to_owned() }, Verdict::Retry { after: None }),
        ] {
            let judgement = Webhook.verdict(&response);
            assert_eq!(judgement.verdict, verdict, "{response:?}");
            assert!(crate::outbound::why(judgement.rule).is_some(), "{}", judgement.rule);
        }
    }

    #[test]
    fn a_secret_is_base64_of_enough_bytes() {
        assert_eq!(key(SECRET).unwrap().len(), 24);
        for text in ["", "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_§"]
        {
            assert_eq!(key(text), None, "{text}");
        }
    }
}
