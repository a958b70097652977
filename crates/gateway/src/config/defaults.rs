//! What a key means when it is left out. `docs/configuration.md` repeats these, and a test compares the two.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use baoqiao_channels::sign_method::SignMethod;
use tracing::Level;

use super::log::LogFormat;

/// `server.listen`: this machine only.
pub const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
/// `server.body_limit_bytes`: a hundred times the longest message of the documents.
pub const BODY_LIMIT_BYTES: u64 = 1_048_576;
/// `server.header_timeout_ms`.
pub const HEADER_TIMEOUT_MS: u64 = 10_000;
/// `server.body_timeout_ms`.
pub const BODY_TIMEOUT_MS: u64 = 10_000;
/// `server.request_deadline_ms`: the platform gives up after a few seconds.
pub const REQUEST_DEADLINE_MS: u64 = 3_000;
/// `server.connection_limit`: below the usual limit of 1,024 open files.
pub const CONNECTION_LIMIT: u64 = 900;
/// `server.waiting_limit`.
pub const WAITING_LIMIT: u64 = 4_096;
/// `server.shutdown_grace_ms`.
pub const SHUTDOWN_GRACE_MS: u64 = 10_000;
/// `log.format`.
pub const LOG_FORMAT: LogFormat = LogFormat::Text;
/// `log.level`.
pub const LOG_LEVEL: Level = Level::INFO;
/// The path in `ledger.url`, beside the configuration.
pub const LEDGER_PATH: &str = "ledger.db";
/// `ledger.readers`.
pub const LEDGER_READERS: u64 = 8;
/// `ledger.lanes`: the database works on one batch while the other waits for the disk. (Issuing became 1.11 times as fast;
/// with three it was slower than with one; `docs/performance.md`.)
pub const LEDGER_LANES: u64 = 2;
/// `ledger.keys`, beside the configuration.
pub const KEYS_PATH: &str = "keys.toml";
/// `traffic.stranger_records`.
pub const STRANGER_RECORDS: u64 = 10_000;
/// `traffic.stranger_records_per_minute`.
pub const STRANGER_RECORDS_PER_MINUTE: u64 = 600;
/// `traffic.stranger_body_bytes`.
pub const STRANGER_BODY_BYTES: u64 = 4_096;
/// `partner.sign_methods`: what the platform's own SDK can use.
pub const SIGN_METHODS: [SignMethod; 3] = SignMethod::ALL;
/// `partner.timestamp_window_s`: the platform's own ten minutes.
pub const TIMESTAMP_WINDOW_S: u64 = 600;
/// `outbox.first_retry_ms`.
pub const FIRST_RETRY_MS: u64 = 1_000;
/// `outbox.longest_retry_ms`: what was tried during an outage is tried again within five minutes of its end.
pub const LONGEST_RETRY_MS: u64 = 300_000;
/// `outbox.max_age_h`: longer than a long weekend.
pub const MAX_AGE_H: u64 = 168;
/// `platform.sign_method`: the strongest that the platform knows.
pub const PLATFORM_SIGN_METHOD: SignMethod = SignMethod::HmacSha256;
/// `platform.calls_per_second`.
pub const CALLS_PER_SECOND: u64 = 50;
/// `platform.burst`.
pub const BURST: u64 = 50;
/// `platform.concurrency`.
pub const CONCURRENCY: u64 = 32;
/// `platform.timeout_ms`.
pub const PLATFORM_TIMEOUT_MS: u64 = 10_000;
/// `partner.surrender_sync`: only who asks for notices gets them.
pub const SURRENDER_SYNC: bool = false;
/// `webhook.timeout_ms`: what Standard Webhooks recommends at least.
pub const WEBHOOK_TIMEOUT_MS: u64 = 15_000;
/// The most pushes a second to one endpoint: more than one call at a time can reach.
pub const WEBHOOK_CALLS_PER_SECOND: u32 = 10_000;
/// `console.enabled`: nobody can sign in before a user is added.
pub const CONSOLE_ENABLED: bool = true;
/// `console.session_idle_min`.
pub const SESSION_IDLE_MIN: u64 = 30;
/// `console.session_max_h`: a working day.
pub const SESSION_MAX_H: u64 = 12;
/// `console.oidc.scopes`: what brings a name with it.
pub const OIDC_SCOPES: [&str; 1] = ["profile"];
/// `console.oidc.name_claim`.
pub const OIDC_NAME_CLAIM: &str = "preferred_username";
/// `console.oidc.role_claim`.
pub const OIDC_ROLE_CLAIM: &str = "groups";
/// `console.oidc.password_sign_in`: so that somebody can sign in while the provider is down.
pub const OIDC_PASSWORD_SIGN_IN: bool = true;
/// `console.oidc.timeout_ms`.
pub const OIDC_TIMEOUT_MS: u64 = 5_000;
/// `product.currencies`.
pub const CURRENCIES: [&str; 1] = ["CNY"];
/// `product.premium_tolerance` and `product.cny_tolerance`: one fen, what rounding to fen can make.
pub const TOLERANCE: &str = "0.01";
