//! What is written durably: a commit that nobody heard of, and the attempt to write.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;

use super::*;

/// A way to the database that can swallow the word that a transaction was committed, and then breaks.
struct Way {
    port: u16,
    swallows: Arc<AtomicBool>,
}

impl Way {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let swallows = Arc::new(AtomicBool::new(false));
        let order = Arc::clone(&swallows);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
                let committing = Arc::new(AtomicBool::new(false));
                let (here, there) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (order, noted) = (Arc::clone(&order), Arc::clone(&committing));
                std::thread::spawn(move || {
                    pass_on(here, there, |bytes| {
                        if contains(bytes, b"COMMIT\0") && order.swap(false, Ordering::SeqCst) {
                            noted.store(true, Ordering::SeqCst);
                        }
                        true
                    });
                });
                std::thread::spawn(move || pass_on(server, client, |_| !committing.load(Ordering::SeqCst)));
            }
        });
        Self { port, swallows }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Passes everything on until one side ends, or something is not to be passed on.
fn pass_on(mut from: TcpStream, mut to: TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || !may_pass(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn rescission_of(world: &World, order_no: &str, policy_no: &PolicyNumber) -> Submission {
    let content = json!({
        "policySource": "HN_HT_QNW", "interfaceType": "recissionNotice", "orderNo": order_no, "policyNo": policy_no,
    });
    let command = Command::RescindPolicy(Box::new(serde_json::from_value(content).unwrap()));
    world.asking("avatar/rescission-notice", order_no, None, command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_commit_nobody_heard_of_counts_once_and_gives_no_number_twice() {
    let Some(database) = Database::postgres() else { return };
    let way = Way::to(database.port());
    let world = World::open(&database.through(way.port));
    way.swallows.store(true, Ordering::SeqCst);
    let first = world.submit(json!({})).await;
    assert!(!way.swallows.load(Ordering::SeqCst), "no commit was swallowed");
    assert_eq!(first.verdict, Verdict::Accepted, "it was this message that issued it");
    assert_eq!(database.count("SELECT count(*) FROM messages"), 1, "one message was received");
    assert_eq!(world.submit(json!({})).await.reply, first.reply);

    // What queues notices, whose numbers are the store's own.
    let ended = number(&first);
    let rescission = |order_no: &str| rescission_of(&world, order_no, &ended);
    way.swallows.store(true, Ordering::SeqCst);
    assert_eq!(world.ledger.submit(rescission("O-1")).await.unwrap().verdict, Verdict::Accepted);
    assert_eq!(world.ledger.submit(rescission("O-1")).await.unwrap().verdict, Verdict::Replayed);
    let notices = || database.count("SELECT count(*) FROM notices");
    assert_eq!(notices(), 1);
    let blocks = "SELECT count(*) FROM (SELECT id / 1024 FROM notices GROUP BY id / 1024 HAVING count(*) > 1) twice";
    let second = number(&world.submit(json!({"identifier": "another"})).await);
    let command = rescission_of(&world, "O-2", &second);
    assert_eq!(world.ledger.submit(command).await.unwrap().verdict, Verdict::Accepted);
    assert_eq!((notices(), database.count(blocks)), (2, 0), "a number is given once");
    assert_eq!(world.findings(), []);
    world.close().await;
}

async fn a_probe_writes_as_much_as_a_message_takes(database: Database) {
    let vault = database.vault();
    let mut backend = database.open(&vault);
    off_runtime(move || {
        let mut stores = backend.stores().unwrap();
        stores[0].probe().unwrap();
        stores[0].probe().unwrap();
    });
    assert_eq!(database.count("SELECT length(filler) FROM probe"), 16 * 8_192);
}

on_both_databases! { tokio::test; a_probe_writes_as_much_as_a_message_takes }
