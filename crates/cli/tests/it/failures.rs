//! Disks that are full, read-only or limited, for real, under the real gateway; and load that is shed.
//!
//! What needs rights that the tests may lack says so and passes.

use std::path::Path;
use std::process::Command;

use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_simulator::example::{RECOVERY_METHOD, RECOVERY_REQUEST};
use baoqiao_simulator::qimen::{Answer, AnswerFormat, Call, Charset};
use serde_json::Value;

use crate::gateway::{Gateway, baoqiao, call_of, example, example_with, field, start, text};
use crate::life::{deal_code, rescind};
use crate::limits::lock;

/// Says why a test tries nothing here.
#[allow(clippy::print_stderr, reason = "a test that is skipped says why")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Runs a tool of the system; what it complains of, where it fails.
fn run<const N: usize>(tool: &str, arguments: [&str; N]) -> Result<(), String> {
    let ran = Command::new(tool).args(arguments).output().map_err(|error| format!("{tool}: {error}"))?;
    if ran.status.success() { Ok(()) } else { Err(format!("{tool}: {}", text(&ran.stderr).trim())) }
}

/// A disk of its own, in memory, that can be filled.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: &str) -> Result<Self, String> {
        let disk = Self(tempfile::tempdir().unwrap());
        run("mount", ["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", disk.path().to_str().unwrap()])?;
        Ok(disk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.path().join("ballast")).unwrap();
        let block = vec![0; 4_096];
        while std::io::Write::write_all(&mut ballast, &block).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }

    fn remount(&self, how: &str) {
        run("mount", ["-o", &format!("remount,{how}"), self.path().to_str().unwrap()]).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nothing that could be done about it here.
        let _ = run("umount", ["-l", self.0.path().to_str().unwrap()]);
    }
}

fn numbered(n: usize) -> Call {
    example_with(|body| drop(body.insert("identifier".to_owned(), format!("{n}").into())))
}

/// Issues policies until one is refused: how many were issued, and the refusal.
async fn issue_until_refused(gateway: &Gateway) -> (usize, Answer) {
    for n in 0..5_000 {
        let answer = gateway.call(numbered(n)).await;
        if field(&answer, &["success"]) != "true" {
            return (n, answer);
        }
    }
    panic!("5,000 policies went onto a disk that takes no more");
}

