//! What commands open of a configured ledger, while a gateway runs on it or none does.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::console::store::ConsoleStore;
use crate::gateway::{StartError, failed, load_vault};
use crate::ledger::backend::{Backend, Readers};
use crate::ledger::lists::Lists;
use crate::ledger::names::PeopleIndex;
use crate::ledger::store::Reader;
use crate::ledger::verification::evidence::Evidence;
use crate::outbox::{Desk, Wake};
use crate::vault::Vault;

/// What a ledger is read with.
pub struct LedgerAccess {
    /// The reading side.
    pub reader: Arc<dyn Reader>,
    /// Lists and events.
    pub lists: Arc<dyn Lists>,
    /// All of it, to be checked.
    pub evidence: Arc<dyn Evidence>,
    /// The keys.
    pub vault: Arc<Vault>,
}

/// Whether there is a ledger where the configuration says.
///
/// # Errors
/// When its database cannot be reached.
pub fn ledger_exists(config: &Config) -> Result<bool, StartError> {
    Backend::exists(&config.ledger.url).map_err(failed(config))
}

/// Opens a configured ledger for reading; a gateway may be running on it.
///
/// # Errors
/// When the keys or the ledger do not open.
pub fn open_for_reading(config: &Config) -> Result<LedgerAccess, StartError> {
    let vault = load_vault(config)?;
    let Readers { reader, lists, evidence, .. } =
        Backend::open_readers(&config.ledger.url, &vault).map_err(failed(config))?;
    Ok(LedgerAccess { reader, lists, evidence, vault })
}

/// Opens a configured ledger's outbox for people; a gateway may be running on it, and looks again within a second.
///
/// # Errors
/// When the keys or the ledger do not open.
pub fn open_outbox(config: &Config, clock: Arc<dyn Clock>) -> Result<(Desk, Arc<Vault>), StartError> {
    let vault = load_vault(config)?;
    let backend = Backend::open(&config.ledger.url, &vault).map_err(failed(config))?;
    let store = backend.outbox().map_err(failed(config))?;
    Ok((Desk::new(store, backend.readers().notices, Wake::default(), clock), vault))
}

/// The users, the sessions and the audit log of a configured ledger; a gateway may be running on it.
///
/// # Errors
/// When the keys or the ledger do not open.
pub fn open_console(config: &Config) -> Result<Arc<dyn ConsoleStore>, StartError> {
    let vault = load_vault(config)?;
    let backend = Backend::open(&config.ledger.url, &vault).map_err(failed(config))?;
    Ok(backend.console().map_err(failed(config))?.store)
}

/// The blind index of a configured ledger, to be written afterwards, with its keys; a gateway may be running on it.
///
/// # Errors
/// When the keys or the ledger do not open.
pub fn open_names(config: &Config) -> Result<(Arc<dyn PeopleIndex>, Arc<Vault>), StartError> {
    let vault = load_vault(config)?;
    let backend = Backend::open(&config.ledger.url, &vault).map_err(failed(config))?;
    Ok((backend.console().map_err(failed(config))?.names, vault))
}
