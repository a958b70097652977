//! The file that `baoqiao init` writes: `sample.toml` of this folder with an address, an app key and a secret in it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use baoqiao_channels::access::Secret;

use super::server::EXPECTED_LISTEN;
use super::{ledger, partner, platform, policy_source, reader, secret};

/// Where the sample has its ledger.
const SAMPLE_LEDGER: &str = "sqlite:ledger.db";

const TEMPLATE: &str = include_str!("sample.toml");

/// What differs from one sample to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    listen: SocketAddr,
    app_key: String,
    secret: Secret,
    platform_url: String,
    policy_source: String,
    ledger_url: Option<String>,
}

/// The policy source of the rescission document's example.
pub const EXAMPLE_POLICY_SOURCE: &str = "HN_HT_QNW";

/// Where a TOP gateway takes calls.
const TOP_PATH: &str = "/router/rest";

/// Where `baoqiao simulate platform` listens in its own example.
pub const SIMULATED_PLATFORM: &str = "http://127.0.0.1:8090/router/rest";

/// Why there can be no such sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidSample {
    /// The address to listen on is none, or none that a platform could be told.
    Listen(
        /// What came.
        String,
    ),
    /// The app key is none.
    AppKey(
        /// What came.
        String,
    ),
    /// The policy source's code is none.
    PolicySource(
        /// What came.
        String,
    ),
    /// The platform's address is none.
    Platform(
        /// What came.
        String,
    ),
    /// The ledger's address is none. It is not shown, since it may hold a password.
    Ledger,
    /// The secret is none. It is not shown.
    Secret(
        /// What is wrong with it.
        &'static str,
    ),
}

impl fmt::Display for InvalidSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(came) => write!(f, "listen: {came:?}; expected {EXPECTED_LISTEN}"),
            Self::AppKey(came) => write!(f, "app key: {came:?}; expected {}", partner::EXPECTED_APP_KEY),
            Self::PolicySource(came) => {
                write!(f, "policy source: {came:?}; expected {}", policy_source::EXPECTED_CODE)
            }
            Self::Platform(came) => write!(f, "platform: {came:?}; expected {}", platform::EXPECTED_URL),
            Self::Ledger => write!(f, "ledger: an address that cannot be read; expected {}", ledger::EXPECTED_URL),
            Self::Secret(fault) => write!(f, "secret: it {fault}; expected {}", secret::EXPECTED_CONTENT),
        }
    }
}

impl std::error::Error for InvalidSample {}

impl SampleOptions {
    /// Options that make a file that loads.
    ///
    /// # Errors
    /// [`InvalidSample`], when a value could not stand in the file.
    pub fn new(listen: &str, app_key: &str, secret: &str) -> Result<Self, InvalidSample> {
        let parsed: Option<SocketAddr> = listen.parse().ok();
        // With both left open, no address could be given to the platform.
        let callable = parsed.filter(|address| !address.ip().is_unspecified() || address.port() != 0);
        let listen = callable.ok_or_else(|| InvalidSample::Listen(listen.to_owned()))?;
        let app_key = reader::name(app_key).ok_or_else(|| InvalidSample::AppKey(app_key.to_owned()))?.to_owned();
        let secret = secret::secret(secret).map_err(InvalidSample::Secret)?;
        let (platform_url, policy_source) = (SIMULATED_PLATFORM.to_owned(), EXAMPLE_POLICY_SOURCE.to_owned());
        Ok(Self { listen, app_key, secret, platform_url, policy_source, ledger_url: None })
    }

    /// The same, with that policy source instead of the document's.
    ///
    /// # Errors
    /// [`InvalidSample::PolicySource`].
    pub fn with_policy_source(mut self, code: &str) -> Result<Self, InvalidSample> {
        let code = reader::name(code).ok_or_else(|| InvalidSample::PolicySource(code.to_owned()))?;
        code.clone_into(&mut self.policy_source);
        Ok(self)
    }

    /// The same, with notices sent to that address instead of the simulator's. Without a path it is a TOP gateway's.
    ///
    /// # Errors
    /// [`InvalidSample::Platform`].
    pub fn with_platform(mut self, url: &str) -> Result<Self, InvalidSample> {
        let given = platform::url(url).ok_or_else(|| InvalidSample::Platform(url.to_owned()))?;
        let (_, rest) = given.split_once("://").unwrap_or_default();
        // Every TOP gateway takes its calls there (protocols.md §1).
        let path = if rest.trim_end_matches('/').contains('/') { "" } else { TOP_PATH };
        self.platform_url =
            if path.is_empty() { given.to_owned() } else { given.trim_end_matches('/').to_owned() + path };
        Ok(self)
    }

