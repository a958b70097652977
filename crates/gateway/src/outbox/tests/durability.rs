//! What of the outbox lasts when the database is killed.

use super::*;
use crate::ledger::fixture::off_runtime;
use baoqiao_testkit::Postgres;

/// The crash suite cuts the power of the embedded ledger.
#[tokio::test(start_paused = true)]
async fn what_lets_another_notice_go_lasts_before_that_goes() {
    if !Postgres::is_available() {
        return;
    }
    let mut server = off_runtime(Postgres::start);
    let mut world =
        World::new(
            Database::on(&server),
            |call, _| {
                if call.mark == 3 { Reaction::Hang } else { Reaction::Answer("ok") }
            },
        );
    world.queue([("a", 1), ("a", 2), ("a", 3)]);
    let worker = tokio::spawn(world.worker().run(std::future::pending()));
    while world.sent("a").len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    worker.abort();
    off_runtime(|| {
        server.kill();
        server.restart();
    });
    assert_eq!(world.count(NoticeState::Delivered), 2, "the third is under way: none may come after it");
    world.expect_open(1);
}
