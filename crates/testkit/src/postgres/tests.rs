//! The server itself, where there is one.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Postgres;

#[test]
fn what_is_committed_outlives_a_crash_and_a_stop() {
    if !Postgres::is_available() {
        return;
    }
    let mut postgres = Postgres::start();
    postgres.database("ledger");
    postgres.sql("ledger", "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");
    postgres.kill();
    postgres.restart();
    assert!(postgres.log().contains("was not properly shut down"), "{}", postgres.log());
    postgres.sql("ledger", "INSERT INTO kept VALUES (2)");
    postgres.stop();
    postgres.restart();
    assert_eq!(postgres.sql("ledger", "SELECT sum(n) FROM kept"), "3");
    assert_eq!(postgres.sql("ledger", "SHOW fsync; SHOW synchronous_commit; SHOW full_page_writes"), "on\non\non");
    let directory = postgres.directory.clone();
    drop(postgres);
    assert!(!directory.exists());
}

#[test]
fn databases_of_the_shared_cluster_are_apart() {
    if !Postgres::is_available() {
        return;
    }
    let (one, two) = (Postgres::shared().fresh_database(), Postgres::shared().fresh_database());
    assert_ne!(one, two);
}

/// Runs this test's process once more, which then starts a server and waits to be killed.
#[test]
fn a_server_ends_with_the_process_that_was_killed() {
    const INNER: &str = "BAOQIAO_TESTKIT_INNER";
    if std::env::var_os(INNER).is_some() {
        let postgres = Postgres::start();
        println!("directory={}\nkeeper={}", postgres.directory.display(), postgres.keeper.id());
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    if !Postgres::is_available() {
        return;
    }
    let name = "postgres::tests::a_server_ends_with_the_process_that_was_killed";
    let mut inner = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INNER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(inner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told =
        |name: &str| lines.find_map(|line| line.split_once(name).map(|(_, value)| value.to_owned())).unwrap();
    let directory = PathBuf::from(told("directory="));
    let keeper = Pid::from_raw(told("keeper=").parse().unwrap()).unwrap();
    let keeper = pidfd_open(keeper, PidfdFlags::empty()).unwrap();
    assert!(directory.join("data/postmaster.pid").exists());
    inner.kill().unwrap();
    inner.wait().unwrap();
    poll(&mut [PollFd::new(&keeper, PollFlags::IN)], None).unwrap();
    assert!(!directory.exists());
}
