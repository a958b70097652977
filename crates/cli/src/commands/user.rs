//! `baoqiao user`: who may sign in to the console.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use baoqiao_domain::time::format_gmt8;
use baoqiao_gateway::console::audit::{Action, AuditEntry};
use baoqiao_gateway::console::password::{MAX_BYTES, MIN_CHARS, Password};
use baoqiao_gateway::console::role::Role;
use baoqiao_gateway::console::store::{ConsoleStore, User, UserChange, any_user_name, user_name};
use baoqiao_gateway::opening::{ledger_exists, open_console};

use super::values::print;
use super::{ConfigArgs, audited, load_config, load_with_ledger};
use crate::failure::{Failure, Outcome};

/// Add and change those who may sign in to the console
#[derive(clap::Args)]
#[command(after_help = "\
Passwords are read from the terminal without showing them, or from standard input where that is no
terminal; they are never given on the command line, where others could read them. Works while the
gateway runs. Every change goes into the audit log and signs the user out everywhere.
Exit status: 0 done, 1 it could not be done, 2 the ledger could not be read or written.

Examples:
  baoqiao user add --config gateway/baoqiao.toml --name li --role admin
  baoqiao user list --config gateway/baoqiao.toml
  baoqiao user password --config gateway/baoqiao.toml --name li < new-password
  baoqiao user disable --config gateway/baoqiao.toml --name li --reason 'left the company'")]
pub(crate) struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(clap::Subcommand)]
enum Order {
    /// Add a user
    Add(AddArgs),
    /// List all users
    List(ConfigArgs),
    /// Let a user sign in no more
    Disable(OneArgs),
    /// Let a disabled user sign in again
    Enable(OneArgs),
    /// Set a user's password
    Password(OneArgs),
    /// Give a user another role
    Role(RoleArgs),
}

#[derive(clap::Args)]
struct AddArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The name to sign in with: letters, digits and . _ @ -
    #[arg(long, value_parser = name)]
    name: String,
    /// viewer: looks; operator: also acts and sees personal data; admin: also manages users
    #[arg(long, value_parser = role)]
    role: Role,
}

#[derive(clap::Args)]
struct OneArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The user's name
    #[arg(long, value_parser = any_name)]
    name: String,
    /// Why, for the audit log
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(clap::Args)]
struct RoleArgs {
    #[command(flatten)]
    one: OneArgs,
    /// viewer, operator or admin
    #[arg(long, value_parser = role)]
    role: Role,
}

fn name(text: &str) -> Result<String, String> {
    user_name(text).ok_or_else(|| "expected at most 64 letters, digits or . _ @ -".to_owned())
}

