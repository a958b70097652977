//! Webhooks: events queued with their cause, in order, for the endpoints that want them.

use super::*;

#[tokio::test]
async fn an_event_is_queued_in_order_for_who_wants_it() {
    let world = World::new();
    let policy = world.issue("1", json!({})).await;
    assert_eq!(world.get("/deliveries?kind=webhook").await["items"], json!([]));
    world.recover("1", Some(&policy), "12").await;
    world.recover("2", None, "12").await;
    // A copy brings no second one.
    world.recover("2", None, "12").await;
    let page = world.get("/deliveries?kind=webhook").await;
    assert_eq!(column(&page, "subject"), ["webhook:core", "webhook:core"]);
    assert_eq!((&page["items"][0]["behind"], &page["items"][1]["behind"]), (&page["items"][1]["id"], &Value::Null));
    let delivery = world.get(&format!("/deliveries/{}", page["items"][0]["id"])).await;
    let content = &delivery["content"]["content"];
    assert_eq!(content["id"], format!("msg_{}_0", page["items"][0]["causeMessageId"]));
    let event = &world.get("/events?after=2").await["events"][0];
    assert_eq!((&content["event"], &content["at"]), (&event["data"], &event["at"]));
}