    /// The same, with its ledger in that database instead of in a file beside it.
    ///
    /// # Errors
    /// [`InvalidSample::Ledger`].
    pub fn with_ledger(mut self, url: &str) -> Result<Self, InvalidSample> {
        if !ledger::is_url(url) {
            return Err(InvalidSample::Ledger);
        }
        self.ledger_url = Some(url.to_owned());
        Ok(self)
    }

    /// The address to listen on.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where notices are sent.
    pub fn platform(&self) -> &str {
        &self.platform_url
    }

    /// The app key of the sample's partner.
    pub fn app_key(&self) -> &str {
        &self.app_key
    }

    /// The `server.public_url` of the sample: this machine's own where the gateway listens on every address; `None`
    /// where the port is left to the system, so that the bound address counts.
    pub fn public_url(&self) -> Option<String> {
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        (self.listen.port() != 0).then(|| format!("http://{}", SocketAddr::new(ip, self.listen.port())))
    }
}

/// A commented configuration with one partner and both products of the interface documents. It holds the secret.
pub fn sample(options: &SampleOptions) -> String {
    let public_url = match options.public_url() {
        Some(url) => format!("public_url = {}", quoted(&url)),
        None => "# public_url = \"https://insurer.example.com\"".to_owned(),
    };
    let ledger_url = options.ledger_url.as_deref().unwrap_or(SAMPLE_LEDGER);
    // The secret last: what a caller gives is not searched for further places.
    TEMPLATE
        .replace("listen = \"@LISTEN@\"", &format!("listen = {}", quoted(&options.listen.to_string())))
        .replace("public_url = \"@PUBLIC_URL@\"", &public_url)
        .replace("\"@POLICY_SOURCE@\"", &quoted(&options.policy_source))
        .replace("\"@PLATFORM@\"", &quoted(&options.platform_url))
        .replace(&format!("\nurl = {}\n", quoted(SAMPLE_LEDGER)), &format!("\nurl = {}\n", quoted(ledger_url)))
        .replace("\"@APP_KEY@\"", &quoted(&options.app_key))
        .replace("\"@SECRET@\"", &quoted(options.secret.expose()))
}

