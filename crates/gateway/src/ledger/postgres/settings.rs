//! How the database is reached.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::Failure;
use crate::config::PostgresUrl;
use crate::ledger::store::StoreError;

const CONTEXT: &str = "setting up the connection to the database";
/// A server that is gone without a word is noticed after so long.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Limits that the server keeps by itself: whatever becomes of a gateway, its locks are not held for longer. A server
/// that does not know one of them goes without.
const LIMITS: [&str; 4] = [
    "SET statement_timeout = '4500ms'",
    "SET lock_timeout = '2000ms'",
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET default_transaction_isolation = 'read committed'",
];
/// Batches look up their few rows by key. A table that was empty when a statement was planned would be read whole.
/// Where there is no other way than to read one, it is short, and its forbidding price no reason to compile the statement.
const BY_KEY: [&str; 4] =
    ["SET enable_seqscan = off", "SET enable_hashjoin = off", "SET enable_mergejoin = off", "SET jit = off"];
/// Nothing is answered before it is durable, whatever the database's or the role's own setting; one that waits for a
/// standby as well stays as it is.
const SYNCED: [&str; 1] =
    ["SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"];
/// What is lost in a crash of the server is done again; nothing waits for its disk.
const UNSYNCED: [&str; 1] = ["SET synchronous_commit = off"];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Batches of the ledger, and the order of the feed.
    Writing,
    /// Looking.
    Reading,
    /// Recording what the outbox does.
    Outbox,
    /// Migrations and checks, which take as long as they take.
    Maintenance,
}

/// How the database is reached, for one use.
pub(super) struct Settings {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    purpose: Use,
}

impl Settings {
    /// # Errors
    /// When the root certificates cannot be read.
    pub(super) fn new(url: &PostgresUrl, purpose: Use) -> Result<Arc<Self>, StoreError> {
        let mut config = url.config.clone();
        config.application_name("baoqiao").connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENCE_TIMEOUT);
        config.keepalives(true).keepalives_idle(SILENCE_TIMEOUT).keepalives_interval(Duration::from_secs(1));
        config.ssl_mode(if url.encrypted { SslMode::Require } else { SslMode::Disable });
        let tls = if url.encrypted { Some(tls(url.root_certificates.as_deref())?) } else { None };
        Ok(Arc::new(Self { config, tls, purpose }))
    }

    /// Opens a connection, which is driven by the runtime that this is called in.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        // How the connection ends, its client is told at the next call.
        let client = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await?;
            tokio::spawn(async move { drop(connection.await) });
            client
        } else {
            let (client, connection) = self.config.connect(NoTls).await?;
            tokio::spawn(async move { drop(connection.await) });
            client
        };
        let settings: &[&[&str]] = match self.purpose {
            Use::Writing => &[&LIMITS, &BY_KEY, &SYNCED],
            Use::Reading => &[&LIMITS],
            Use::Outbox => &[&LIMITS, &BY_KEY, &UNSYNCED],
            Use::Maintenance => &[],
        };
        for setting in settings.iter().copied().flatten() {
            if let Err(error) = client.batch_execute(setting).await
                && error.code().is_none()
            {
                return Err(error.into());
            }
        }
        Ok(client)
    }
}

/// The host's name is always verified, against the given roots or the system's.
fn tls(roots: Option<&Path>) -> Result<MakeRustlsConnect, StoreError> {
    let failed = |reason: String| StoreError { context: CONTEXT, reason };
    let mut store = RootCertStore::empty();
    match roots {
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let certificates = certificates.map_err(|error| failed(format!("{}: {error}", path.display())))?;
            if store.add_parsable_certificates(certificates).0 == 0 {
                return Err(failed(format!("{}: no certificate in it", path.display())));
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| failed(error.to_string()))?;
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(store).with_no_client_auth()))
}

/// Whether every host is this machine, where nobody listens in between.
pub(crate) fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    })
}
