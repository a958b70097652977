//! The wish to stop: Ctrl-C, or SIGTERM from whatever runs the service.

use tokio::signal::unix::{SignalKind, signal};

/// Completes on the first of SIGINT and SIGTERM.
///
/// # Errors
/// When the system does not let signals be listened to.
pub(crate) fn requested() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
