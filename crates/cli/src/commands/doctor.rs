//! `baoqiao doctor`: what would go wrong, before it does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use baoqiao_documents::Fonts;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::config::Config;
use baoqiao_gateway::console::oidc::Inspection;
use baoqiao_gateway::gateway::{load_template, open_provider};
use baoqiao_gateway::ledger::lists::MessageFilter;
use baoqiao_gateway::opening::{LedgerAccess, ledger_exists, open_for_reading};
use baoqiao_gateway::tls::CertificateInfo;
use baoqiao_gateway::vault::Purpose;
use baoqiao_gateway::vault::keyring::Keyring;
use http::Uri;
use jiff::Timestamp;

use super::load_config;
use super::values::print;
use crate::failure::{Failure, Outcome};

/// Check configuration, keys, ledger, template, certificates, sign-in provider and fonts
#[derive(clap::Args)]
#[command(after_help = "\
Exit status: 0 nothing is wrong (warnings allowed), 1 something is, 2 the configuration could not
be read.")]
pub(crate) struct Args {
    /// The gateway's configuration; without one, only the machine is checked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Text that documents must be able to show, such as the rare names of your customers
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

/// Characters in names of real people that lie outside GB 2312, two of them outside the BMP.
const RARE_NAMES: &str = "\u{2CB4E}\u{36C3}\u{7199}\u{5586}\u{9555}\u{20BB7}\u{6631}";

/// A certificate that has fewer days left is told of.
const EXPIRES_SOON_DAYS: i64 = 30;

enum Finding {
    Good(String),
    Warning(String),
    Bad(String),
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut findings = Vec::new();
    if let Some(path) = &args.config {
        let config = load_config(path)?;
        let (partners, products) = (config.partners.len(), config.catalogue.products().count());
        findings.push(Finding::Good(format!("configuration: {partners} partners, {products} products")));
        findings.extend(private_files(&config));
        findings.push(keys(&config));
        findings.push(ledger(&config));
        findings.push(template(&config));
        findings.extend(tls(&config, SystemClock.now()));
        findings.extend(provider(&config));
    }
    findings.extend(fonts(args.text.as_deref()));
    print(&told(&findings))?;
    let bad = findings.iter().any(|finding| matches!(finding, Finding::Bad(_)));
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Files with secrets in them that others on the machine can read.
fn private_files(config: &Config) -> Vec<Finding> {
    let readable_by_others = |path: &Path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    let files = [("configuration", &config.source_path), ("key file", &config.ledger.keys)];
    let tls_key = config.server.tls.as_ref().map(|tls| ("TLS key", &tls.key));
    let exposed = files.into_iter().chain(tls_key).filter(|(_, path)| readable_by_others(path));
    exposed
        .map(|(what, path)| {
            let path = path.display();
            Finding::Warning(format!("{what} {path} can be read by other users: chmod 600 {path}"))
        })
        .collect()
}

fn keys(config: &Config) -> Finding {
    match Keyring::load(&config.ledger.keys) {
        Ok(_) => Finding::Good("keys: the key file reads".to_owned()),
        Err(error) => Finding::Bad(error.to_string()),
    }
}

fn ledger(config: &Config) -> Finding {
    let url = &config.ledger.url;
    match ledger_exists(config) {
        Ok(true) => {}
        Ok(false) => return Finding::Good(format!("ledger: {url} is not there yet; `baoqiao serve` makes it")),
        Err(error) => return Finding::Bad(error.to_string()),
    }
    match open_for_reading(config) {
        Ok(access) => match newest_opens(&access) {
            Ok(()) => Finding::Good(format!("ledger: {url} opens with these keys")),
            Err(error) => Finding::Bad(format!("ledger: {url}: its newest message does not open: {error}")),
        },
        Err(error) => Finding::Bad(error.to_string()),
    }
}

/// Whether the key file still has the key that seals: the ledger's own mark is under the first one.
fn newest_opens(access: &LedgerAccess) -> Result<(), Failure> {
    let newest = access.lists.messages(&MessageFilter::default(), None, 1)?.items;
    let Some(record) = newest.first() else { return Ok(()) };
    if let Some(message) = access.lists.message(record.id)? {
        access.vault.open(Purpose::Reply, &message.reply)?;
    }
    Ok(())
}

fn template(config: &Config) -> Finding {
    match load_template(config) {
        Ok(_) => Finding::Good("template: every placeholder is known".to_owned()),
        Err(error) => Finding::Bad(error.to_string()),
    }
}

/// Certificates that are no longer good, or soon not, and one that is not for the address that callers are given.
fn tls(config: &Config, now: Timestamp) -> Vec<Finding> {
    let Some(files) = &config.server.tls else { return Vec::new() };
    let certificates = match files.inspect() {
        Ok(certificates) => certificates,
        Err(error) => return vec![Finding::Bad(format!("tls: {error}"))],
    };
    let mut findings: Vec<_> = certificates.iter().map(|certificate| validity(certificate, now)).collect();
    let url: Option<Uri> = config.server.public_url.as_ref().and_then(|url| url.parse().ok());
    if let Some(host) = url.as_ref().and_then(Uri::host).map(|host| host.trim_matches(['[', ']']))
        && !files.is_for(host).unwrap_or(false)
    {
        let path = files.certificate.display();
        findings.push(Finding::Warning(format!(
            "tls: the certificate {path} is not for {host}, the host of server.public_url"
        )));
    }
    findings
}

fn validity(certificate: &CertificateInfo, now: Timestamp) -> Finding {
    let CertificateInfo { path, subject, valid_from, valid_until } = certificate;
    let named = format!("tls: {} ({subject})", path.display());
    let days_left = valid_until.duration_since(now).as_hours() / 24;
    if now < *valid_from {
        Finding::Bad(format!("{named} is not valid before {valid_from}"))
    } else if *valid_until < now {
        Finding::Bad(format!("{named} has expired at {valid_until}"))
    } else if days_left < EXPIRES_SOON_DAYS {
        Finding::Warning(format!("{named} expires in {days_left} days, at {valid_until}"))
    } else {
        Finding::Good(format!("{named} is valid until {valid_until}"))
    }
}

/// Whether the provider of `[console.oidc]` answers, and is the one that it has to be.
fn provider(config: &Config) -> Option<Finding> {
    let public_url = config.server.public_url_at(config.server.listen);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let provider = match open_provider(config, &public_url, &clock) {
        Ok(provider) => provider?,
        Err(error) => return Some(Finding::Bad(error.to_string())),
    };
    let issuer = &provider.config().issuer;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let inspected = match &runtime {
        Ok(runtime) => runtime.block_on(provider.inspect()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Some(match inspected {
        Ok(Inspection { keys, signs_out, redirect_uri }) => {
            let sign_out = if signs_out { "" } else { ", no sign-out of its own" };
            Finding::Good(format!(
                "sign-in: {issuer} answers, with {keys} keys{sign_out}; the redirect URI to register there is {redirect_uri}"
            ))
        }
        Err(error) => Finding::Bad(format!("sign-in: {issuer}: {error}")),
    })
}

fn fonts(text: Option<&str>) -> Vec<Finding> {
    let fonts = Fonts::embedded();
    let list = |characters: &[char]| {
        let named = characters.iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c)));
        named.collect::<Vec<_>>().join(", ")
    };
    let mut findings = vec![Finding::Good("fonts: the embedded one covers GB 2312".to_owned())];
    let missing = fonts.uncovered(RARE_NAMES);
    findings.push(if missing.is_empty() {
        Finding::Good("fonts: this machine has the rare characters that were tried".to_owned())
    } else {
        Finding::Warning(format!(
            "fonts: no font on this machine has {}; documents show 〓 instead. Install fonts with CJK extensions, \
             such as Debian's fonts-noto-cjk and fonts-hanazono",
            list(&missing)
        ))
    });
    if let Some(text) = text {
        let missing = fonts.uncovered(text);
        findings.push(if missing.is_empty() {
            Finding::Good("fonts: every character of the text can be shown".to_owned())
        } else {
            Finding::Bad(format!("fonts: no font on this machine has {}", list(&missing)))
        });
    }
    findings
}

fn told(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match finding {
        Finding::Good(text) => format!("ok       {text}\n"),
        Finding::Warning(text) => format!("warning  {text}\n"),
        Finding::Bad(text) => format!("problem  {text}\n"),
    };
    findings.iter().map(line).collect()
}
