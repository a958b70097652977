//! `baoqiao demo`: a gateway on a temporary ledger, and the platform's calls to it, played before your eyes.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::config::{Config, SampleOptions, sample};
use baoqiao_gateway::gateway::Gateway;
use baoqiao_gateway::vault::keyring::Keyring;
use baoqiao_simulator::client::Client;
use baoqiao_simulator::example::{ISSUING_METHOD, ISSUING_REQUEST};
use baoqiao_simulator::qimen::{Answer, Call, Charset, Document, Verdict};

use crate::failure::{Failure, Outcome};
use crate::shutdown::Signals;

/// See it work: start a gateway and let the platform call it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after playing instead of staying up until Ctrl-C
    #[arg(long)]
    exit: bool,
}

const APP_KEY: &str = "24589063";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let directory = tempfile::tempdir()?;
        let secret = random_secret()?;
        let config = configure(directory.path(), &secret)?;
        let gateway = Gateway::start(config, Arc::new(SystemClock)).await?;
        let base = gateway.public_url().to_owned();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(gateway.run(async {
            // A sender that is gone stops the gateway as well.
            let _ = stopped.await;
        }));
        let mut signals = Signals::listen()?;
        say(&format!("gateway   {base}   ledger in {}\n", directory.path().display()));
        let played =
            Platform { url: format!("{base}/qimen"), secret, client: Client::new(ANSWER_TIMEOUT)? }.play().await;
        if played.is_ok() && !args.exit {
            say("\nThe gateway stays up; Ctrl-C ends it.");
            signals.next().await;
        }
        let _ = stop.send(());
        running.await??;
        played.map(|()| ExitCode::SUCCESS)
    })
}

fn random_secret() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// The sample configuration on a port of the system's choice.
fn configure(directory: &Path, secret: &str) -> Result<Config, Failure> {
    let options = SampleOptions::new("127.0.0.1:0", APP_KEY, secret)?;
    std::fs::write(directory.join("keys.toml"), Keyring::generate(getrandom::fill)?.to_toml())?;
    Ok(Config::parse(&directory.join("baoqiao.toml"), &sample(&options), &|_| None)?)
}

/// The platform, which has one gateway to call.
struct Platform {
    url: String,
    secret: String,
    client: Client,
}

impl Platform {
    async fn play(&self) -> Result<(), Failure> {
        let first = self.step("the document's example", ISSUING_REQUEST, false).await?;
        let again = self.step("the same again (a retry)", ISSUING_REQUEST, false).await?;
        if first.body != again.body {
            return Err(Failure::new("the retry got another answer than the first"));
        }
        let dearer = ISSUING_REQUEST.replace("\"amount\":\"1018.0\"", "\"amount\":\"1019.0\"");
        self.step("the same identifier, another amount", &dearer, false).await?;
        self.step("a broken signature", ISSUING_REQUEST, true).await?;
        let invalid = ISSUING_REQUEST
            .replace("010101004178221080402170019", "010101004178221080402170020")
            .replace("\"currency\":\"CNY\"", "\"currency\":\"RMB\"")
            .replace("\"premium\":\"6.36\"", "\"premium\":\"6,36\"");
        self.step("two wrong fields", &invalid, false).await?;
        let url =
            first.fields().and_then(|fields| Some(fields.get("context")?.get("policyFileUrl")?.as_str()?.to_owned()));
        let url = url.ok_or_else(|| Failure::new("the example was not issued"))?;
        say(&format!("\nelectronic policy   {url}"));
        Ok(())
    }

    async fn step(&self, title: &str, body: &str, break_signature: bool) -> Result<Answer, Failure> {
        let document = Document::write(BodyKind::Json, Charset::Utf8, body)?;
        let call = Call::new(APP_KEY, Secret::new(&self.secret), ISSUING_METHOD, document);
        let signed = Call { break_signature, ..call }.sign(SystemClock.now())?;
        let answer = self.client.send(&self.url, &signed).await?;
        let told = match answer.verdict() {
            Verdict::Accepted => format!("issued    {}", policy_no(&answer)),
            Verdict::Refused { code, message } => format!("refused   {code}: {message}"),
            Verdict::NotAnAnswer { reason } => return Err(Failure::new(reason)),
        };
        let took_ms = answer.elapsed.as_micros() / 1_000;
        let took_tenths = answer.elapsed.as_micros() / 100 % 10;
        say(&format!("{title}\n  → {told}   ({took_ms}.{took_tenths} ms)"));
        Ok(answer)
    }
}

fn policy_no(answer: &Answer) -> String {
    let number = answer.fields().and_then(|fields| Some(fields.get("context")?.get("policyNo")?.as_str()?.to_owned()));
    number.unwrap_or_default()
}

// A reader that has gone is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
