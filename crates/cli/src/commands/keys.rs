//! `baoqiao keys`: the keys that the ledger's personal data is sealed with.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use baoqiao_gateway::console::audit::Action;
use baoqiao_gateway::console::store::ConsoleStore;
use baoqiao_gateway::opening::open_console;
use baoqiao_gateway::vault::Entropy;
use baoqiao_gateway::vault::keyring::{KeyId, Keyring};

use super::audited::{self, reason};
use super::private_file::{Former, replace_private};
use super::values::print;
use super::{ConfigArgs, load_config, load_with_ledger};
use crate::failure::{Failure, Outcome};

/// List the keys that personal data is sealed with, add one, and have it used
#[derive(clap::Args)]
#[command(after_help = "\
A key comes into use in two steps, so that no gateway ever meets what it cannot open:
  1. baoqiao keys add      copy the key file to every gateway of the ledger and to its backup,
                           and restart them, one after the other
  2. baoqiao keys use      copy it and restart them again: what is new is sealed with it
Earlier keys stay in the file for ever: what they sealed is opened with them. Both steps go into
the audit log. The keys of the index and of document addresses cannot be changed.
Exit status: 0 done, 1 there is no such key, 2 a file or the ledger could not be read or written.

Examples:
  baoqiao keys list --config gateway/baoqiao.toml
  baoqiao keys add --config gateway/baoqiao.toml --reason 'yearly rotation'
  baoqiao keys use --config gateway/baoqiao.toml --name k2 --reason 'yearly rotation'")]
pub(crate) struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(clap::Subcommand)]
enum Order {
    /// List the keys and tell which one seals
    List(ConfigArgs),
    /// Add a key, which opens from the next start on and does not seal yet
    Add(AddArgs),
    /// Have a key seal from the next start on
    Use(UseArgs),
}

#[derive(clap::Args)]
struct AddArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Why, for the audit log
    #[arg(long, value_parser = reason)]
    reason: String,
}

#[derive(clap::Args)]
struct UseArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The key, as `baoqiao keys list` names it
    #[arg(long, value_parser = key_id)]
    name: KeyId,
    /// Why, for the audit log
    #[arg(long, value_parser = reason)]
    reason: String,
}

fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::try_from(text.to_owned())
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (done, text) = match &args.order {
        Order::List(args) => (true, list(&Keyring::load(&load_config(&args.config)?.ledger.keys)?)),
        Order::Add(args) => {
            let config = load_with_ledger(&args.config.config)?;
            (true, add(&*open_console(&config)?, &config.ledger.keys, &args.reason, getrandom::fill)?)
        }
        Order::Use(args) => {
            let config = load_with_ledger(&args.config.config)?;
            choose(&*open_console(&config)?, &config.ledger.keys, &args.name, &args.reason)?
        }
    };
    print(&text)?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn list(keyring: &Keyring) -> String {
    let mut text = String::new();
    for (id, seals) in keyring.names() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {}", id.as_str(), if seals { "seals and opens" } else { "opens" });
    }
    text
}

fn add(store: &dyn ConsoleStore, keys: &Path, reason: &str, entropy: Entropy) -> Result<String, Failure> {
    let mut keyring = Keyring::load(keys)?;
    let added = keyring.add(entropy)?;
    let id = added.as_str();
    store.record(&audited::entry(Action::KeyAdded, format!("key:{id}"), reason, ""))?;
    replace_private(keys, &keyring.to_toml(), Former::Gone)?;
    Ok(format!(
        "{id} was added to {}; it does not seal yet. Copy the file to every gateway of this ledger and to its backup,\n\
         restart them, and then have it used: baoqiao keys use --config … --name {id} --reason …\n",
        keys.display()
    ))
}

fn choose(store: &dyn ConsoleStore, keys: &Path, id: &KeyId, reason: &str) -> Result<(bool, String), Failure> {
    let mut keyring = Keyring::load(keys)?;
    if !keyring.choose(id) {
        return Ok((false, format!("{} has no key {}; it has:\n{}", keys.display(), id.as_str(), list(&keyring))));
    }
    let id = id.as_str();
    store.record(&audited::entry(Action::KeyChosen, format!("key:{id}"), reason, ""))?;
    replace_private(keys, &keyring.to_toml(), Former::Gone)?;
    Ok((
        true,
        format!(
            "{id} seals from the next start on. Copy {} to every gateway of this ledger and to its backup, and restart them.\n",
            keys.display()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::sync::Arc;

    use baoqiao_gateway::config::{Config, SampleOptions, sample};
    use baoqiao_gateway::console::audit::AuditFilter;
    use baoqiao_gateway::vault::{Purpose, Vault};

    use super::*;

    fn opened(folder: &Path) -> (PathBuf, Arc<dyn ConsoleStore>) {
        let options = SampleOptions::new("127.0.0.1:0", "1", "s").unwrap();
        let config = Config::parse(&folder.join("baoqiao.toml"), &sample(&options), &|_| None).unwrap();
        std::fs::write(&config.ledger.keys, Keyring::generate(getrandom::fill).unwrap().to_toml()).unwrap();
        let store = open_console(&config).unwrap();
        (config.ledger.keys, store)
    }

    #[test]
    fn a_key_opens_before_it_seals_and_what_was_sealed_before_still_opens() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, store) = opened(folder.path());
        let vault = || Vault::new(&Keyring::load(&keys).unwrap(), getrandom::fill);
        let first = vault().seal(Purpose::Reply, b"first").unwrap();
        let told = add(&*store, &keys, "yearly", getrandom::fill).unwrap();
        assert!(told.contains("baoqiao keys use --config … --name k2 --reason …"), "{told}");
        assert_eq!(list(&Keyring::load(&keys).unwrap()), "k1  seals and opens\nk2  opens\n");
        let between = vault();
        let (done, told) = choose(&*store, &keys, &key_id("k9").unwrap(), "yearly").unwrap();
        assert!(!done && told.contains("has no key k9"), "{told}");
        assert!(choose(&*store, &keys, &key_id("k2").unwrap(), "yearly").unwrap().0);
        let second = vault().seal(Purpose::Reply, b"second").unwrap();
        assert_eq!(list(&Keyring::load(&keys).unwrap()), "k1  opens\nk2  seals and opens\n");
        assert_eq!(between.open(Purpose::Reply, &second).unwrap(), b"second", "restarted once");
        assert_eq!(vault().open(Purpose::Reply, &first).unwrap(), b"first");
        assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
        let log = store.audit(&AuditFilter::default(), None, 10).unwrap().items;
        let entries: Vec<_> = log.iter().map(|record| (record.entry.action, record.entry.subject.as_str())).collect();
        assert_eq!(entries, [(Action::KeyChosen, "key:k2"), (Action::KeyAdded, "key:k2")]);
        // The ledger still knows the key file for its own.
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name == "keys.toml.new" || name == "keys.toml.bak"), "{left:?}");
    }
}
