//! Signatures explained by what a configuration knows, for the console and for the command line.

use std::sync::Arc;

use baoqiao_channels::access::Access;
use baoqiao_channels::explain::{Evidence, Explanation, Known, Protocol, SpareSecret};
use baoqiao_channels::outbound::TopApp;
use jiff::Timestamp;

use crate::config::Config;
use crate::ledger::lists::{WholeMessage, WholeStranger};
use crate::record;
use crate::vault::{Purpose, Vault, VaultError};

/// Everything that signatures are explained by.
#[derive(Debug, Clone, Default)]
pub struct Explainer {
    access: Arc<Access>,
    apps: Vec<(String, TopApp)>,
    spare: Vec<SpareSecret>,
}

impl Explainer {
    /// By what that configuration knows.
    pub fn of(config: &Config) -> Self {
        let apps = config.platforms.iter().map(|lane| (lane.partner.clone(), lane.app.clone())).collect();
        Self::new(config.access.clone(), apps, config.spare_secrets.clone())
    }

    /// By those who may call, our own applications with the ids of their partners, and secrets that are only tried.
    pub fn new(access: Access, apps: Vec<(String, TopApp)>, spare: Vec<SpareSecret>) -> Self {
        Self { access: Arc::new(access), apps, spare }
    }

    /// The explanation of a request that came at that moment.
    pub fn explain(&self, protocol: Protocol, evidence: &Evidence, at: Timestamp) -> Explanation {
        let known = Known { access: &self.access, apps: &self.apps, spare: &self.spare };
        protocol.explain(evidence, &known, at)
    }
}

/// The request of a known caller's message.
///
/// # Errors
/// When it cannot be opened.
pub fn of_message(vault: &Vault, message: &WholeMessage) -> Result<Evidence, VaultError> {
    let kept = vault.open(Purpose::Request, &message.request)?;
    Ok(record::read(&kept, None, &message.record.peer))
}

/// What is kept of a stranger's request.
///
/// # Errors
/// When it cannot be opened.
pub fn of_stranger(vault: &Vault, stranger: &WholeStranger) -> Result<Evidence, VaultError> {
    let kept = vault.open(Purpose::Request, &stranger.request)?;
    let body_bytes = usize::try_from(stranger.record.body_bytes).unwrap_or(usize::MAX);
    Ok(record::read(&kept, Some(body_bytes), &stranger.record.peer))
}
