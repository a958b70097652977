//! `baoqiao demo`: a gateway on an empty ledger, a simulated platform, and the life of a policy played between them.

mod examples;
mod outbox;
mod screen;
mod story;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use baoqiao_channels::access::Secret;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::config::{Config, SampleOptions, sample};
use baoqiao_gateway::gateway::Gateway;
use baoqiao_gateway::vault::keyring::Keyring;
use baoqiao_simulator::platform::{Platform, Scenario, Setup};

use super::private_file::write_private;
use crate::failure::{Failure, Outcome};
use crate::shutdown::Signals;
use story::Story;

/// See it work: the life of a policy, from its issue to its rescission, between a gateway and a simulated platform
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after playing instead of staying up until Ctrl-C
    #[arg(long)]
    exit: bool,
}

const APP_KEY: &str = "24589063";

/// What the platform does to the auction's first stage before it takes it.
const FAILURES: [&str; 2] = ["do = 'error', times = 1", "do = 'drop', times = 1"];

pub(crate) fn run(args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let directory = tempfile::tempdir()?;
        let (secret, token) = (random_hex()?, random_hex()?);
        let platform = platform(&secret).await?;
        let config = configure(directory.path(), &secret, &token, &platform.url())?;
        let gateway = Gateway::start(config.clone(), Arc::new(SystemClock)).await?;
        let base = gateway.public_url().to_owned();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(gateway.run(async {
            // A sender that is gone stops the gateway as well.
            let _ = stopped.await;
        }));
        let mut signals = Signals::listen()?;
        screen::title("保桥 Baoqiao: the life of a policy");
        screen::fact("gateway", &format!("{base}   its ledger, empty, in {}", directory.path().display()));
        screen::fact("platform", &format!("{}   simulated; it will fail twice", platform.url()));
        let story = Story::new(base, APP_KEY, Secret::new(secret), token, &config)?;
        let played = story.play().await;
        if played.is_ok() && !args.exit {
            screen::closing(&[
                "All of it stays up until Ctrl-C, which also removes the ledger. Meanwhile, from another terminal:",
                &format!("  baoqiao outbox show --id 2 --content --config {}", config.source_path.display()),
                &format!("  baoqiao find --phone 139231232323 --config {}", config.source_path.display()),
                &format!("  curl {}", platform.url().replace("/router/rest", "/received")),
            ]);
            signals.next().await;
        }
        let _ = stop.send(());
        running.await??;
        played.map(|()| ExitCode::SUCCESS)
    })
}

/// 128 random bits: a secret as the platform's own are, and long enough for a token.
fn random_hex() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

async fn platform(secret: &str) -> Result<Platform, Failure> {
    let mut scenario = Scenario::default();
    for failure in FAILURES {
        scenario = scenario.with_rule(&format!("contains = '{}', {failure}", examples::AUCTION))?;
    }
    let setup = Setup { scenario, ..Setup::new(APP_KEY, secret, || SystemClock.now()) };
    Ok(Platform::start(setup).await?)
}

/// The sample configuration on a port of the system's choice, with a token for the core system and with waits between
/// attempts that a spectator has the patience for.
fn configure(directory: &Path, secret: &str, token: &str, platform: &str) -> Result<Config, Failure> {
    let options = SampleOptions::new("127.0.0.1:0", APP_KEY, secret)?.with_platform(platform)?;
    write_private(&directory.join("keys.toml"), &Keyring::generate(getrandom::fill)?.to_toml())?;
    let text = sample(&options)
        .replace("\nfirst_retry_ms = 1000\n", "\nfirst_retry_ms = 500\n")
        .replace("\nlongest_retry_ms = 300000\n", "\nlongest_retry_ms = 2000\n");
    let text = format!("{text}\n[[api_token]]\nname = \"core\"\ntoken = \"{token}\"\nscopes = [\"auctions:report\"]\n");
    let path = directory.join("baoqiao.toml");
    write_private(&path, &text)?;
    Ok(Config::parse(&path, &text, &|_| None)?)
}