/// A TOML basic string. The values hold no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, LedgerUrl};
    use baoqiao_domain::currency::Currency;
    use baoqiao_domain::money::Amount;
    use std::path::Path;

    fn options(listen: &str, secret: &str) -> SampleOptions {
        SampleOptions::new(listen, "12345678", secret).unwrap()
    }

    fn load(options: &SampleOptions) -> Config {
        Config::parse(Path::new("/etc/baoqiao/baoqiao.toml"), &sample(options), &|_| None).unwrap()
    }

    #[test]
    fn the_sample_loads_and_says_what_it_was_given() {
        let awkward = r#"se"cr\et @SECRET@ 密 {{"#;
        let config = load(&options("127.0.0.1:9090", awkward));
        assert_eq!(config.server.listen, "127.0.0.1:9090".parse().unwrap());
        assert_eq!(config.server.public_url.as_deref(), Some("http://127.0.0.1:9090"));
        assert_eq!(config.source_path, Path::new("/etc/baoqiao/baoqiao.toml"));
        assert_eq!(config.ledger.url, LedgerUrl::Sqlite("/etc/baoqiao/ledger.db".into()));
        assert_eq!(config.ledger.keys, Path::new("/etc/baoqiao/keys.toml"));
        let partner = config.access.partner("12345678").unwrap();
        assert_eq!(partner.id, "alibaba");
        assert_eq!(partner.secrets, [Secret::new(awkward)]);
        let issuing = "qimen.alibaba.finance.insurance.policy.issuing";
        assert_eq!(config.access.interface_of_method(issuing), Some("qimen/policy-issuing"));
        let [platform] = config.platforms.as_slice() else { panic!("{:?}", config.platforms) };
        assert_eq!((platform.partner.as_str(), platform.url.as_str()), ("alibaba", SIMULATED_PLATFORM));
        assert_eq!((platform.app.app_key.as_str(), &platform.app.secret), ("12345678", &Secret::new(awkward)));
    }

    #[test]
    fn the_sample_lets_the_documents_source_rescind_what_the_documents_partner_sold() {
        let config = load(&options("127.0.0.1:8080", "s"));
        let source = config.access.source("HN_HT_QNW").unwrap();
        assert!(source.addresses.iter().any(|range| range.contains("127.0.0.1".parse().unwrap())));
        assert!(source.hmac_secrets.is_empty());
        assert!(config.catalogue.wants_surrender_sync("alibaba"));
        let recovery = "qimen.alibaba.finance.insurance.recovery";
        assert_eq!(config.access.interface_of_method(recovery), Some("qimen/recovery"));
        let other = load(&options("127.0.0.1:8080", "s").with_policy_source("OTHER-1").unwrap());
        assert!(other.access.source("OTHER-1").is_some() && other.access.source("HN_HT_QNW").is_none());
        let error = options("127.0.0.1:8080", "s").with_policy_source("a:b").unwrap_err();
        assert!(error.to_string().starts_with("policy source: \"a:b\"; expected"), "{error}");
    }

    #[test]
    fn the_sample_sends_notices_where_it_is_told() {
        let url = "https://eco.taobao.com/router/rest";
        let config = load(&options("127.0.0.1:8080", "s").with_platform(url).unwrap());
        assert_eq!(config.platforms[0].url, url);
        for bare in ["https://eco.taobao.com", "https://eco.taobao.com/"] {
            let config = load(&options("127.0.0.1:8080", "s").with_platform(bare).unwrap());
            assert_eq!(config.platforms[0].url, url, "{bare}");
        }
        let elsewhere = "http://proxy.example.com/taobao";
        assert_eq!(load(&options("127.0.0.1:8080", "s").with_platform(elsewhere).unwrap()).platforms[0].url, elsewhere);
        let error = options("127.0.0.1:8080", "s").with_platform("eco.taobao.com").unwrap_err();
        assert!(error.to_string().starts_with("platform: \"eco.taobao.com\"; expected"), "{error}");
    }

    #[test]
    fn the_sample_keeps_its_ledger_where_it_is_told() {
        let url = "postgres://baoqiao:p%20w@127.0.0.1:5433/ledger";
        let config = load(&options("127.0.0.1:8080", "s").with_ledger(url).unwrap());
        let LedgerUrl::Postgres(database) = &config.ledger.url else { panic!("{}", config.ledger.url) };
        assert_eq!(config.ledger.url.to_string(), "postgres://127.0.0.1:5433/ledger", "without user or password");
        assert_eq!((database.config.get_ports(), database.encrypted), (&[5433][..], false));
        assert_eq!(database.config.get_password(), Some("p w".as_bytes()));
        for wrong in ["ledger.db", "postgres://", "mysql://me:hidden@db/ledger"] {
            let error = options("127.0.0.1:8080", "s").with_ledger(wrong).unwrap_err().to_string();
            assert!(error.starts_with("ledger: ") && !error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn the_sample_admits_the_documents_examples() {
        let catalogue = load(&options("127.0.0.1:8080", "s")).catalogue;
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        // amount, premium and premiumRate of the issuing document's example.
        let bonds = catalogue.sold_by("alibaba", "PERFORMANCE_SURETY_BONDS").unwrap();
        assert_eq!(bonds.prefix.to_string(), "PBDI");
        assert!(bonds.sum_insured_cny.contains(amount("1018.0")));
        assert!(bonds.premium_cny.contains(amount("6.36")));
        let exact = amount("1018.0").times("0.00625".parse().unwrap());
        assert!(amount("6.36").agrees_with(exact, bonds.premium_tolerance));
        assert!(bonds.currencies.contains(&Currency::CNY));
        // productCode, recoverAmount and recoverCost of the recovery document's example.
        let ces = catalogue.sold_by("alibaba", "CES").unwrap();
        assert!(ces.sum_insured_cny.contains(amount("12")) && ces.premium_cny.contains(amount("1")));
        assert!(ces.currencies.contains(&Currency::CNY));
        assert_eq!(catalogue.products().count(), 2);
    }

    #[test]
    fn every_address_to_listen_on_makes_a_file_that_loads() {
        for (listen, public_url) in [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("0.0.0.0:80", Some("http://127.0.0.1:80")),
            ("[::]:8080", Some("http://[::1]:8080")),
            ("10.1.2.3:8080", Some("http://10.1.2.3:8080")),
            ("127.0.0.1:0", None),
        ] {
            assert_eq!(load(&options(listen, "s")).server.public_url.as_deref(), public_url, "{listen}");
        }
        let bound = "127.0.0.1:40001".parse().unwrap();
        assert_eq!(load(&options("127.0.0.1:0", "s")).server.public_url_at(bound), "http://127.0.0.1:40001");
        assert_eq!(load(&options("0.0.0.0:80", "s")).server.public_url_at(bound), "http://127.0.0.1:80");
    }

    #[test]
    fn what_cannot_stand_in_the_file_is_told_without_the_secret() {
        let message = |listen, key, secret| SampleOptions::new(listen, key, secret).unwrap_err().to_string();
        assert_eq!(
            message("localhost:8080", "1", "s"),
            "listen: \"localhost:8080\"; expected ADDRESS:PORT, such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::1]:8080\""
        );
        assert!(message("0.0.0.0:0", "1", "s").starts_with("listen: \"0.0.0.0:0\"; expected"));
        assert!(message("127.0.0.1:1", "", "s").starts_with("app key: \"\"; expected"));
        for secret in ["", " hidden", "hidden\n"] {
            assert!(!message("127.0.0.1:1", "1", secret).contains("hidden"));
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        assert!(!sample(&options("127.0.0.1:8080", "s")).contains('@'));
    }
}