fn any_name(text: &str) -> Result<String, String> {
    any_user_name(text).ok_or_else(|| "expected a user's name, as `baoqiao user list` shows it".to_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| format!("expected one of {}", Role::ALL.map(Role::as_str).join(", ")))
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (done, text) = match &args.order {
        Order::Add(args) => {
            // The first user may come before the first start.
            let config = load_config(&args.config.config)?;
            let is_new = !ledger_exists(&config)?;
            let (done, text) = add(&*open_console(&config)?, args, read_password)?;
            let made = if is_new { format!("made the ledger {}\n", config.ledger.url) } else { String::new() };
            (done, made + &text)
        }
        Order::List(args) => (true, list(&*open_console(&load_with_ledger(&args.config)?)?)?),
        Order::Disable(args) => change(args, &UserChange::Disable, (Action::UserDisabled, ""))?,
        Order::Enable(args) => change(args, &UserChange::Enable, (Action::UserEnabled, ""))?,
        Order::Role(args) => {
            change(&args.one, &UserChange::Role(args.role), (Action::UserRoleChanged, args.role.as_str()))?
        }
        Order::Password(args) => match chosen(&args.name, read_password)? {
            Ok(hash) => change(args, &UserChange::Password(hash), (Action::PasswordSet, ""))?,
            Err(refused) => (false, refused),
        },
    };
    print(&text)?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// From the terminal, twice and without showing it; or else the first line of standard input.
fn read_password() -> std::io::Result<Option<String>> {
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        let again = rpassword::prompt_password("Once more: ")?;
        return Ok((first == again).then_some(first));
    }
    let mut text = String::new();
    let bound = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    std::io::stdin().take(bound).read_to_string(&mut text)?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

/// The hash of a password that is read, or what is wrong with it.
fn chosen(
    user: &str,
    read: impl FnOnce() -> std::io::Result<Option<String>>,
) -> Result<Result<String, String>, Failure> {
    let Some(typed) = read()? else { return Ok(Err("the two are not alike; nothing was changed\n".to_owned())) };
    match Password::chosen(typed, user) {
        Ok(password) => Ok(Ok(password.hash(getrandom::fill)?)),
        Err(weakness) => {
            let expected = format!("at least {MIN_CHARS} characters, not the user's name, not one character repeated");
            Ok(Err(format!("no password: {weakness}; expected {expected}\n")))
        }
    }
}

fn entry(action: Action, user: &str, reason: &str, detail: &str) -> AuditEntry {
    audited::entry(action, format!("user:{user}"), reason, detail)
}

fn add(
    store: &dyn ConsoleStore,
    args: &AddArgs,
    read: impl FnOnce() -> std::io::Result<Option<String>>,
) -> Result<(bool, String), Failure> {
    let AddArgs { name, role, .. } = args;
    let taken = || (false, format!("there is a user {name} already\n"));
    if store.user(name)?.is_some() {
        return Ok(taken());
    }
    let password = match chosen(name, read)? {
        Ok(hash) => Some(hash),
        Err(refused) => return Ok((false, refused)),
    };
    let entry = entry(Action::UserAdded, name, "", role.as_str());
    let user = User {
        name: name.clone(),
        role: *role,
        password,
        provider: None,
        disabled_at: None,
        added_at: entry.at,
        signed_in_at: None,
    };
    let added = store.add_user(&user, &entry)?;
    Ok(if added { (true, format!("user {name} may sign in as {}\n", role.as_str())) } else { taken() })
}

fn change(args: &OneArgs, what: &UserChange, how: (Action, &str)) -> Result<(bool, String), Failure> {
    let store = open_console(&load_with_ledger(&args.config.config)?)?;
    changed(&*store, args, what, how)
}

fn changed(
    store: &dyn ConsoleStore,
    args: &OneArgs,
    what: &UserChange,
    (action, detail): (Action, &str),
) -> Result<(bool, String), Failure> {
    let name = &args.name;
    let entry = entry(action, name, &args.reason, detail);
    if store.change_user(name, what, None, &entry)? {
        return Ok((true, format!("user {name}: done, and signed out everywhere\n")));
    }
    let why = match store.user(name)? {
        None => "there is no such user",
        Some(user) if user.provider.is_some() && matches!(what, UserChange::Password(_)) => {
            "they sign in through the provider and have no password here"
        }
        Some(user) if user.provider.is_some() && matches!(what, UserChange::Role(_)) => {
            "the provider through which they sign in gives them their role"
        }
        Some(_) => "nobody would be left who is an admin",
    };
    Ok((false, format!("user {name}: {why}; nothing was changed\n")))
}

fn list(store: &dyn ConsoleStore) -> Result<String, Failure> {
    let users = store.users()?;
    if users.is_empty() {
        return Ok("no users; add the first with baoqiao user add --role admin\n".to_owned());
    }
    let mut text = String::new();
    for user in users {
        let state = match user.disabled_at {
            Some(at) => format!("disabled {}", format_gmt8(at)),
            None => "may sign in".to_owned(),
        };
        let last = user.signed_in_at.map_or_else(|| "never".to_owned(), format_gmt8);
        let provider = user.provider.map(|identity| format!("  {}", identity.told())).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {}  {state}  last sign-in {last}{provider}", user.name, user.role.as_str());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use baoqiao_gateway::config::{Config, SampleOptions, sample};
    use baoqiao_gateway::console::audit::AuditFilter;
    use baoqiao_gateway::vault::keyring::Keyring;

    use super::*;

    fn store(folder: &std::path::Path) -> Arc<dyn ConsoleStore> {
        let options = SampleOptions::new("127.0.0.1:0", "1", "s").unwrap();
        let config = Config::parse(&folder.join("baoqiao.toml"), &sample(&options), &|_| None).unwrap();
        std::fs::write(&config.ledger.keys, Keyring::generate(getrandom::fill).unwrap().to_toml()).unwrap();
        open_console(&config).unwrap()
    }

    fn one(name: &str) -> OneArgs {
        OneArgs { config: ConfigArgs { config: PathBuf::new() }, name: name.to_owned(), reason: "test".to_owned() }
    }

    fn add_as(store: &dyn ConsoleStore, name: &str, role: Role, password: Option<&str>) -> (bool, String) {
        let args = AddArgs { config: ConfigArgs { config: PathBuf::new() }, name: name.to_owned(), role };
        add(store, &args, || Ok(password.map(str::to_owned))).unwrap()
    }

    #[test]
    fn users_are_added_and_changed_and_all_of_it_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert!(list(&*store).unwrap().starts_with("no users"));
        assert!(!add_as(&*store, "li", Role::Admin, Some("short")).0);
        assert!(add_as(&*store, "li", Role::Admin, None).1.contains("not alike"));
        assert!(add_as(&*store, "li", Role::Admin, Some("correct horse battery")).0);
        assert!(!add_as(&*store, "li", Role::Viewer, Some("correct horse battery")).0);
        assert!(list(&*store).unwrap().contains("li  admin  may sign in  last sign-in never"));
        let disable = (Action::UserDisabled, "");
        let (done, why) = changed(&*store, &one("li"), &UserChange::Disable, disable).unwrap();
        assert!(!done && why.contains("nobody would be left"), "{why}");
        assert!(add_as(&*store, "wang", Role::Admin, Some("correct horse battery")).0);
        assert!(changed(&*store, &one("li"), &UserChange::Disable, disable).unwrap().0);
        assert!(list(&*store).unwrap().contains("li  admin  disabled "));
        assert!(
            changed(&*store, &one("nobody"), &UserChange::Enable, (Action::UserEnabled, ""))
                .unwrap()
                .1
                .contains("no such")
        );
        let log = store.audit(&AuditFilter::default(), None, 10).unwrap().items;
        let actions: Vec<_> = log.iter().map(|record| (record.entry.action, record.entry.subject.as_str())).collect();
        assert_eq!(
            actions,
            [(Action::UserDisabled, "user:li"), (Action::UserAdded, "user:wang"), (Action::UserAdded, "user:li"),]
        );
        assert!(log.iter().all(|record| record.entry.peer == "command line"));
    }
}
