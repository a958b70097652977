//! A copy of the ledger that is made under load and put in service later.

use std::os::unix::fs::PermissionsExt;

use crate::gateway::{Gateway, baoqiao, example_with, field, text};

async fn issue(gateway: &Gateway, identifier: &str) -> String {
    let call = example_with(|body| drop(body.insert("identifier".to_owned(), identifier.into())));
    field(&gateway.call(call).await, &["context", "policyNo"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_is_whole_and_repeats_no_number_when_it_is_put_in_service() {
    let mut gateway = Gateway::start();
    let kept = issue(&gateway, "before").await;
    let copy = gateway.directory().join("copy.db");
    let (config, to) = (gateway.config(), copy.clone());
    let back_up = move |force: bool| {
        let (config, to) = (config.to_str().unwrap(), to.to_str().unwrap());
        if force {
            baoqiao(["backup", "--config", config, "--to", to, "--force"])
        } else {
            baoqiao(["backup", "--config", config, "--to", to])
        }
    };
    let copying = std::thread::spawn(move || (back_up(false), back_up(false), back_up(true)));
    let mut during = 0;
    while !copying.is_finished() {
        issue(&gateway, &format!("during {during}")).await;
        during += 1;
    }
    let (made, refused, replaced) = copying.join().unwrap();
    assert!(made.status.success() && replaced.status.success(), "{}{}", text(&made.stderr), text(&replaced.stderr));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--force replaces it"), "{}", text(&refused.stderr));
    assert!(during > 0, "nothing was issued meanwhile");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!gateway.directory().join("copy.db.partial").exists());

    let lost = issue(&gateway, "after").await;
    assert!(gateway.stop().success());
    for file in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(gateway.directory().join(file));
    }
    std::fs::rename(&copy, gateway.directory().join("ledger.db")).unwrap();
    gateway.restart();
    assert_eq!(issue(&gateway, "before").await, kept, "what the copy holds is answered as before");
    let again = issue(&gateway, "after").await;
    assert!(again.len() > lost.len() && again != lost, "{again} after {lost}");
    assert_eq!(gateway.count("SELECT count(*) FROM events WHERE id > 1073741824"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_never_takes_the_place_of_the_ledger_or_of_what_is_no_copy() {
    let mut gateway = Gateway::start();
    let kept = issue(&gateway, "1").await;
    let (folder, config) = (gateway.directory().to_owned(), gateway.config());
    let link = folder.join("by-another-name.db");
    std::fs::hard_link(folder.join("ledger.db"), &link).unwrap();
    for (to, why) in [
        (folder.join("ledger.db"), "is the ledger itself"),
        (folder.join("ledger.db-wal"), "is the ledger itself"),
        (link, "is the ledger itself"),
        (folder.join("keys.toml"), "is no copy of a ledger"),
    ] {
        let refused =
            baoqiao(["backup", "--config", config.to_str().unwrap(), "--to", to.to_str().unwrap(), "--force"]);
        assert_eq!(refused.status.code(), Some(2), "{}", to.display());
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
    gateway.kill_and_restart();
    assert_eq!(issue(&gateway, "1").await, kept);
}

#[test]
fn a_copy_that_cannot_be_made_leaves_nothing() {
    let gateway = Gateway::start();
    let folder = gateway.directory();
    let (config, copy) = (gateway.config(), folder.join("copy.db"));
    std::fs::rename(folder.join("keys.toml"), folder.join("right.toml")).unwrap();
    let other = tempfile::tempdir().unwrap();
    assert!(baoqiao(["init", "--dir", other.path().to_str().unwrap()]).status.success());
    std::fs::copy(other.path().join("keys.toml"), folder.join("keys.toml")).unwrap();
    let refused = baoqiao(["backup", "--config", config.to_str().unwrap(), "--to", copy.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("another ledger's"), "{}", text(&refused.stderr));
    assert!(!copy.exists() && !folder.join("copy.db.partial").exists());
}
