//! `baoqiao init`: a configuration and keys to start from.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::Channel;
use baoqiao_channels::qimen::Qimen;
use baoqiao_gateway::config::{EXAMPLE_POLICY_SOURCE, SIMULATED_PLATFORM, SampleOptions, defaults, sample};
use baoqiao_gateway::vault::Entropy;
use baoqiao_gateway::vault::keyring::Keyring;

use super::private_file::{Former, at, exists, replace_private, write_private};
use super::values::{print, secret};
use crate::failure::{Failure, Outcome};

/// Write a commented configuration and new sealing keys
#[derive(clap::Args)]
#[command(after_help = "\
Writes DIR/baoqiao.toml, with a partner \"alibaba\" and the products PERFORMANCE_SURETY_BONDS and
CES, and DIR/keys.toml. Both can be read by their owner only. App key and secret are random unless
given.

Examples:
  baoqiao init --dir gateway
  baoqiao init --dir gateway --listen 0.0.0.0:8080 --app-key 24589063 --secret @secret.txt")]
pub(crate) struct Args {
    /// The folder to write to, made where there is none
    #[arg(long)]
    dir: PathBuf,
    /// The address and port to listen on; 0.0.0.0 is every address of this machine
    #[arg(long, value_name = "ADDR", default_value_t = defaults::LISTEN.to_string())]
    listen: String,
    /// The app key that the platform calls with
    #[arg(long, value_name = "KEY", requires = "secret")]
    app_key: Option<String>,
    /// The secret that belongs to it, or @FILE with it
    #[arg(long, requires = "app_key", value_parser = secret)]
    secret: Option<Secret>,
    /// The policySource that may give notice of rescissions; as it stands, that of the document's example
    #[arg(long, value_name = "CODE", default_value = EXAMPLE_POLICY_SOURCE)]
    policy_source: String,
    /// Where notices are sent, a TOP gateway; as it stands, to `baoqiao simulate platform`
    #[arg(long, value_name = "URL", default_value = SIMULATED_PLATFORM)]
    platform: String,
    /// A PostgreSQL database for the ledger, as its address; as it stands, a file beside the configuration
    #[arg(long, value_name = "URL")]
    ledger_url: Option<String>,
    /// Replace an existing baoqiao.toml, which is kept as baoqiao.toml.bak; an existing keys.toml is always kept
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    print(&init(args, getrandom::fill)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes both files, and tells what was done and what comes next.
fn init(args: &Args, entropy: Entropy) -> Result<String, Failure> {
    let options = match (&args.app_key, &args.secret) {
        (Some(app_key), Some(secret)) => SampleOptions::new(&args.listen, app_key, secret.expose())?,
        _ => SampleOptions::new(&args.listen, &random_app_key(entropy)?, &random_secret(entropy)?)?,
    };
    let options = options.with_platform(&args.platform)?.with_policy_source(&args.policy_source)?;
    let options = match &args.ledger_url {
        Some(url) => options.with_ledger(url)?,
        None => options,
    };
    let (config, keys) = (args.dir.join("baoqiao.toml"), args.dir.join("keys.toml"));
    if !args.force {
        refuse_existing(&config, "--force replaces it")?;
        refuse_existing(&keys, "--force keeps it and writes a configuration beside it")?;
    }
    fs::create_dir_all(&args.dir).map_err(|error| at(&args.dir, &error))?;
    let has_keys = exists(&keys)?;
    if !has_keys {
        write_private(&keys, &Keyring::generate(entropy)?.to_toml())?;
    }
    let text = sample(&options);
    replace_private(&config, &text, Former::Kept)?;
    Ok(report(&options, &text, &config, &keys, has_keys))
}

/// Eight digits, as the platform's own are.
fn random_app_key(entropy: Entropy) -> Result<String, Failure> {
    let mut bytes = [0; 4];
    entropy(&mut bytes)?;
    Ok((10_000_000 + u32::from_le_bytes(bytes) % 90_000_000).to_string())
}

/// 128 bits in 32 hexadecimal digits, as the platform's own are.
fn random_secret(entropy: Entropy) -> Result<String, Failure> {
    let mut bytes = [0; 16];
    entropy(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn refuse_existing(path: &Path, remedy: &str) -> Result<(), Failure> {
    if exists(path)? {
        return Err(Failure::new(format_args!("{} exists already; {remedy}", path.display())));
    }
    Ok(())
}

/// What was written and what to do next. The secret is not in it: terminals are recorded.
fn report(options: &SampleOptions, sample: &str, config: &Path, keys: &Path, kept_keys: bool) -> String {
    let mut text = String::new();
    let file = |verb: &str, path: &Path, what: &str| format!("{verb}  {}  {what}\n", path.display());
    text += &file("wrote", config, "the configuration; it holds a secret");
    text += &if kept_keys {
        file("kept ", keys, "the sealing keys that were there")
    } else {
        file("wrote", keys, "the sealing keys; back them up apart from the ledger")
    };
    let config = shell_word(&config.display().to_string());
    let export = if sample.lines().any(is_plain_secret) {
        format!("export BAOQIAO_SECRET=$(sed -n 's/^secrets = \\[\"\\(.*\\)\"\\]$/\\1/p' {config})")
    } else {
        "export BAOQIAO_SECRET=…    # the secret you gave".to_owned()
    };
    let public_url = options.public_url();
    let url = public_url.as_deref().unwrap_or("http://ADDRESS-THAT-SERVE-TELLS");
    let _ = write!(
        text,
        "\nStart the gateway:\n  baoqiao serve --config {config}\n\
         Call it from another terminal, as the platform does:\n  {export}\n  \
         baoqiao simulate qimen --url {url}{} --app-key {} --example issuing\n{}\n\
         Before going live, write into {config}: the platform's app key and secret, the insurer, your products,\n\
         and as server.public_url the address under which platforms and customers reach the gateway.\n",
        Qimen.path(),
        options.app_key(),
        simulated_platform(options),
    );
    if let Some(url) = public_url.filter(|_| options.listen().ip().is_unspecified()) {
        let listen = options.listen();
        let _ = writeln!(
            text,
            "It listens on every address ({listen}), but links say {url}, which only this machine reaches."
        );
    }
    text
}

/// How to take what the gateway sends, where it sends to this machine.
fn simulated_platform(options: &SampleOptions) -> String {
    let address = options.platform().strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let address = address.and_then(|address| address.parse::<SocketAddr>().ok()).filter(|it| it.ip().is_loopback());
    address.map_or_else(String::new, |address| {
        let app_key = options.app_key();
        format!(
            "Be the platform that it sends notices to, in a third, where the secret is exported, too:\n  \
             baoqiao simulate platform --listen {address} --app {app_key}:\"$BAOQIAO_SECRET\"\n"
        )
    })
}

/// The sample's line of secrets, where a shell needs no TOML to read it.
fn is_plain_secret(line: &str) -> bool {
    let secret = line.strip_prefix("secrets = [\"").and_then(|line| line.strip_suffix("\"]"));
    secret.is_some_and(|secret| !secret.contains('\\'))
}

/// The text as one word of a shell's command.
fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'+' | b'@');
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use baoqiao_gateway::config::Config;

    use super::*;

    fn args(dir: &Path) -> Args {
        let listen = "127.0.0.1:8080".to_owned();
        Args {
            dir: dir.to_owned(),
            listen,
            app_key: None,
            secret: None,
            platform: SIMULATED_PLATFORM.to_owned(),
            policy_source: EXAMPLE_POLICY_SOURCE.to_owned(),
            ledger_url: None,
            force: false,
        }
    }

    const SEVENS: Entropy = |bytes| {
        bytes.fill(7);
        Ok(())
    };

    fn load(dir: &Path) -> Config {
        Config::load(&dir.join("baoqiao.toml"), &|_| None).unwrap()
    }

    #[test]
    fn what_is_written_loads_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new/gateway");
        let report = init(&args(&dir), SEVENS).unwrap();
        let config = load(&dir);
        let partner = config.access.partner("37901063").unwrap();
        assert_eq!(partner.secrets, [Secret::new("07".repeat(16))]);
        assert_eq!(config.ledger.keys, dir.join("keys.toml"));
        Keyring::load(&config.ledger.keys).unwrap();
        let mut names = Vec::new();
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            names.push(entry.file_name());
        }
        names.sort();
        assert_eq!(names, ["baoqiao.toml", "keys.toml"]);
        assert!(!report.contains(&"07".repeat(16)), "{report}");
        assert!(
            report.contains("--url http://127.0.0.1:8080/qimen --app-key 37901063 --example issuing\n"),
            "{report}"
        );
        let platform = "simulate platform --listen 127.0.0.1:8090 --app 37901063:\"$BAOQIAO_SECRET\"\n";
        assert!(report.contains(platform), "{report}");
        let real = Args { platform: "https://eco.taobao.com".to_owned(), ..args(&folder.path().join("real")) };
        assert!(!init(&real, SEVENS).unwrap().contains("simulate platform"));
        assert_eq!(load(&folder.path().join("real")).platforms[0].url, "https://eco.taobao.com/router/rest");
    }

