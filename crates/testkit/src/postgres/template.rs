//! What `initdb` makes, kept beside the build and copied for each cluster.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::installation::Installation;

/// Raised when the arguments of `initdb` change.
const REVISION: u32 = 1;

/// Copies an empty cluster to `target`, which must not exist yet.
pub(super) fn copy(installation: &Installation, target: &Path) {
    copy_tree(installation, &prepared(installation), target);
}

/// The template's directory, made by whichever process comes first.
fn prepared(installation: &Installation) -> PathBuf {
    let cache = cache_directory();
    let template = cache.join(format!("baoqiao-pg-template-{}-r{REVISION}", installation.label()));
    let lock = File::create(template.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !template.exists() {
        // The server's user may not be able to reach the build's directory.
        let work = tempfile::Builder::new().prefix("baoqiao-pg-").tempdir().unwrap();
        installation.own(work.path());
        let made = work.path().join("data");
        initialise(installation, &made);
        let unfinished = template.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        copy_tree(installation, &made, &unfinished);
        std::fs::rename(&unfinished, &template).unwrap();
    }
    template
}

fn initialise(installation: &Installation, data: &Path) {
    let mut initdb = installation.command("initdb");
    initdb.arg("-D").arg(data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    // Small segments: less to copy.
    let run = initdb.arg("--wal-segsize=1").output().unwrap();
    assert!(run.status.success(), "initdb: {}", String::from_utf8_lossy(&run.stderr));
}

/// The target directory of the build that this process is of, or else the system's for temporary files.
fn cache_directory() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let target = executable.ancestors().find(|directory| directory.join("CACHEDIR.TAG").exists());
    target.map_or_else(std::env::temp_dir, Path::to_path_buf)
}

/// Shares the files' blocks where the file system can.
fn copy_tree(installation: &Installation, from: &Path, to: &Path) {
    DirBuilder::new().mode(0o700).create(to).unwrap();
    installation.own(to);
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(installation, &entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            installation.own(&target);
        }
    }
}
