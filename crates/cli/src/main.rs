//! `baoqiao`: the gateway, the other side to develop it against, and the tools around both.

mod commands;
mod failure;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    backup, demo, doctor, find, init, keys, messages, outbox, reindex, serve, sign, simulate, user, verify,
};

/// Calls make many short-lived allocations on several threads at once, where the system's allocator spends a
/// tenth of the processor.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 保桥: the gateway between an insurer's core system and the platforms that sell its policies.
#[derive(Parser)]
#[command(name = "baoqiao", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Serve(serve::Args),
    Find(find::Args),
    Messages(messages::Args),
    Outbox(outbox::Args),
    User(user::Args),
    Keys(keys::Args),
    Reindex(reindex::Args),
    Backup(backup::Args),
    Verify(verify::Args),
    Doctor(doctor::Args),
    Simulate(simulate::Args),
    Sign(sign::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Find(args) => find::run(&args),
        Command::Messages(args) => messages::run(&args),
        Command::Outbox(args) => outbox::run(&args),
        Command::Reindex(args) => reindex::run(&args),
        Command::User(args) => user::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Sign(args) => sign::run(&args),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Where a longer line is broken, a short one follows that nobody wrote.
    #[test]
    fn what_stands_below_the_options_of_a_command_fits_its_width() {
        fn check(command: &clap::Command) -> usize {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines() {
                let columns: usize = line.chars().map(|char| if char < '\u{2E80}' { 1 } else { 2 }).sum();
                assert!(columns <= 100, "{}: {columns} columns: {line}", command.get_name());
            }
            usize::from(!help.is_empty()) + command.get_subcommands().map(check).sum::<usize>()
        }
        assert!(check(&Cli::command()) > 10);
    }
}