    #[test]
    fn the_key_and_secret_given_are_the_ones_written() {
        let folder = tempfile::tempdir().unwrap();
        let given = Args {
            app_key: Some("24589063".to_owned()),
            secret: Some(Secret::new("quo\"ted")),
            listen: "0.0.0.0:9000".to_owned(),
            ..args(folder.path())
        };
        let report = init(&given, SEVENS).unwrap();
        let config = load(folder.path());
        assert_eq!(config.access.partner("24589063").unwrap().secrets, [Secret::new("quo\"ted")]);
        assert_eq!(config.server.public_url.as_deref(), Some("http://127.0.0.1:9000"));
        assert!(report.contains("export BAOQIAO_SECRET=…") && !report.contains("quo"), "{report}");
        assert!(report.contains("every address (0.0.0.0:9000), but links say http://127.0.0.1:9000"), "{report}");
    }

    #[test]
    fn nothing_is_overwritten_unless_asked_and_keys_never() {
        let folder = tempfile::tempdir().unwrap();
        let (config, keys) = (folder.path().join("baoqiao.toml"), folder.path().join("keys.toml"));
        init(&args(folder.path()), getrandom::fill).unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let before = (read(&config), read(&keys));
        let refused = |expected: String| {
            assert_eq!(init(&args(folder.path()), getrandom::fill).unwrap_err().to_string(), expected);
        };

        refused(format!("{} exists already; --force replaces it", config.display()));
        assert_eq!((read(&config), read(&keys)), before);

        fs::remove_file(&config).unwrap();
        let remedy = "--force keeps it and writes a configuration beside it";
        refused(format!("{} exists already; {remedy}", keys.display()));
        assert!(!config.exists());

        // What an interrupted run may leave, and a file that others can read.
        fs::write(folder.path().join("baoqiao.toml.new"), "half").unwrap();
        fs::write(&config, "old").unwrap();
        let report = init(&Args { force: true, ..args(folder.path()) }, getrandom::fill).unwrap();
        assert!(report.contains("kept"), "{report}");
        assert_eq!(read(&keys), before.1);
        assert_eq!(load(folder.path()).partners.len(), 1);
        assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("baoqiao.toml.new").exists());
    }

    #[test]
    fn an_address_that_is_none_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("gateway");
        let failure = init(&Args { listen: "localhost".to_owned(), ..args(&dir) }, SEVENS).unwrap_err().to_string();
        assert!(failure.starts_with("listen: \"localhost\"; expected ADDRESS:PORT, such as"), "{failure}");
        assert!(!dir.exists());
    }

    #[test]
    fn a_folder_with_blanks_is_one_word() {
        assert_eq!(shell_word("gateway/baoqiao.toml"), "gateway/baoqiao.toml");
        assert_eq!(shell_word("my gate's way"), "'my gate'\\''s way'");
    }
}
