//! `baoqiao sign`: a signature by hand, and how one came about.

mod by_hand;
mod explain;
mod report;

use super::values::print;
use crate::failure::Outcome;

/// Make a signature by hand; explain one that came
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Shows the parameters that are signed, in their order, the string to sign, and the signature. A
`sign` among the parameters is held against the computed one; where they differ, the usual
mistakes are tried one by one and two by two, and what is found is told in words that can be
forwarded to the other side. No output ever holds a secret.

Exit status: 0 computed, 1 the request's own `sign` is another, 2 wrong usage.

Examples:
  A call that a gateway refused, as its record has it, or as curl sends it:
    baoqiao sign explain --config gateway/baoqiao.toml --stranger 17
    baoqiao sign explain --config gateway/baoqiao.toml --curl - < call.txt
  A call by its parts:
    baoqiao sign --secret @secret.txt --url 'https://…/qimen?method=…&sign=…' --body-file body.json
  A call to TOP, by parameters:
    baoqiao sign --secret … --rule caller --sign-method hmac --param method=… --param 'biz_data={…}'"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    order: Option<Order>,
    #[command(flatten)]
    by_hand: Option<by_hand::Args>,
}

#[derive(clap::Subcommand)]
enum Order {
    /// Explain the signature of a message in the ledger, or of a pasted curl command
    Explain(explain::Args),
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (text, status) = match (&args.order, &args.by_hand) {
        (Some(Order::Explain(args)), _) => explain::explained(args)?,
        (None, Some(args)) => by_hand::signed(args)?,
        // clap asks for the one or the other.
        (None, None) => return Err(crate::failure::Failure::new("nothing to sign: see baoqiao sign --help")),
    };
    print(&text)?;
    Ok(status)
}
