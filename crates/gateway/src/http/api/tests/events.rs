//! The event feed: ordered, whole, and awake when something happens.

use super::*;

async fn a_reader_gets_every_event_once_and_in_order(database: Database) {
    let world = World::on(database);
    for n in 0..5 {
        world.issue(&format!("{n}"), json!({})).await;
        world.recover(&format!("{n}"), None, "12").await;
    }
    let (mut after, mut kinds, mut ids) = (0, Vec::new(), Vec::new());
    loop {
        let page = world.get(&format!("/events?after={after}&limit=3")).await;
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            assert_eq!(page["next"], after);
            break;
        }
        after = page["next"].as_u64().unwrap();
        kinds.extend(events.iter().map(|event| event["type"].as_str().unwrap().to_owned()));
        ids.extend(events.iter().map(|event| event["id"].as_u64().unwrap()));
    }
    assert_eq!(kinds, ["policy.issued", "recovery.recorded"].repeat(5));
    assert!(ids.is_sorted() && ids.last() == Some(&after));
    let first = &world.get("/events?limit=1").await["events"][0];
    assert_eq!((&first["at"], &first["data"]["identifier"]), (&START.into(), &"0".into()));
    assert!(first["subject"].as_str().unwrap().starts_with("policy:CESI"));
    assert!(!first.to_string().contains("13912312323"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_woken_by_the_commit() {
    let world = Arc::new(World::new());
    // Whether it waits already or not yet when the policy is issued: it gets the event, and long before the minute.
    for n in 0..20 {
        let waiting = Arc::clone(&world);
        let waiting = tokio::spawn(async move { waiting.get(&format!("/events?after={n}&wait_s=60")).await });
        if n % 2 == 0 {
            tokio::task::yield_now().await;
        }
        world.issue(&format!("{n}"), json!({})).await;
        let page = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
        assert_eq!((page["events"].as_array().unwrap().len(), &page["next"]), (1, &(n + 1).into()));
    }
}

#[tokio::test]
async fn whoever_waits_goes_home_when_the_gateway_stops() {
    let world = World::new();
    let stop = async {
        tokio::task::yield_now().await;
        world.feed.close();
    };
    let (page, ()) = tokio::join!(world.get("/events?after=7&wait_s=60"), stop);
    assert_eq!(page, json!({"events": [], "next": 7}));
    assert_eq!(world.get("/events?after=7&wait_s=60").await["events"], json!([]));
}

#[tokio::test]
async fn what_is_written_without_an_event_wakes_nobody() {
    let world = World::new();
    let policy = world.issue("1", json!({})).await;
    let mut waiter = world.feed.waiter();
    let order = json!({"surrenderTime": START});
    assert_eq!(world.post("/policies/CESI1/surrender", "1", &order).await.status, StatusCode::NOT_FOUND);
    world.feed.close();
    assert!(!waiter.wait().await);
    assert!(!policy.is_empty());
}

on_both_databases! {
    tokio::test;
    a_reader_gets_every_event_once_and_in_order,
}
