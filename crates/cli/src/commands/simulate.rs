//! `baoqiao simulate`: the platform's side, against any gateway.

mod load;
mod qimen;

use clap::Subcommand;

use crate::failure::Outcome;

/// Play the platform: send signed calls to a gateway, one or many
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Qimen(Box<qimen::Args>),
    Load(Box<load::Args>),
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Qimen(args) => qimen::run(args),
        Command::Load(args) => load::run(args),
    }
}
