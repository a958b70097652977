//! The configuration: one commented TOML file, read once at start.
//!
//! [`Config::load`] gives typed values or tells everything that is wrong, each with file, line and key: unknown keys
//! and impossible values stop the start, since a gateway that half understands its limits issues policies nobody
//! wanted. One section of the file is one file here; what a key means when it is left out stands in [`defaults`];
//! [`sample()`] is the file that `baoqiao init` writes. `docs/configuration.md` lists all keys.

mod api_token;
mod channels;
mod console;
pub mod defaults;
mod documents;
mod insurer;
mod ledger;
mod log;
mod methods;
mod oidc;
mod outbox;
mod partner;
mod platform;
mod policy_source;
mod problem;
mod product;
mod reader;
mod sample;
mod secret;
mod server;
mod suggest;
mod traffic;
mod webhook;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use baoqiao_channels::CHANNELS;
use baoqiao_channels::access::{Access, Partner};
use baoqiao_channels::explain::SpareSecret;
use baoqiao_domain::product::Catalogue;
use toml::de::DeTable;

pub use console::ConsoleConfig;
pub use documents::DocumentsConfig;
pub use ledger::{LedgerConfig, LedgerUrl, PostgresUrl};
pub use log::{LogConfig, LogFormat};
pub use problem::{ConfigError, Problem};
pub use sample::{EXAMPLE_POLICY_SOURCE, InvalidSample, SIMULATED_PLATFORM, SampleOptions, sample};
pub use server::ServerConfig;
pub use traffic::TrafficConfig;
pub use webhook::WebhookConfig;

use crate::documents::Insurer;
use crate::http::api::ApiToken;
use crate::outbox::{LaneConfig, Policy};
use reader::{Section, Source};

/// Everything the gateway is told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from, absolute.
    pub source_path: PathBuf,
    /// `[server]`.
    pub server: ServerConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// How long a call may wait for the ledger, by the channel's name.
    pub deadlines: HashMap<&'static str, Duration>,
    /// `[ledger]`.
    pub ledger: LedgerConfig,
    /// `[traffic]`.
    pub traffic: TrafficConfig,
    /// `[insurer]`.
    pub insurer: Insurer,
    /// `[documents]`.
    pub documents: DocumentsConfig,
    /// Every `[[partner]]`, in the order of the file.
    pub partners: Vec<Partner>,
    /// The partners by their app keys, every `[[policy_source]]` by its code, and the interfaces by their method names.
    pub access: Access,
    /// Every `[[product]]`, what every `[[policy_source]]` may do, and which partners want surrender information.
    pub catalogue: Catalogue,
    /// The secrets that are never accepted, and tried when a signature is explained.
    pub spare_secrets: Vec<SpareSecret>,
    /// `[outbox]`.
    pub outbox: Policy,
    /// Every `[[platform]]`.
    pub platforms: Vec<LaneConfig>,
    /// Every `[[webhook]]`.
    pub webhooks: Vec<WebhookConfig>,
    /// Every `[[api_token]]`.
    pub api_tokens: Vec<ApiToken>,
    /// `[console]`.
    pub console: ConsoleConfig,
}

impl Config {
    /// Reads the file at `path`; `env` gives the environment's variables, for secrets that are kept there.
    ///
    /// # Errors
    /// [`ConfigError`], with every problem that can be told. It never holds a secret.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let unreadable = |source: io::Error| ConfigError::Unreadable { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let message = "bytes that are not UTF-8; expected the file saved as UTF-8, not as GBK".to_owned();
            let line = reader::line_at(error.as_bytes(), offset);
            ConfigError::Invalid { path: path.to_owned(), problems: vec![Problem { line, key: None, message }] }
        })?;
        Self::parse(path, &text, env)
    }

    /// As [`load`](Self::load), of a text that is or would be the file at `path`: relative paths in it start at that
    /// file's folder.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let unreadable = |source: io::Error| ConfigError::Unreadable { path: path.to_owned(), source };
        let source_path = std::path::absolute(path).map_err(unreadable)?;
        let folder = source_path.parent().unwrap_or(&source_path).to_owned();
        let source = Source::new(text, &folder, env);
        let (root, errors) = DeTable::parse_recoverable(text);
        // Only the foremost: what a parser finds after it is mostly guesswork.
        if let Some(error) = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start)) {
            source.syntax_error(error);
            return Err(source.into_error(path));
        }
        let config = Section::root(&source, root.get_ref(), |root| Self::read(source_path, root));
        if source.has_problems() { Err(source.into_error(path)) } else { Ok(config) }
    }

    /// Where there are problems, they are noted in the source, and the values are not to be used.
    fn read(source_path: PathBuf, root: &Section<'_>) -> Self {
        let server = root.section("server", server::read);
        let log = root.section("log", log::read);
        let ledger = root.section("ledger", ledger::read);
        let traffic = root.section("traffic", traffic::read);
        let insurer = root.section("insurer", insurer::read);
        let documents = root.section("documents", documents::read);
        let outbox = root.section("outbox", |section| outbox::read(section, server.shutdown_grace));
        let platforms = platform::read_all(root);
        let channels = root.section("channels", |section| channels::read(section, CHANNELS, server.request_deadline));
        let partners = partner::read_all(root, &platforms.ids);
        let products = product::read_all(root, &partners.ids);
        let has_client_ca = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let sources = policy_source::read_all(root, &partners.ids, &products.codes, has_client_ca);
        let (callers, sources): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
        let catalogue = Catalogue::new(products.valid)
            .with_sources(sources)
            .with_surrender_sync(partners.surrender_sync)
            .with_platforms(platforms.ids);
        let (partners, spare_secrets) = (partners.valid, partners.spare_secrets);
        let api_tokens = api_token::read_all(root);
        let webhooks = webhook::read_all(root);
        let console = root.section("console", |section| console::read(section, &server));
        let access = Access::new(partners.iter().cloned(), channels.methods).with_sources(callers);
        Self {
            source_path,
            server,
            log,
            deadlines: channels.deadlines,
            ledger,
            traffic,
            insurer,
            documents,
            partners,
            access,
            catalogue,
            spare_secrets,
            outbox,
            platforms: platforms.valid,
            webhooks,
            api_tokens,
            console,
        }
    }
}

#[cfg(test)]
mod tests;
