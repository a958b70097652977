//! So many issuing calls, at most 300, through the gateway's own way in, one after the other and without a network, for valgrind to count.
//!
//! `calls CONFIG COUNT` stores nothing; `calls CONFIG COUNT LEDGER` writes to a new SQLite ledger of that name.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use baoqiao_bench::{Forgetful, routes};
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::config::Config;
use baoqiao_gateway::ledger::sqlite;
use baoqiao_gateway::vault::Vault;
use baoqiao_gateway::vault::keyring::Keyring;
use baoqiao_simulator::example::{ISSUING_METHOD, ISSUING_REQUEST};
use baoqiao_simulator::qimen::{Call, Charset, Document};
use http_body_util::BodyExt;
use tower::ServiceExt;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// So many are made whatever the count, so that the difference of two counts is what the gateway does, and not the caller.
const PREPARED: usize = 300;

/// The example's identifier, which gives way to each call's own.
const IDENTIFIER: &str = "010101004178221080402170019";

fn request(config: &Config, number: usize) -> Result<Request> {
    let partner = config.access.partners().into_iter().next().ok_or("the configuration has no partner")?;
    let secret = partner.secrets.first().ok_or("the partner has no secret")?;
    let text = ISSUING_REQUEST.replace(IDENTIFIER, &format!("{number:027}"));
    let document = Document::write(BodyKind::Json, Charset::Utf8, &text)?;
    let signed = Call::new(&partner.app_key, secret.clone(), ISSUING_METHOD, document).sign(SystemClock.now())?;
    let mut request = Request::post(format!("/qimen?{}", signed.query)).body(Body::from(signed.body))?;
    *request.headers_mut() = signed.headers;
    Ok(request)
}

async fn play(router: &Router, requests: Vec<Request>) -> Result<()> {
    for request in requests {
        let answer = router.clone().oneshot(request).await?.into_body().collect().await?.to_bytes();
        if !answer.windows(9).any(|window| window == b"\"SUCCESS\"") {
            return Err(String::from_utf8_lossy(&answer).into_owned().into());
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("expected: CONFIG COUNT [LEDGER]".into());
    };
    let config = Config::load(Path::new(&path), &|name| std::env::var(name).ok())?;
    let vault = Arc::new(Vault::new(&Keyring::load(&config.ledger.keys)?, getrandom::fill));
    let (router, committer) = match arguments.next() {
        Some(ledger) => routes(&config, &vault, sqlite::open(Path::new(&ledger), &vault)?.0)?,
        None => routes(&config, &vault, Forgetful::default())?,
    };
    let mut requests = (0..PREPARED).map(|number| request(&config, number)).collect::<Result<Vec<_>>>()?;
    requests.truncate(count.parse()?);
    play(&router, requests).await?;
    Ok(committer.finish().await?)
}
