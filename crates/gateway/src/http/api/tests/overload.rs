//! A ledger that does not answer.

use std::sync::mpsc;

use super::*;

#[tokio::test]
async fn readers_of_a_ledger_that_hangs_are_told_to_come_again_and_served_when_it_does_not() {
    let world = World::new();
    let policy_no = world.issue("1", json!({})).await;
    let (hangs, done) = mpsc::channel::<()>();
    let done = Arc::new(Mutex::new(done));
    let hung: Vec<_> = (0..MAX_READING)
        .map(|_| {
            let (api, done) = (Arc::clone(&world.api), Arc::clone(&done));
            tokio::spawn(async move {
                // Returns when the sender is gone.
                let hang = move |_: &Api| Ok(done.lock().unwrap().recv().is_err());
                api.read(hang).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    tokio::time::pause();
    let path = format!("/policies/{policy_no}");
    // Time does not leap by itself while threads are at work.
    let (answer, ()) = tokio::join!(world.get_as(ALL, &path), tokio::time::advance(2 * DEADLINE));
    assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("SYSTEM_BUSY")));
    assert_eq!(
        (answer.json()["retryable"].as_bool(), &answer.headers["retry-after"]),
        (Some(true), &"1".parse().unwrap())
    );
    for call in hung {
        assert_eq!(call.await.unwrap(), Err(Refusal::Busy.into()));
    }
    tokio::time::resume();
    drop(hangs);
    assert_eq!(world.get_as(ALL, &path).await.status, StatusCode::OK);
}
