//! `baoqiao simulate`: the platform's side, against any gateway.

mod callers;
mod load;
mod platform;
mod qimen;

use clap::Subcommand;

use crate::failure::Outcome;

/// Play the platform: send signed calls to a gateway, or take the gateway's calls
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Qimen(Box<qimen::Args>),
    Load(Box<load::Args>),
    Platform(Box<platform::Args>),
    Callers(Box<callers::Args>),
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Qimen(args) => qimen::run(args),
        Command::Load(args) => load::run(args),
        Command::Platform(args) => platform::run(args),
        Command::Callers(args) => callers::run(args),
    }
}
