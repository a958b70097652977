//! What a load run is asked to do, and the limits that keep every run bounded.

use std::num::NonZeroU32;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::sign_method::SignMethod;

use crate::qimen::Charset;

/// The longest run.
const MAX_DURATION: Duration = Duration::from_hours(1);
/// The longest warm-up.
const MAX_WARMUP: Duration = Duration::from_mins(10);
/// The most connections: what one thread can still serve.
const MAX_CONNECTIONS: usize = 4096;

/// The largest padding: one extension field a KiB, of which an object may have so many.
const MAX_PADDING_KIB: usize = 90;

/// How identifiers follow each other, which decides how the ledger's index grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifiers {
    /// Each greater than the one before, as in the document's example.
    Rising,
    /// In no order.
    Random,
}

impl Identifiers {
    /// The name on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Random => "random",
        }
    }
}

/// A load run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to: http only, as TLS would measure TLS.
    pub url: String,
    /// `app_key` of the calls.
    pub app_key: String,
    /// The secret that signs them.
    pub secret: Secret,
    /// How they are signed.
    pub sign_method: SignMethod,
    /// The charset of their bodies.
    pub charset: Charset,
    /// Connections, each with one call under way at a time.
    pub connections: usize,
    /// The measured time; the run ends with it even if `requests` are not reached.
    pub duration: Duration,
    /// Ends the run earlier, after so many measured requests.
    pub requests: Option<u64>,
    /// Calls before measuring begins.
    pub warmup: Duration,
    /// Open loop: requests a second, whatever the answers take. `None`: each connection calls as soon as it was
    /// answered.
    pub rate: Option<NonZeroU32>,
    /// The share of requests that repeat an earlier identifier and content, 0 to 1.
    pub retries: f64,
    /// The share of requests that repeat an earlier identifier with other content, 0 to 1.
    pub conflicts: f64,
    /// The share of requests that record a recovery beside an issued policy, 0 to 1.
    pub recoveries: f64,
    /// All recoveries are about one policy.
    pub hot: bool,
    /// What is added to each application's extensions, in KiB.
    pub padding_kib: usize,
    /// How identifiers follow each other.
    pub identifiers: Identifiers,
    /// Decides which requests are repeats, and random identifiers.
    pub seed: u64,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// Allows a target that is not this machine.
    pub allow_remote: bool,
}

impl Plan {
    /// 64 connections, 10 s after 1 s of warm-up, closed loop, every call new.
    pub fn new(url: impl Into<String>, app_key: impl Into<String>, secret: Secret) -> Self {
        Self {
            url: url.into(),
            app_key: app_key.into(),
            secret,
            sign_method: SignMethod::Md5,
            charset: Charset::Utf8,
            connections: 64,
            duration: Duration::from_secs(10),
            requests: None,
            warmup: Duration::from_secs(1),
            rate: None,
            retries: 0.0,
            conflicts: 0.0,
            recoveries: 0.0,
            hot: false,
            padding_kib: 0,
            identifiers: Identifiers::Rising,
            seed: 1,
            timeout: Duration::from_secs(10),
            allow_remote: false,
        }
    }

    /// # Errors
    /// [`LoadError::Plan`], for a figure outside its limits.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let share = 0.0..=1.0;
        let rules = [
            ((1..=MAX_CONNECTIONS).contains(&self.connections), format!("connections must be 1 to {MAX_CONNECTIONS}")),
            (
                self.duration > Duration::ZERO && self.duration <= MAX_DURATION,
                format!("the duration must be above 0 and at most {MAX_DURATION:?}"),
            ),
            (self.warmup <= MAX_WARMUP, format!("the warm-up must be at most {MAX_WARMUP:?}")),
            (self.requests != Some(0), "requests must be at least 1".to_owned()),
            (
                share.contains(&self.retries)
                    && share.contains(&self.conflicts)
                    && share.contains(&self.recoveries)
                    && share.contains(&(self.retries + self.conflicts + self.recoveries)),
                "retries, conflicts and recoveries are shares from 0 to 1, and so is their sum".to_owned(),
            ),
            (self.padding_kib <= MAX_PADDING_KIB, format!("the padding must be at most {MAX_PADDING_KIB} KiB")),
        ];
        match rules.into_iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(LoadError::Plan(rule)),
            None => Ok(()),
        }
    }
}

/// Why there was no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A figure outside its limits.
    #[error("{0}")]
    Plan(String),
    /// Not an absolute http URL.
    #[error("load needs a URL like http://127.0.0.1:8080/qimen without a query, not {0:?}")]
    Url(String),
    /// Another machine, and nobody said that it may be loaded.
    #[error("{host} is {address}, not this machine; only its owner may load it (--i-own-this-host)")]
    NotLoopback {
        /// The URL's host.
        host: String,
        /// What it resolves to.
        address: std::net::SocketAddr,
    },
    /// Nobody listens there.
    #[error("cannot connect to {url}: {cause}; is the gateway running?")]
    Connect {
        /// Where to.
        url: String,
        /// What the system says.
        cause: String,
    },
    /// The example cannot be made into a template.
    #[error("the document's example cannot be used: {0}")]
    Template(String),
    /// The machine cannot run it.
    #[error("cannot start: {0}")]
    Machine(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_outside_their_limits_are_named() {
        let plan = || Plan::new("http://127.0.0.1/", "k", Secret::new("s"));
        assert!(plan().check().is_ok());
        let told = |change: fn(&mut Plan)| {
            let mut changed = plan();
            change(&mut changed);
            changed.check().unwrap_err().to_string()
        };
        assert!(told(|p| p.connections = 0).contains("connections"));
        assert!(told(|p| p.duration = Duration::ZERO).contains("duration"));
        assert!(told(|p| p.duration = Duration::from_hours(24)).contains("duration"));
        assert!(told(|p| p.warmup = Duration::from_hours(24)).contains("warm-up"));
        assert!(told(|p| p.requests = Some(0)).contains("requests"));
        assert!(told(|p| p.padding_kib = 91).contains("padding"));
        assert!(told(|p| p.recoveries = 1.1).contains("shares"));
        assert!(told(|p| p.retries = 1.1).contains("shares"));
        assert!(told(|p| p.retries = f64::NAN).contains("shares"));
        assert!(
            told(|p| {
                p.retries = 0.6;
                p.conflicts = 0.6;
            })
            .contains("sum")
        );
    }
}
