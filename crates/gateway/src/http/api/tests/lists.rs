//! What is read: pages, filters, one thing in full, and who sees personal data.

use super::*;

/// Walks a list to its end; before each page, `meanwhile` happens.
async fn walk(world: &World, path: &str, field: &str, meanwhile: impl AsyncFn(usize)) -> Vec<String> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for page_number in 0..100 {
        meanwhile(page_number).await;
        let page = world.get(&format!("{path}{separator}limit=2{cursor}")).await;
        seen.extend(column(&page, field));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
    panic!("no end");
}

async fn a_walk_meets_each_row_once_while_rows_are_added(database: Database) {
    let world = World::on(database);
    let mut policies = Vec::new();
    for n in 0..7 {
        policies.push(world.issue(&format!("{n}"), json!({})).await);
        world.recover(&format!("{n}"), None, "12").await;
        // Some at the same moment, some not.
        world.advance_ms(n % 2);
    }
    policies.reverse();
    let more = async |page: usize| {
        world.issue(&format!("more {page}"), json!({})).await;
        world.recover(&format!("more {page}"), None, "12").await;
    };
    let still = async |_: usize| {};
    let seen = walk(&world, "/policies", "policyNo", more).await;
    // The first page was read after one was added.
    assert_eq!(seen[1..], policies[..]);
    let messages = world.get("/messages?limit=200").await;
    assert_eq!(walk(&world, "/messages", "id", still).await, column(&messages, "id"));
    let seen = walk(&world, "/messages", "id", more).await;
    assert_eq!(seen[2..], column(&messages, "id")[..]);
    let recoveries = column(&world.get("/recoveries?limit=200").await, "identifier");
    assert!(recoveries.len() > 10);
    assert_eq!(walk(&world, "/recoveries", "identifier", still).await, recoveries);
}

async fn policies_are_found_by_each_filter(database: Database) {
    let world = World::on(database);
    let first = world.issue("1", json!({})).await;
    world.advance_ms(1_000);
    let second = world.issue("2", json!({"partner": "other"})).await;
    world.advance_ms(1_000);
    let third = world.issue("3", json!({"productCode": "DELIVERY"})).await;
    let surrendered = json!({"surrenderTime": START});
    assert_eq!(world.post(&format!("/policies/{first}/surrender"), "1", &surrendered).await.status, StatusCode::OK);
    for (filter, expected) in [
        ("", vec![&third, &second, &first]),
        ("partner=other", vec![&second]),
        ("partner=nobody", vec![]),
        ("productCode=DELIVERY", vec![&third]),
        ("state=surrendered", vec![&first]),
        ("state=issued&partner=alibaba", vec![&third]),
        ("issuedFrom=2026-01-02T03:04:06Z", vec![&third, &second]),
        ("issuedTo=2026-01-02T03:04:06Z", vec![&first]),
        ("issuedFrom=2026-01-02T11:04:06%2B08:00&issuedTo=2026-01-02T03:04:07Z", vec![&second]),
    ] {
        let page = world.get(&format!("/policies?{filter}")).await;
        assert_eq!(column(&page, "policyNo"), expected.into_iter().cloned().collect::<Vec<_>>(), "{filter}");
    }
    let page = world.get("/policies?partner=other").await;
    let policy = &page["items"][0];
    assert_eq!((&policy["amount"], &policy["phase"]), (&"1018".into(), &"in-force".into()));
    assert_eq!(policy["issuedAt"], "2026-01-02T03:04:06Z");
}

