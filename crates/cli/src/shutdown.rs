//! The wish to stop: Ctrl-C, or SIGTERM from whatever runs the service.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, from the moment they are listened to.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    _file_size: Signal,
}

/// SIGXFSZ: a file would grow over the process's limit (`ulimit -f`). Listened to, it is an error of that write, and
/// not the end of the process.
const FILE_SIZE: SignalKind = SignalKind::from_raw(25);

impl Signals {
    /// Listens.
    ///
    /// # Errors
    /// When the system does not let signals be listened to.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, _file_size: signal(FILE_SIZE)? })
    }

    /// Completes on the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
