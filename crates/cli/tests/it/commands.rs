//! The command line, as an engineer uses it on the first day.

use std::process::Command;

use crate::gateway::{APP_KEY, Gateway, SECRET, baoqiao, example, field, text};

#[test]
fn the_demo_plays_and_ends() {
    let played = baoqiao(["demo", "--exit"]);
    let said = text(&played.stdout);
    assert!(played.status.success(), "{said}{}", text(&played.stderr));
    let mut rest = said.as_str();
    for expected in [
        "issued     PBDI",
        "the same answer, byte for byte",
        "IDEMPOTENCY_CONFLICT",
        "sign-check-failure",
        "premium：收到“6,36”",
        "recorded   beside that policy",
        "recoverAmountOfCny is 1, where its other amounts make 12",
        "rescinded  dealCode 1",
        "退保信息 to the platform, attempt 1  delivered",
        "预保, attempt 1                      failed     code=15",
        "预保, attempt 2                      failed     ",
        "预保, attempt 3                      delivered",
        "核保, attempt 1                      delivered",
        "投保, attempt 1                      delivered",
        "保障中 in-force",
        "已解约 rescinded",
        "surrender-sync   delivered   1 attempt",
        "auction-result   delivered   3 attempts",
        "electronic policy   http://127.0.0.1:",
    ] {
        let Some(at) = rest.find(expected) else { panic!("{expected} in its place in {said}") };
        rest = &rest[at..];
    }
    assert!(!said.contains('\u{1b}'), "colours are for terminals: {said}");
}

#[tokio::test]
async fn a_policy_is_found_by_whatever_one_knows_of_it() {
    let gateway = Gateway::start();
    let number = field(&gateway.call(example()).await, &["context", "policyNo"]);
    let config = gateway.config();
    let config = config.to_str().unwrap();
    for (by, value) in [
        ("--policy-no", number.as_str()),
        ("--identifier", "010101004178221080402170019"),
        ("--id-number", "3321231232312342432"),
        ("--id-number", "91234535345435"),
        ("--phone", "139-2312 32323"),
        ("--phone", "344555"),
    ] {
        let found = baoqiao(["find", "--config", config, by, value]);
        assert!(text(&found.stdout).contains(&number), "{by} {value}: {}{}", text(&found.stdout), text(&found.stderr));
        assert!(!text(&found.stdout).contains("张三"));
    }
    let nothing = baoqiao(["find", "--config", config, "--phone", "10086"]);
    assert_eq!((nothing.status.code(), text(&nothing.stdout).as_str()), (Some(1), "no policy found\n"));
}

