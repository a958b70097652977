//! How many notices a second leave the outbox: a whole gateway on a fresh ledger, and a platform that takes what comes.
//!
//! ```text
//! baoqiao init --dir rate --listen 127.0.0.1:0 --app-key 12345678 --secret helloworld
//! sed -i 's/^calls_per_second = .*/calls_per_second = 100000/; s/^burst = .*/burst = 1000/' rate/baoqiao.toml
//! baoqiao simulate platform --listen 127.0.0.1:8090 --app 12345678:helloworld &
//! cargo run --release -p baoqiao-gateway --example outbox_rate -- rate/baoqiao.toml 30000
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::config::{Config, LedgerUrl};
use baoqiao_gateway::gateway::Gateway;
use baoqiao_gateway::ledger::sqlite::{Gate, SqliteOutbox};
use baoqiao_gateway::opening::open_outbox;
use baoqiao_gateway::outbox::store::{Filter, NoticeRow, NoticeState, OutboxStore};
use baoqiao_gateway::vault::{Purpose, Vault};

/// Notices of one subject go one by one; so many follow each other.
const PER_SUBJECT: usize = 4;

fn row(partner: &str, subject: usize, vault: &Vault) -> Result<NoticeRow, Box<dyn Error>> {
    let content = format!(
        r#"{{"kind":"surrender-sync","content":{{"status":"APPLY","refundMoney":"100","endorsementNo":"1","instPolicyId":"PBDI20260102Q{subject:08}","type":"USER_SUBMIT"}}}}"#
    );
    Ok(NoticeRow {
        kind: "surrender-sync",
        subject: format!("policy:PBDI20260102Q{subject:08}"),
        partner: partner.to_owned(),
        content: vault.seal(Purpose::Notice, content.as_bytes())?,
        cause_message_id: None,
    })
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the example's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("expected: CONFIG COUNT".into());
    };
    let count: usize = count.parse()?;
    let config = Config::load(Path::new(&path), &|name| std::env::var(name).ok())?;
    let partner = config.platforms.first().ok_or("the configuration names no platform")?.partner.clone();
    let (desk, vault) = open_outbox(&config, Arc::new(SystemClock))?;
    let LedgerUrl::Sqlite(ledger) = &config.ledger.url else { return Err("expected a ledger on SQLite".into()) };
    let mut outbox = SqliteOutbox::open(ledger, Gate::default())?;
    let subjects = count.div_ceil(PER_SUBJECT);
    let rows: Vec<NoticeRow> = (0..count).map(|n| row(&partner, n % subjects, &vault)).collect::<Result<_, _>>()?;
    for chunk in rows.chunks(1_000) {
        outbox.queue(chunk, SystemClock.now())?;
    }
    let pending = Filter { state: Some(NoticeState::Pending), ..Filter::default() };
    let gateway = Gateway::start(config, Arc::new(SystemClock)).await?;
    let started = SystemClock.now();
    gateway
        .run(async {
            while desk.count(&pending).is_ok_and(|left| left.count > 0 || left.or_more) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await?;
    let took_ms = u64::try_from(SystemClock.now().as_millisecond() - started.as_millisecond())?.max(1);
    let rate = u64::try_from(count)? * 1_000 / took_ms;
    let delivered = desk.matching(&Filter { state: Some(NoticeState::Delivered), ..Filter::default() })?.len();
    println!("{count} notices about {subjects} subjects in {took_ms} ms: {rate} a second, {delivered} delivered");
    Ok(())
}
