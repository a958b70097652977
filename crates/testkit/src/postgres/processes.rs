//! Signals to a server and its backends.

use std::os::fd::OwnedFd;
use std::process::Child;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// Processes that were told to end, and are no children of ours.
pub(super) struct Ending(Vec<OwnedFd>);

impl Ending {
    /// Returns when the last has ended. A server that starts while an old backend lives refuses to.
    pub(super) fn wait_for_end(self) {
        for process in &self.0 {
            while poll(&mut [PollFd::new(process, PollFlags::IN)], None).is_err() {}
        }
    }
}

pub(super) fn signal(process: &Child, signal: Signal) {
    // It may have ended by itself.
    let _ = kill_process(Pid::from_child(process), signal);
}

/// Kills a server and its backends at one moment: while the server stands still it starts no new ones.
pub(super) fn kill_with_children(server: &Child) -> Ending {
    signal(server, Signal::STOP);
    let backends: Vec<_> = children(server.id()).filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect();
    signal(server, Signal::KILL);
    for backend in &backends {
        let _ = pidfd_send_signal(backend, Signal::KILL);
    }
    Ending(backends)
}

fn children(parent: u32) -> impl Iterator<Item = Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(move |entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name, which is in brackets and may hold anything: the state, then the parent.
        let (_, fields) = stat.rsplit_once(')')?;
        let its_parent: u32 = fields.split_whitespace().nth(1)?.parse().ok()?;
        if its_parent == parent { Pid::from_raw(pid) } else { None }
    })
}
