//! Orders: surrender, auction stages, sending again, and what their keys are good for.

use super::*;
use crate::statistics::Calls;

#[tokio::test]
async fn an_order_has_one_answer_for_ever() {
    let world = World::new();
    let policy = world.issue("1", json!({})).await;
    let path = format!("/policies/{policy}/surrender");
    let order = json!({"surrenderTime": START, "refundMoney": "3.50"});
    let first = world.post(&path, "key-1", &order).await;
    assert_eq!((first.status, first.json()), (StatusCode::OK, json!({"policyNo": policy, "state": "surrendered"})));
    assert!(!first.headers.contains_key("idempotency-replayed"));
    world.advance_ms(1_000_000);
    // Spelt in another way, it is the same content.
    let again = json!({"refundMoney": "3.5", "surrenderTime": "2026-01-02T11:04:05+08:00", "status": "APPLY"});
    let again = world.post(&path, "\"key-1\"", &again).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");

    let other = json!({"surrenderTime": START, "refundMoney": "4", "endorsementNo": "E"});
    let conflict = world.post(&path, "key-1", &other).await.json();
    assert_eq!((&conflict["status"], &conflict["code"]), (&409.into(), &"IDEMPOTENCY_CONFLICT".into()));
    let fields: Vec<&str> =
        conflict["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["endorsementNo", "refundMoney"]);
    let stolen = world.post_as(OTHER, &path, "key-1", &order).await.json();
    assert_eq!(stolen["errors"][0]["field"], "caller");
    let ended = world.post(&path, "key-2", &order).await.json();
    assert_eq!((&ended["status"], &ended["code"]), (&409.into(), &"WRONG_POLICY_STATE".into()));
    assert_eq!(world.get("/deliveries").await["items"].as_array().unwrap().len(), 1);
    let messages = world.get("/messages?interface=api/surrender").await;
    assert_eq!(column(&messages, "verdict"), ["refused", "conflicting", "conflicting", "replayed", "accepted"]);
    // Each of them is counted.
    let counted = world.meter.unwritten().into_iter().filter(|row| row.interface == "api/surrender");
    let counted = counted.fold(Calls::default(), |mut all, row| {
        all.add(&row.calls);
        all
    });
    assert_eq!(counted, Calls { accepted: 1, replayed: 1, conflicting: 2, refused: 1, disbelieved: 0 });
    let conflict = world.get(&format!("/messages/{}", column(&messages, "id")[2])).await;
    assert_eq!(conflict["conflict"]["differing"], json!(["endorsementNo", "refundMoney"]));
    let request = conflict["request"].as_str().unwrap();
    assert!(request.starts_with("POST /api/v1/policies/") && !request.contains(ALL), "{request}");
}

async fn copies_at_the_same_moment_are_carried_out_once(database: Database) {
    let world = World::on(database);
    let policy = world.issue("1", json!({})).await;
    let (path, order) = (format!("/policies/{policy}/surrender"), json!({"surrenderTime": START}));
    let (a, b, c) =
        tokio::join!(world.post(&path, "1", &order), world.post(&path, "1", &order), world.post(&path, "1", &order));
    assert_eq!((a.status, &a.body, &a.body), (StatusCode::OK, &b.body, &c.body));
    assert_eq!(world.get("/deliveries").await["items"].as_array().unwrap().len(), 1);
}

fn stage(stage: u8) -> Value {
    json!({"partner": "alibaba", "insuranceType": 1, "stage": stage, "status": 1, "timeOfOccurrence": START})
}

#[tokio::test]
async fn a_text_with_a_control_character_is_refused_by_its_field() {
    let world = World::new();
    let mut order = stage(1);
    order["insuranceDocument"] = "oss:\u{0}".into();
    for (path, order, field) in
        [("/auctions/1/stages", &order, "insuranceDocument"), ("/auctions/1%00/stages", &stage(1), "bizId")]
    {
        let problem = world.post(path, "1", order).await.json();
        assert_eq!((&problem["status"], &problem["errors"][0]["field"]), (&422.into(), &field.into()), "{problem}");
    }
}

/// What names something for ever goes into an index, and one text that no index holds would fail everybody's batch.
#[tokio::test]
async fn an_auction_has_a_name_that_can_be_kept() {
    let world = World::new();
    let longest = "9".repeat(128);
    for name in [format!("{longest}9"), "%20A".to_owned(), "A%20".to_owned()] {
        let problem = world.post(&format!("/auctions/{name}/stages"), "1", &stage(1)).await.json();
        assert_eq!((&problem["status"], &problem["errors"][0]["field"]), (&422.into(), &"bizId".into()), "{problem}");
    }
    assert_eq!(world.post(&format!("/auctions/{longest}/stages"), "1", &stage(1)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn auction_stages_follow_their_order() {
    let world = World::new();
    let path = "/auctions/24010900100YSKSSG/stages";
    let first = world.post(path, "1", &stage(1)).await;
    assert_eq!((first.status, first.json()), (StatusCode::OK, json!({"bizId": "24010900100YSKSSG", "stage": 1})));
    for (key, body, status, code) in [
        ("2", stage(3), 409, "AUCTION_STAGE_OUT_OF_ORDER"),
        ("2", stage(1), 409, "AUCTION_STAGE_ALREADY_SUCCEEDED"),
        ("2", stage(9), 422, "INVALID_ARGUMENT"),
        ("1", stage(2), 409, "IDEMPOTENCY_CONFLICT"),
    ] {
        let problem = world.post(path, key, &body).await.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{body}");
    }
    let mut to_nobody = stage(2);
    to_nobody["partner"] = "nobody".into();
    let problem = world.post(path, "2", &to_nobody).await.json();
    assert_eq!((&problem["status"], &problem["errors"][0]["field"]), (&422.into(), &"partner".into()));
    assert_eq!(world.post(path, "2", &stage(2)).await.status, StatusCode::OK);
    let page = world.get("/deliveries?subject=auction:24010900100YSKSSG").await;
    assert_eq!(column(&page, "id"), ["2", "1"]);
    assert_eq!(page["items"][0]["behind"], 1);
    assert_eq!(column(&world.get("/deliveries?kind=surrender-sync").await, "id"), Vec::<String>::new());
    let (first, second) =
        (world.get("/deliveries?limit=1").await, world.get("/deliveries?state=pending&limit=1").await);
    let rest = world.get(&format!("/deliveries?limit=1&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(
        (column(&second, "id"), column(&rest, "id"), &rest["next"]),
        (vec!["2".into()], vec!["1".into()], &Value::Null)
    );
}

#[tokio::test]
async fn deliveries_are_sent_again_once_a_key() {
    let world = World::new();
    for (index, biz_id) in ["A", "B"].iter().enumerate() {
        world.post(&format!("/auctions/{biz_id}/stages"), &format!("{index}"), &stage(1)).await;
    }
    let path = "/deliveries/resend";
    let dry = json!({"kind": "auction-result", "dryRun": true});
    let order = json!({"kind": "auction-result"});
    let counted = world.post(path, "k", &dry).await.json();
    assert_eq!((&counted["dryRun"], &counted["matched"], &counted["due"]), (&true.into(), &2.into(), &0.into()));
    let first = world.post(path, "k", &order).await;
    assert_eq!(first.json(), json!({"dryRun": false, "matched": 2, "due": 2, "waiting": 0, "underWay": 0}));
    world.post("/auctions/C/stages", "2", &stage(1)).await;
    let again = world.post(path, "k", &order).await;
    assert_eq!((&again.body, &again.headers["idempotency-replayed"]), (&first.body, &"true".parse().unwrap()));
    let other = json!({"kind": "auction-result", "subject": "auction:C"});
    let conflict = world.post(path, "k", &other).await.json();
    assert_eq!((&conflict["status"], &conflict["errors"][0]["field"]), (&409.into(), &"subject".into()));
    assert_eq!(world.post_as(OTHER, path, "k", &order).await.json()["errors"][0]["field"], "caller");
    for body in [json!({}), json!({"dryRun": true}), json!({"state": "lost"})] {
        assert_eq!(world.post(path, "l", &body).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let one = world.post("/deliveries/2/resend", "one", &json!({})).await;
    assert_eq!(one.json()["matched"], 1);
    assert_eq!(world.post("/deliveries/3/resend", "one", &json!({})).await.json()["errors"][0]["field"], "id");
    assert_eq!(world.post("/deliveries/9/resend", "nine", &json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn deliveries_are_skipped_once_a_key() {
    let world = World::new();
    for (index, biz_id) in ["A", "B", "C"].iter().enumerate() {
        world.post(&format!("/auctions/{biz_id}/stages"), &format!("{index}"), &stage(1)).await;
    }
    let path = "/deliveries/skip";
    let order = json!({"partner": "alibaba"});
    let counted = world.post(path, "k", &json!({"partner": "alibaba", "dryRun": true})).await.json();
    assert_eq!(counted, json!({"dryRun": true, "matched": 3, "skipped": 0, "underWay": 0, "closed": 0}));
    let one = world.post("/deliveries/2/skip", "one", &json!({})).await.json();
    assert_eq!(one, json!({"dryRun": false, "matched": 1, "skipped": 1, "underWay": 0, "closed": 0}));
    assert_eq!(world.post("/deliveries/2/skip", "two", &json!({})).await.json()["closed"], 1);
    assert_eq!(world.post("/deliveries/9/skip", "nine", &json!({})).await.status, StatusCode::NOT_FOUND);
    let first = world.post(path, "k", &order).await;
    assert_eq!(first.json(), json!({"dryRun": false, "matched": 2, "skipped": 2, "underWay": 0, "closed": 0}));
    assert_eq!(column(&world.get("/deliveries?state=skipped").await, "id"), ["3", "2", "1"]);
    world.post("/auctions/D/stages", "3", &stage(1)).await;
    let again = world.post(path, "k", &order).await;
    assert_eq!((&again.body, &again.headers["idempotency-replayed"]), (&first.body, &"true".parse().unwrap()));
    assert_eq!(column(&world.get("/deliveries?state=pending").await, "id"), ["4"], "the copy skips nothing");
    let resent = world.post("/deliveries/resend", "k", &order).await.json();
    assert_eq!((&resent["status"], &resent["errors"][0]["field"]), (&409.into(), &"order".into()));
    for body in [json!({}), json!({"dryRun": true}), json!({"state": "delivered"}), json!({"id": 4})] {
        let refused = world.post(path, "l", &body).await.status;
        assert!([StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST].contains(&refused), "{body}: {refused}");
    }
}

on_both_databases! {
    tokio::test;
    copies_at_the_same_moment_are_carried_out_once,
}
