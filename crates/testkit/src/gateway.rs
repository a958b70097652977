//! A gateway of the real binary, started, killed and stopped by a test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

/// How much of a log is kept, in bytes: the newest lines.
const LOG_BYTES: usize = 4 << 20;

/// The command that serves a configuration.
pub fn serve(binary: &Path, config: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("serve").arg("--config").arg(config);
    command
}

/// A gateway that was started and has yet to say that it is ready.
pub struct StartingGateway {
    process: Option<Child>,
    log: Option<JoinHandle<String>>,
    address: Receiver<String>,
}

/// A gateway that takes calls. It is killed when dropped.
pub struct RunningGateway {
    process: Child,
    log: Option<JoinHandle<String>>,
    url: String,
}

impl StartingGateway {
    /// Starts the process; [`serve`] makes the command.
    pub fn spawn(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = process.stderr.take().unwrap();
        let (told, address) = channel();
        // Read on to the end, so that a log that nobody wants never blocks the gateway.
        let log = std::thread::spawn(move || read(stderr, |found| drop(told.send(found))));
        Self { process: Some(process), log: Some(log), address }
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// What it has said, when it ends instead.
    pub fn ready(mut self) -> Result<RunningGateway, String> {
        let (mut process, log) = (self.process.take().unwrap(), self.log.take().unwrap());
        if let Ok(address) = self.address.recv() {
            return Ok(RunningGateway { process, log: Some(log), url: format!("http://{address}") });
        }
        process.wait().unwrap();
        Err(log.join().unwrap())
    }

    /// Ends the process at once, ready or not.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for StartingGateway {
    fn drop(&mut self) {
        self.end();
    }
}

impl RunningGateway {
    /// Starts a gateway and waits until it is ready.
    ///
    /// # Errors
    /// What it has said, when it ends instead.
    pub fn start(command: Command) -> Result<Self, String> {
        StartingGateway::spawn(command).ready()
    }

    /// Where it listens, such as `http://127.0.0.1:40001`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends the process at once, as `kill -9` does, and waits until it has ended.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the process to stop.
    pub fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Asks the process to stop, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait()
    }

    /// What a gateway that has ended logged; long logs without their beginning.
    pub fn log(&mut self) -> String {
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for RunningGateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads a log to its end, and finds the address in the line that tells it, as text or as JSON.
fn read(stderr: ChildStderr, mut found: impl FnMut(String)) -> String {
    let (mut kept, mut told) = (String::new(), false);
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let address = line.split_once("address=").or_else(|| line.split_once("\"address\":\""));
        if let Some((_, rest)) = address
            && !told
        {
            found(rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect());
            told = true;
        }
        kept.push_str(&line);
        kept.push('\n');
        if kept.len() > 2 * LOG_BYTES {
            let cut = kept.len() - LOG_BYTES;
            let line_end = kept.bytes().skip(cut).position(|byte| byte == b'\n').map_or(kept.len(), |at| cut + at + 1);
            kept.drain(..line_end);
        }
    }
    kept
}
