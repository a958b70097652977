//! Logs: lines on standard error, as text for people or JSON for collectors.
//!
//! A thread of its own writes them, as many at once as have come: a call never waits for whoever reads the log.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use baoqiao_gateway::config::{LogConfig, LogFormat};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait. A reader that is further behind than this loses lines, and is told how many.
const WAITING_LINES: usize = 16_384;
/// How long the writer lets lines gather: under load it then wakes a few hundred times a second, not once a line.
const GATHERING: Duration = Duration::from_millis(3);
/// How much is written at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1_024;

/// The log; what is waiting when it is finished is written first.
pub(crate) struct Log {
    lines: Lines,
    writer: JoinHandle<()>,
}

/// Starts logging as configured; later calls of the process change nothing.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(config: &LogConfig) -> io::Result<Log> {
    let (sender, receiver) = sync_channel(WAITING_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let lines = Lines { sender, lost: Arc::clone(&lost) };
    let format = config.format;
    let write = move || write_all(&receiver, &lost, format, GATHERING, &mut io::stderr());
    let writer = std::thread::Builder::new().name("log".to_owned()).spawn(write)?;
    let builder =
        tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(LevelFilter::from_level(config.level));
    // A second start is refused by the library, and the first goes on.
    let _ = match config.format {
        LogFormat::Text => builder.with_target(false).with_ansi(io::stderr().is_terminal()).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    Ok(Log { lines, writer })
}

impl Log {
    /// Writes what is waiting, and ends.
    pub(crate) fn finish(self) {
        // An empty line is the mark of the end; if the writer is gone already, there is nothing to wait for.
        let _ = self.lines.sender.send(Vec::new());
        let _ = self.writer.join();
    }
}

/// Hands each line to the writing thread.
#[derive(Clone)]
struct Lines {
    sender: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;
    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// The library writes each event in one call.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(line.to_vec()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(
    lines: &Receiver<Vec<u8>>,
    lost: &AtomicU64,
    format: LogFormat,
    gathering: Duration,
    output: &mut impl Write,
) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    while let Ok(first) = lines.recv() {
        let mut ended = first.is_empty();
        chunk.extend_from_slice(&first);
        while chunk.len() < CHUNK_BYTES && !ended {
            let Ok(next) = lines.try_recv() else { break };
            ended = next.is_empty();
            chunk.extend_from_slice(&next);
        }
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            chunk.extend_from_slice(lost_line(format, missing).as_bytes());
        }
        // Nobody is left to tell that the log cannot be written.
        let _ = output.write_all(&chunk);
        chunk.clear();
        if ended {
            return;
        }
        gather(gathering);
    }
}

fn lost_line(format: LogFormat, missing: u64) -> String {
    match format {
        LogFormat::Text => format!("{missing} log lines were lost: they came faster than they were read\n"),
        LogFormat::Json => format!("{{\"level\":\"WARN\",\"message\":\"log lines were lost\",\"lines\":{missing}}}\n"),
    }
}

#[allow(clippy::disallowed_methods, reason = "there is no event to wait for: letting lines gather is the point")]
fn gather(gathering: Duration) {
    std::thread::sleep(gathering);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_in_order_and_what_is_lost_is_told() {
        let (sender, receiver) = sync_channel(2);
        let lost = Arc::new(AtomicU64::new(0));
        let lines = Lines { sender, lost: Arc::clone(&lost) };
        for line in ["a\n", "b\n", "c\n"] {
            lines.make_writer().write_all(line.as_bytes()).unwrap();
        }
        drop(lines);
        let mut output = Vec::new();
        write_all(&receiver, &lost, LogFormat::Text, Duration::ZERO, &mut output);
        let written = String::from_utf8(output).unwrap();
        assert_eq!(written, "a\nb\n1 log lines were lost: they came faster than they were read\n");
    }

    #[test]
    fn the_mark_of_the_end_ends_the_writing() {
        let (sender, receiver) = sync_channel(4);
        sender.send(b"a\n".to_vec()).unwrap();
        sender.send(Vec::new()).unwrap();
        let mut output = Vec::new();
        write_all(&receiver, &AtomicU64::new(0), LogFormat::Json, Duration::ZERO, &mut output);
        assert_eq!(output, b"a\n");
    }
}