async fn recoveries_and_messages_are_found_by_each_filter(database: Database) {
    let world = World::on(database);
    let policy = world.issue("0", json!({})).await;
    world.recover("1", Some(&policy), "12").await;
    world.recover("2", None, "12").await;
    world.recover("3", Some(&policy), "1").await;
    for (filter, expected) in [
        ("", vec!["3", "2", "1"]),
        ("matched=true", vec!["3", "1"]),
        ("matched=false", vec!["2"]),
        ("discrepant=true", vec!["3"]),
        ("discrepant=false", vec!["2", "1"]),
        ("partner=other", vec![]),
        (&format!("policyNo={policy}&discrepant=false"), vec!["1"]),
    ] {
        let page = world.get(&format!("/recoveries?{filter}")).await;
        assert_eq!(column(&page, "identifier"), expected, "{filter}");
    }
    let page = world.get("/recoveries?discrepant=true").await;
    assert_eq!(page["items"][0]["discrepancies"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/recoveries?matched=false").await["items"][0]["unmatched"], "no-number");
    for (filter, expected) in [
        ("interface=qimen/recovery", vec!["3", "2", "1"]),
        ("key=0", vec!["0"]),
        ("verdict=refused", vec![]),
        ("caller=alibaba&interface=qimen/policy-issuing", vec!["0"]),
        ("caller=nobody", vec![]),
        ("channel=qimen", vec!["3", "2", "1", "0"]),
        ("channel=avatar", vec![]),
        ("code=INVALID_ARGUMENT", vec![]),
        ("receivedFrom=2026-01-02T03:04:05Z&receivedTo=2026-01-02T03:04:06Z", vec!["3", "2", "1", "0"]),
        ("receivedTo=2026-01-02T03:04:05Z", vec![]),
        ("receivedFrom=2026-01-02T03:04:06Z", vec![]),
    ] {
        let page = world.get(&format!("/messages?{filter}")).await;
        assert_eq!(column(&page, "key"), expected, "{filter}");
    }
}

async fn a_policy_is_told_with_all_that_happened_to_it(database: Database) {
    let world = World::on(database);
    let policy = world.issue("1", json!({})).await;
    world.advance_ms(1);
    world.recover("1", Some(&policy), "12").await;
    world.advance_ms(1);
    let order = json!({"surrenderTime": START, "refundMoney": "3.50", "alipayOpenId": "2088"});
    world.post(&format!("/policies/{policy}/surrender"), "1", &order).await;
    let told = world.get(&format!("/policies/{policy}")).await;
    let timeline = told["timeline"].as_array().unwrap();
    let kinds: Vec<&str> = timeline.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["issued", "recovery-recorded", "surrendered", "delivery-queued"]);
    assert_eq!((&timeline[2]["by"], &timeline[2]["amountOfCny"]), (&"core".into(), &"3.5".into()));
    assert_eq!(timeline[3]["deliveryState"], "pending");
    assert_eq!((&told["policy"]["state"], &told["policy"]["phase"]), (&"surrendered".into(), &"surrendered".into()));
    let delivery = world.get(&format!("/deliveries/{}", timeline[3]["deliveryId"])).await;
    assert_eq!(delivery["content"]["content"]["alipayOpenId"], "2088");
    assert_eq!(delivery["attempts"], json!([]));
}

#[tokio::test]
async fn personal_data_is_for_those_who_may_see_it() {
    let world = World::new();
    let policy = world.issue("1", json!({})).await;
    let order = json!({"surrenderTime": START, "alipayOpenId": "2088123412341234"});
    world.post(&format!("/policies/{policy}/surrender"), "1", &order).await;
    let message = column(&world.get("/messages?key=1&interface=qimen/policy-issuing").await, "id")[0].clone();
    let message = format!("/messages/{message}");
    let paths = [format!("/policies/{policy}"), message.clone(), "/deliveries/1".to_owned()];
    let secrets = ["张𬭎三", "13912312323", "11010119900307123X", "2088123412341234"];
    let mut seen = 0;
    for path in &paths {
        let masked = world.get_as(NO_PEOPLE, path).await;
        assert_eq!(masked.status, StatusCode::OK, "{path}");
        let masked = String::from_utf8(masked.body).unwrap();
        let whole = world.get(path).await.to_string();
        for secret in secrets {
            assert!(!masked.contains(secret), "{path} tells {secret}");
            seen += usize::from(whole.contains(secret));
        }
        assert!(!masked.contains("/documents/"), "who has the address may read the document");
    }
    assert_eq!(seen, 5, "three in the policy, one in its message, one in the delivery");
    let masked = world.get_as(NO_PEOPLE, &paths[0]).await.json();
    assert_eq!(masked["parties"][0]["name"], "张**");
    assert_eq!(masked["parties"][0]["licenseNo"], "110*************3X");
    let whole = world.get(&paths[0]).await;
    assert_eq!(whole["application"]["applicantPersonalInfo"]["personName"], "张𬭎三");
    let message = world.get(&message).await;
    assert_eq!((&message["message"]["verdict"], &message["reply"]), (&"accepted".into(), &"{}".into()));
}

#[tokio::test]
async fn a_conflict_is_told_field_by_field_to_those_who_see_people() {
    let world = World::new();
    world.issue("1", json!({})).await;
    let other = json!({"amount": "1019", "applicantPersonalInfo": {"personName": "李四"}});
    let refused = world.issue_refused("1", other).await;
    assert_eq!(refused.code().as_str(), "IDEMPOTENCY_CONFLICT");
    let listed = world.get("/messages?verdict=conflicting").await;
    assert_eq!(world.get("/messages?code=IDEMPOTENCY_CONFLICT").await, listed);
    let path = format!("/messages/{}", column(&listed, "id")[0]);
    let conflict = &world.get(&path).await["conflict"];
    let amount = json!({"field": "amount", "first": "1018", "second": "1019"});
    assert!(conflict["differences"].as_array().unwrap().contains(&amount), "{conflict}");
    let masked = world.get_as(NO_PEOPLE, &path).await.json();
    assert_eq!(masked["conflict"]["differences"], Value::Null);
    assert!(masked["conflict"]["differing"].as_array().unwrap().contains(&json!("amount")));
    assert!(!masked.to_string().contains("李四"));
}

async fn what_no_database_holds_is_told_as_every_other_mistake(database: Database) {
    let world = World::on(database);
    for (path, status, told) in [
        ("/messages?key=%00", StatusCode::BAD_REQUEST, "key"),
        ("/deliveries?kind=surender-sync", StatusCode::BAD_REQUEST, "surrender-sync、auction-result 或 webhook"),
        ("/policies/%FF", StatusCode::NOT_FOUND, "NOT_FOUND"),
        ("/policies/%00", StatusCode::NOT_FOUND, "NOT_FOUND"),
        ("/deliveries/%FF", StatusCode::NOT_FOUND, "NOT_FOUND"),
    ] {
        let answer = world.get_as(ALL, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        assert!(answer.json().to_string().contains(told), "{path}: {}", answer.json());
    }
}

#[tokio::test]
async fn strangers_are_listed_newest_first_as_far_as_the_ring_reaches() {
    let world = World::new();
    for n in 0..5 {
        let request = format!("POST /qimen?n={n} HTTP/1.1\r\n\r\n张三");
        world.ledger.record_stranger(Stranger {
            received_at: world.clock.now(),
            channel: "qimen",
            peer: "192.0.2.9".to_owned(),
            reason: "the signature fits none of the partner's secrets".to_owned(),
            body_bytes: 6,
            request: world.vault.seal(Purpose::Request, request.as_bytes()).unwrap(),
        });
    }
    // Answered after them, and so when they are written.
    world.issue("1", json!({})).await;
    let numbers = column(&world.get("/strangers").await, "number");
    assert_eq!(numbers.len(), 3, "a ring of three");
    assert!(numbers.is_sorted_by(|a, b| a.parse::<u64>().unwrap() > b.parse().unwrap()), "{numbers:?}");
    assert_eq!(walk(&world, "/strangers", "number", async |_| {}).await, numbers);
    let path = format!("/strangers/{}", numbers[0]);
    let whole = world.get(&path).await;
    assert_eq!(whole["request"], "POST /qimen?n=4 HTTP/1.1\r\n\r\n张三");
    assert_eq!((&whole["stranger"]["bodyBytes"], &whole["stranger"]["peer"]), (&6.into(), &"192.0.2.9".into()));
    assert_eq!(world.get_as(NO_PEOPLE, &path).await.json()["request"], Value::Null);
    assert_eq!(world.get_as(ALL, "/strangers/1").await.status, StatusCode::NOT_FOUND);
}

/// What a walk meets, and how many pages it took.
async fn walk_in_pages(world: &World, path: &str) -> (Vec<u64>, usize) {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for page_number in 1..100 {
        let page = world.get(&format!("{path}&limit=2{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (seen, page_number),
        }
    }
    panic!("no end");
}

async fn deliveries_are_found_by_each_combination_of_filters(database: Database) {
    let world = World::on(database);
    let states = ["pending", "delivered", "dead", "skipped"];
    let kinds = ["surrender-sync", "webhook"];
    let mut notices = Vec::new();
    for n in 1..=32_usize {
        let notice = (states[n % 4], kinds[n / 4 % 2], ["alibaba", "other"][n / 8 % 2], ["a", "b"][n / 16 % 2]);
        let (state, kind, partner, subject) = notice;
        world.database.add_notices(u64::try_from(n).unwrap(), 1, &format!("'{subject}'"), (kind, partner, state));
        notices.push(notice);
    }
    notices.reverse();
    let all: Vec<u64> = walk_in_pages(&world, "/deliveries?").await.0;
    assert_eq!(all.len(), notices.len());
    let fits = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
    for state in states.map(Some).into_iter().chain([None]) {
        for kind in [Some("webhook"), None] {
            for partner in [Some("other"), None] {
                for subject in [Some("b"), None] {
                    let given = [("state", state), ("kind", kind), ("partner", partner), ("subject", subject)];
                    let given = given.iter().filter_map(|(name, value)| Some(format!("{name}={}&", (*value)?)));
                    let path = format!("/deliveries?{}", given.collect::<String>());
                    let expected = notices.iter().zip(&all).filter(|(notice, _)| {
                        let (its_state, its_kind, its_partner, its_subject) = **notice;
                        fits(state, its_state)
                            && fits(kind, its_kind)
                            && fits(partner, its_partner)
                            && fits(subject, its_subject)
                    });
                    let expected: Vec<u64> = expected.map(|(_, id)| *id).collect();
                    assert_eq!(walk_in_pages(&world, &path).await.0, expected, "{path}");
                }
            }
        }
    }
}

async fn a_page_of_deliveries_looks_at_its_share_of_them_and_says_where_to_go_on(database: Database) {
    let world = World::on(database);
    let add = |first, count, subject: &str, what| world.database.add_notices(first, count, subject, what);
    add(1, 1, "'policy:' || i", ("webhook", "alibaba", "skipped"));
    add(2, 1, "'policy:' || i", ("webhook", "alibaba", "dead"));
    add(3, 1, "'policy:' || i", ("webhook", "alibaba", "pending"));
    add(4, 40_001, "'policy:' || i", ("surrender-sync", "alibaba", "delivered"));
    add(50_000, 1, "'policy:' || i", ("auction-result", "alibaba", "delivered"));
    for (filter, expected) in [
        // Among all, the few that are not delivered are found by indexes of theirs.
        ("state=skipped", (1, 1)),
        ("state=skipped&partner=alibaba&kind=webhook", (1, 1)),
        ("state=dead&partner=alibaba", (1, 1)),
        ("state=pending&partner=alibaba", (1, 1)),
        ("state=skipped&kind=surrender-sync", (0, 1)),
        ("kind=webhook", (3, 2)),
        ("subject=policy:3", (1, 1)),
        // One in many, and no index that has both.
        ("kind=webhook&state=delivered", (0, 1)),
        ("partner=alibaba&kind=webhook", (3, 4)),
        ("partner=alibaba&subject=policy:1", (1, 1)),
        ("state=delivered&partner=alibaba&kind=auction-result", (1, 3)),
    ] {
        let (seen, pages) = walk_in_pages(&world, &format!("/deliveries?{filter}&")).await;
        assert_eq!((seen.len(), pages), expected, "{filter}");
    }
    // More are open than one call looks at: they are looked for where the others are.
    add(60_000, 20_001, "'webhook:core'", ("webhook", "webhook:core", "pending"));
    for filter in ["state=pending", "state=pending&kind=webhook"] {
        let first = world.get(&format!("/deliveries?{filter}&limit=200")).await;
        assert_eq!(column(&first, "state"), ["pending"; 200]);
        assert!(first["next"].is_string());
    }
    for (filter, expected) in [
        ("state=pending&partner=alibaba", (1, 3)),
        ("state=dead&subject=webhook:core", (0, 1)),
        ("state=pending&subject=webhook:core&kind=surrender-sync", (0, 2)),
    ] {
        let (seen, pages) = walk_in_pages(&world, &format!("/deliveries?{filter}&")).await;
        assert_eq!((seen.len(), pages), expected, "{filter}");
    }
}

on_both_databases! {
    tokio::test;
    deliveries_are_found_by_each_combination_of_filters,
    a_page_of_deliveries_looks_at_its_share_of_them_and_says_where_to_go_on,
    a_walk_meets_each_row_once_while_rows_are_added,
    policies_are_found_by_each_filter,
    recoveries_and_messages_are_found_by_each_filter,
    a_policy_is_told_with_all_that_happened_to_it,
    what_no_database_holds_is_told_as_every_other_mistake,
}
