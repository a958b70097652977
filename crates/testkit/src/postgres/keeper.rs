//! Ends a server whose test is gone.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which is the end of the test. The server's working directory tells it from whoever may
/// have its number by now, and from what is left of it until somebody asks for its exit status.
const SCRIPT: &str = r#"
read -r _
read -r server 2>/dev/null <"$1/data/postmaster.pid"
runs() { [ "$(readlink "/proc/$server/cwd")" = "$1/data" ]; }
if [ -n "$server" ] && runs "$1"; then
    kill -QUIT "$server"
    while runs "$1"; do sleep 0.05; done
fi
rm -rf "$1"
"#;

/// A process that outlives the test's by a moment, and removes the cluster's directory.
pub(super) struct Keeper {
    process: Child,
}

impl Keeper {
    pub(super) fn watch(directory: &Path) -> Self {
        let process = Command::new("sh")
            .args(["-c", SCRIPT, "keeper"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Whoever kills the test with its group does not kill the keeper.
            .process_group(0)
            .spawn()
            .unwrap();
        Self { process }
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has the directory removed, and waits until it is.
    pub(super) fn finish(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