#[tokio::test]
async fn the_simulator_signs_and_sends_what_it_is_given() {
    let gateway = Gateway::start();
    let url = format!("{}/qimen", gateway.url);
    let sent =
        baoqiao(["simulate", "qimen", "--url", &url, "--app-key", APP_KEY, "--secret", SECRET, "--example", "issuing"]);
    assert!(sent.status.success(), "{}{}", text(&sent.stdout), text(&sent.stderr));
    assert!(text(&sent.stdout).contains("PBDI"));
    let recovery = baoqiao([
        "simulate",
        "qimen",
        "--url",
        &url,
        "--app-key",
        APP_KEY,
        "--secret",
        SECRET,
        "--example",
        "recovery",
    ]);
    assert!(recovery.status.success(), "{}{}", text(&recovery.stdout), text(&recovery.stderr));
    let refused =
        baoqiao(["simulate", "qimen", "--url", &url, "--app-key", APP_KEY, "--secret", "no", "--example", "issuing"]);
    assert_eq!(refused.status.code(), Some(1));
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_with_a_sample_and_names_what_is() {
    let gateway = Gateway::start();
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let checked = baoqiao(["doctor", "--config", config]);
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
    let unassigned = baoqiao(["doctor", "--text", "张三\u{e0b1}"]);
    assert_eq!(unassigned.status.code(), Some(1));
    assert!(text(&unassigned.stdout).contains("U+E0B1"), "{}", text(&unassigned.stdout));
    std::fs::remove_file(gateway.directory().join("keys.toml")).unwrap();
    let keyless = baoqiao(["doctor", "--config", config]);
    assert_eq!(keyless.status.code(), Some(1));
    assert!(text(&keyless.stdout).contains("keys.toml"), "{}", text(&keyless.stdout));
}

/// As docs/operations.md has it, with a policy from before and one from after.
#[tokio::test]
async fn a_sealing_key_comes_into_use_in_two_steps_and_is_missed_when_it_is_gone() {
    let mut gateway = Gateway::start();
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let keys = gateway.directory().join("keys.toml");
    let first = std::fs::read_to_string(&keys).unwrap();
    let before = field(&gateway.issue(|_| ()).await, &["context", "policyNo"]);
    let added = baoqiao(["keys", "add", "--config", config, "--reason", "yearly"]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let used = baoqiao(["keys", "use", "--config", config, "--name", "k2", "--reason", "yearly"]);
    assert!(used.status.success(), "{}", text(&used.stderr));
    assert_eq!(text(&baoqiao(["keys", "list", "--config", config]).stdout), "k1  opens\nk2  seals and opens\n");
    assert!(gateway.stop().success());
    gateway.restart();
    assert_eq!(field(&gateway.issue(|_| ()).await, &["context", "policyNo"]), before, "a retry across the change");
    gateway.issue(|body| drop(body.insert("identifier".to_owned(), "after".into()))).await;
    assert!(baoqiao(["verify", "--config", config]).status.success());
    assert!(baoqiao(["doctor", "--config", config]).status.success());
    std::fs::write(&keys, first).unwrap();
    let missed = baoqiao(["doctor", "--config", config]);
    assert_eq!(missed.status.code(), Some(1));
    assert!(text(&missed.stdout).contains("key \"k2\", which the key file does not have"), "{}", text(&missed.stdout));
}

#[test]
fn no_order_makes_a_ledger_where_a_path_is_mistyped() {
    let directory = tempfile::tempdir().unwrap();
    assert!(baoqiao(["init", "--dir", directory.path().to_str().unwrap()]).status.success());
    let config = directory.path().join("baoqiao.toml");
    let config = config.to_str().unwrap();
    for order in [
        &["user", "list", "--config", config][..],
        &["user", "disable", "--config", config, "--name", "li", "--reason", "test"],
        &["keys", "add", "--config", config, "--reason", "test"],
        &["outbox", "list", "--config", config],
        &["find", "--config", config, "--phone", "1"],
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_baoqiao")).args(order).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{order:?}");
        assert!(text(&refused.stderr).contains("`baoqiao serve` makes it"), "{}", text(&refused.stderr));
    }
    assert!(!directory.path().join("ledger.db").exists());
}

#[test]
fn a_broken_configuration_stops_the_start_with_file_line_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    assert!(baoqiao(["init", "--dir", path]).status.success());
    let config = directory.path().join("baoqiao.toml");
    let sample = std::fs::read_to_string(&config).unwrap();
    let line = sample.lines().position(|line| line.starts_with("listen")).unwrap() + 1;
    std::fs::write(&config, sample.replacen("\nlisten", "\nlissten", 1)).unwrap();
    let refused = baoqiao(["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("baoqiao.toml:{line}: server.lissten")), "{said}");
}

#[test]
fn looking_for_a_policy_makes_no_ledger() {
    let directory = tempfile::tempdir().unwrap();
    assert!(baoqiao(["init", "--dir", directory.path().to_str().unwrap()]).status.success());
    let config = directory.path().join("baoqiao.toml");
    let sought = baoqiao(["find", "--config", config.to_str().unwrap(), "--phone", "1"]);
    assert_eq!(sought.status.code(), Some(2));
    assert!(text(&sought.stderr).contains("there is no such file yet"), "{}", text(&sought.stderr));
    assert!(baoqiao(["doctor", "--config", config.to_str().unwrap()]).status.success());
    assert!(!directory.path().join("ledger.db").exists());
}

/// The README's first command is `cargo run --release -- demo`: with a second program beside it, cargo would ask which.
#[test]
fn the_project_runs_one_program_without_being_told_which() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let default = metadata["workspace_default_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter().filter(|package| default.contains(&package["id"]));
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    let programs: Vec<_> = targets.filter(|target| target["kind"][0] == "bin").map(|target| &target["name"]).collect();
    assert_eq!(programs, ["baoqiao"]);
}
