//! An OpenID provider to try the console's sign-in with: whoever comes is signed in at once, as an admin.
//!
//! `cargo run -p baoqiao-testkit --example openid_provider` prints the section for a gateway's configuration.

#![allow(clippy::print_stdout, reason = "what it is for")]

use std::process::ExitCode;

use baoqiao_testkit::openid::Provider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9080".to_owned());
    let group = arguments.next().unwrap_or_else(|| "keepers".to_owned());
    #[allow(clippy::disallowed_methods, reason = "an example's clock is the system's")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let provider = Provider::start_at(&address, i64::try_from(now.as_secs()).unwrap_or_default()).await;
    // A token is good for as long as the example may run.
    provider.set(|behaviour| {
        behaviour.change = |claims| {
            claims.insert("exp".to_owned(), 32_503_680_000_i64.into());
        };
    });
    provider.person("f3b0c442-98fc-4c14-9afb-f4c8996fb924", "li.si", &[&group]);
    println!("{}", provider.section());
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
