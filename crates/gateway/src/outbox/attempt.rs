//! One attempt: open, sign, send, judge.

use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::outbound::{Judgement, Outbound, OutboundRequest, OutboundResponse, TopApp, Verdict};
use baoqiao_domain::notice::{Notice, NoticeContent};
use jiff::Timestamp;

use super::lane::LaneConfig;
use super::store::Claimed;
use super::transport::Transport;
use crate::clock::Clock;
use crate::vault::{Purpose, Sealed, Vault, VaultError};

/// The longest reason that is recorded, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// What an attempt needs besides its notice.
pub(super) struct Sender {
    pub(super) interfaces: &'static [&'static dyn Outbound],
    pub(super) transport: Arc<dyn Transport>,
    pub(super) vault: Arc<Vault>,
    pub(super) clock: Arc<dyn Clock>,
}

/// An attempt that has ended.
pub(super) struct Ended {
    pub(super) claimed: Claimed,
    pub(super) started_at: Timestamp,
    pub(super) answered_at: Timestamp,
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) response: Option<Sealed>,
}

/// Of a notice that is no request, which no platform could mend.
fn unsendable(detail: String) -> Judgement {
    Judgement { verdict: Verdict::Dead, rule: "unsendable", detail }
}

impl Sender {
    /// Sends a notice, unless its lease is about to run out: `None`, and nothing was sent.
    pub(super) async fn attempt(&self, claimed: Claimed, lane: &LaneConfig, lease_until: Timestamp) -> Option<Ended> {
        let started_at = self.clock.now();
        let left = Duration::try_from(lease_until.duration_since(started_at)).unwrap_or_default();
        if left < lane.timeout {
            return None;
        }
        let (judgement, response) = match self.prepare(&claimed, &lane.app, started_at) {
            Ok((interface, request)) => self.exchange(interface, lane, request).await,
            Err(judgement) => (judgement, None),
        };
        let detail = format!("{}: {}", judgement.rule, judgement.detail);
        Some(Ended {
            claimed,
            started_at,
            answered_at: self.clock.now(),
            verdict: judgement.verdict,
            detail: detail.chars().take(MAX_DETAIL_CHARS).collect(),
            response,
        })
    }

    /// The signed request, and the interface that it is for.
    fn prepare(
        &self,
        claimed: &Claimed,
        app: &TopApp,
        now: Timestamp,
    ) -> Result<(&'static dyn Outbound, OutboundRequest), Judgement> {
        let plain = self.vault.open(Purpose::Notice, &claimed.content).map_err(|error| match error {
            // Another gateway has it already, or it comes with the right key file.
            VaultError::UnknownKey(_) => {
                Judgement { verdict: Verdict::Retry { after: None }, rule: "key-missing", detail: error.to_string() }
            }
            _ => unsendable(error.to_string()),
        })?;
        let content: NoticeContent = serde_json::from_slice(&plain)
            .map_err(|error| unsendable(format!("its content does not read: {error}")))?;
        let notice = Notice::restored(&*claimed.partner, &*claimed.subject, content);
        let interface = self.interfaces.iter().copied().find(|interface| interface.kind() == notice.kind);
        let interface = interface.ok_or_else(|| unsendable(format!("no interface sends {}", notice.kind)))?;
        let request = interface.request(&notice, app, now).map_err(|error| unsendable(error.to_string()))?;
        Ok((interface, request))
    }

    async fn exchange(
        &self,
        interface: &dyn Outbound,
        lane: &LaneConfig,
        request: OutboundRequest,
    ) -> (Judgement, Option<Sealed>) {
        let sending = self.transport.send(&lane.url, request);
        let response = tokio::time::timeout(lane.timeout, sending).await.unwrap_or(OutboundResponse::TimedOut);
        let sealed = match &response {
            // An answer that cannot be sealed is not kept; what it says still counts.
            OutboundResponse::Answer { body, .. } => self.vault.seal(Purpose::NoticeResponse, body).ok(),
            OutboundResponse::TimedOut | OutboundResponse::NetworkFailed { .. } => None,
        };
        (interface.verdict(&response), sealed)
    }
}