/// What holds whatever happened: all that was acknowledged is there once, and nothing is there in part.
fn check_whole(gateway: &Gateway, acknowledged: usize) {
    for table in ["policies", "answers", "events", "messages"] {
        let rows = gateway.count(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(usize::try_from(rows).unwrap(), acknowledged, "{table}");
    }
    assert_eq!(gateway.count("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

/// Breaks the disk under a gateway that works, and mends it again.
async fn outlive(mut gateway: Gateway, break_it: impl FnOnce(&Gateway), mend_it: impl FnOnce(&Gateway), told: &str) {
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
    break_it(&gateway);
    let (issued, refused) = issue_until_refused(&gateway).await;
    assert_eq!(field(&refused, &["errorCode"]), "LEDGER_UNAVAILABLE");
    assert_eq!(gateway.get("/readyz").await.0, 503);
    assert_eq!(gateway.get("/healthz").await.0, 200, "it is not the process that fails");
    mend_it(&gateway);
    assert_eq!(gateway.get("/readyz").await.0, 200, "well again with no restart and no call");
    for n in 0..=issued {
        assert_eq!(field(&gateway.call(numbered(n)).await, &["success"]), "true", "{n}");
    }
    assert_eq!(
        gateway.count("SELECT count(*) FROM messages WHERE verdict = 'replayed'"),
        i64::try_from(issued).unwrap()
    );
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), i64::try_from(issued + 2).unwrap());
    assert!(gateway.stop().success());
    let log = gateway.log();
    assert!(log.contains("ledger not writable") && log.contains(told), "{log}");
    assert!(log.contains("ledger writable again"), "{log}");
}

#[tokio::test]
async fn a_full_disk_refuses_for_now_and_is_well_again_when_there_is_room() {
    let disk = match Disk::mount("8m") {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    let gateway = Gateway::start_in(disk.path(), |sample| sample);
    outlive(gateway, |_| disk.fill(), |_| disk.make_room(), "make room on the ledger's disk").await;
}

#[tokio::test]
async fn a_disk_that_turns_read_only_refuses_for_now_and_is_well_again_when_it_does_not() {
    let log_of = |gateway: &Gateway| gateway.directory().join("ledger.db-wal").to_str().unwrap().to_owned();
    let gateway = Gateway::start();
    // Writes to a file that is open already are refused as well, as those of a disk are that the system has given up.
    if let Err(why) = run("chattr", ["+i", &log_of(&gateway)]) {
        return skipped(&why);
    }
    run("chattr", ["-i", &log_of(&gateway)]).unwrap();
    let turn = |flag: &'static str| move |gateway: &Gateway| run("chattr", [flag, &log_of(gateway)]).unwrap();
    outlive(gateway, turn("+i"), turn("-i"), "is the ledger's disk full, read-only, over a quota or failing?").await;
}

#[tokio::test]
async fn a_limit_on_the_size_of_files_is_no_end_of_the_process() {
    let gateway = Gateway::start();
    let limit = |gateway: &Gateway, bytes: &str| {
        run("prlimit", [&format!("--pid={}", gateway.process_id()), &format!("--fsize={bytes}")])
    };
    if let Err(why) = limit(&gateway, "100000000:unlimited") {
        return skipped(&why);
    }
    let told = "is the ledger's disk full, read-only, over a quota or failing?";
    let set = |bytes: &'static str| move |gateway: &Gateway| limit(gateway, bytes).unwrap();
    outlive(gateway, set("400000:unlimited"), set("unlimited:unlimited"), told).await;
}

#[tokio::test]
async fn a_gateway_on_a_read_only_disk_says_so_and_does_not_start() {
    let disk = match Disk::mount("8m") {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    let mut gateway = Gateway::start_in(disk.path(), |sample| sample);
    gateway.call(example()).await;
    assert!(gateway.stop().success());
    disk.remount("ro");
    let config = gateway.config();
    let refused = baoqiao(["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("ledger.db: ") && said.contains("read-only"), "{said}");
    disk.remount("rw");
    gateway.restart();
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 1);
}

#[tokio::test]
async fn a_disk_that_fills_up_under_load_leaves_nothing_half_written() {
    let disk = match Disk::mount("8m") {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    let gateway = Gateway::start_in(disk.path(), |sample| sample);
    disk.fill();
    let mut acknowledged = 0;
    // Batches of many: where the log ends in the middle of one, none of it may stay.
    for round in 0..50 {
        let calls = (0..40).map(|n| gateway.call(numbered(round * 40 + n)));
        let answers = futures_util::future::join_all(calls).await;
        let issued = answers.iter().filter(|answer| field(answer, &["success"]) == "true").count();
        acknowledged += issued;
        if issued == 0 {
            check_whole(&gateway, acknowledged);
            disk.make_room();
            assert_eq!(field(&gateway.call(numbered(10_000)).await, &["success"]), "true");
            return check_whole(&gateway, acknowledged + 1);
        }
    }
    panic!("the disk never filled up");
}

#[tokio::test]
async fn load_is_shed_in_the_envelope_of_each_interface() {
    let mut gateway = Gateway::start_with(|sample| sample.replace("# deadline_ms = 3000", "deadline_ms = 100"));
    let policy_no = field(&gateway.call(example()).await, &["context", "policyNo"]);
    let recovery =
        || Call { method: RECOVERY_METHOD.to_owned(), ..call_of(BodyKind::Json, Charset::Utf8, RECOVERY_REQUEST) };
    let in_xml = || Call { format: AnswerFormat::Xml, ..numbered(2) };
    let locked = lock(&gateway);
    let busy = gateway.call(numbered(1)).await;
    assert_eq!(
        (field(&busy, &["success"]), field(&busy, &["errorCode"])),
        ("false".to_owned(), "SYSTEM_BUSY".to_owned())
    );
    let busy = gateway.call(recovery()).await.fields().unwrap();
    assert_eq!((&busy["success"], &busy["responseCode"]), (&Value::Bool(false), &"SYSTEM_BUSY".into()));
    let busy = gateway.call(in_xml()).await;
    assert!(busy.text().contains("<errorCode>SYSTEM_BUSY</errorCode>"), "{}", busy.text());
    let busy = rescind(&gateway, &policy_no, |body| body["head"]["uuid"] = "u1".into()).await;
    assert_eq!(deal_code(&busy), "SYSTEM_BUSY");
    assert!(busy.text().contains("\"uuid\":\"u1\""), "{}", busy.text());
    locked.execute_batch("ROLLBACK").unwrap();
    while gateway.get("/readyz").await.0 != 200 {}
    assert_eq!(field(&gateway.call(numbered(1)).await, &["success"]), "true");
    assert_eq!(gateway.call(recovery()).await.fields().unwrap()["success"], Value::Bool(true));
    assert_eq!(deal_code(&rescind(&gateway, &policy_no, |_| ()).await), "1");
    gateway.expect_open(1);
}

#[test]
fn a_second_gateway_on_one_file_says_so() {
    let mut first = Gateway::start();
    let mut second = start(&first.config());
    assert!(second.stop().success());
    let said = "another gateway works on this ledger";
    assert!(second.log().contains(said));
    assert!(first.stop().success());
    assert!(!first.log().contains(said));
}
