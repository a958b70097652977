//! What `strace` saw, line by line.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

/// Everything that changes files, makes them last, or leaves the process as an answer.
const CALLS: &str = "trace=openat,close,write,pwrite64,writev,sendto,ftruncate,unlink,rename,fsync,fdatasync";

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The line at which it began.
    pub(super) begun: usize,
    /// The line at which it had ended; never, where the trace does not tell.
    pub(super) ended: usize,
    pub(super) name: String,
    pub(super) arguments: String,
    /// Negative where it failed.
    pub(super) result: i64,
}

/// The calls in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) calls: Vec<Call>,
    /// How many there are: each is a moment at which the power can go.
    pub(super) lines: usize,
    /// What went out through anything that is no file of ours, with its line.
    pub(super) sendings: Vec<(usize, String)>,
}

/// The command, traced into `pipe`; the process that it starts is the gateway itself.
pub(super) fn strace(pipe: &Path, gateway: &Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-q", "-xx", "-s", "2000000", "-e", CALLS, "-e", "signal=none", "-o"]).arg(pipe);
    strace.arg(gateway.get_program()).args(gateway.get_args());
    strace
}

impl Trace {
    /// Reads a trace to its end, which is that of the gateway.
    pub(super) fn read(pipe: &Path) -> Self {
        let mut trace = Self::default();
        let mut unfinished = HashMap::new();
        for line in BufReader::new(File::open(pipe).unwrap()).lines() {
            trace.take(&line.unwrap(), &mut unfinished);
        }
        let goes_out = |call: &&Call| matches!(call.name.as_str(), "write" | "writev" | "sendto");
        let text = |call: &Call| String::from_utf8_lossy(&call.bytes()).into_owned();
        trace.sendings = trace.calls.iter().filter(goes_out).map(|call| (call.begun, text(call))).collect();
        trace
    }

    fn take(&mut self, line: &str, unfinished: &mut HashMap<String, usize>) {
        self.lines += 1;
        let Some((thread, rest)) = line.split_once(' ') else { return };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(at) = unfinished.remove(thread) else { return };
            let (_, tail) = resumed.split_once(" resumed>").unwrap();
            let call = &mut self.calls[at];
            call.ended = self.lines;
            call.result = result(tail);
            return;
        }
        let Some((name, rest)) = rest.split_once('(') else { return };
        let call = |arguments: &str, ended, result| Call {
            begun: self.lines,
            ended,
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            result,
        };
        let call = if let Some(arguments) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread.to_owned(), self.calls.len());
            call(arguments, usize::MAX, 0)
        } else {
            let (arguments, _) = rest.rsplit_once(')').unwrap();
            call(arguments, self.lines, result(rest))
        };
        self.calls.push(call);
    }

    /// The line at which this text went out first.
    pub(super) fn went_out(&self, text: &str) -> Option<usize> {
        self.sendings.iter().find(|(_, sending)| sending.contains(text)).map(|(line, _)| *line)
    }
}

/// What stands behind the last `= `.
fn result(text: &str) -> i64 {
    let (_, result) = text.rsplit_once("= ").unwrap_or_default();
    result.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(-1)
}

impl Call {
    /// The first argument, where it is a number.
    pub(super) fn descriptor(&self) -> Option<i64> {
        self.arguments.split(',').next()?.parse().ok()
    }

    /// The last argument, where it is a number.
    pub(super) fn last_number(&self) -> u64 {
        self.arguments.rsplit(", ").next().unwrap().parse().unwrap()
    }

    /// The bytes in quotation marks, all of them one after the other.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let quoted = self.arguments.split('"').skip(1).step_by(2);
        quoted.flat_map(|text| text.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).unwrap())).collect()
    }

    /// The path in the first quotation marks.
    pub(super) fn path(&self) -> String {
        let quoted = self.arguments.split('"').nth(1).unwrap_or_default();
        let bytes: Vec<u8> = quoted.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
        let path: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&bytes);
        path.to_str().unwrap().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_also_where_threads_take_turns() {
        let mut trace = Trace::default();
        let mut unfinished = HashMap::new();
        for line in [
            r#"12  openat(AT_FDCWD, "\x2f\x61", O_RDWR|O_CREAT, 0644) = 9"#,
            r#"12  pwrite64(9, "\x41\x42", 2, 4096 <unfinished ...>"#,
            r#"13  writev(7, [{iov_base="\x6f", iov_len=1}, {iov_base="\x6b", iov_len=1}], 2) = 2"#,
            r"12  <... pwrite64 resumed>)             = 2",
            r"13  fdatasync(9)                        = 0",
            r#"13  unlink("\x2f\x62") = -1 ENOENT (No such file or directory)"#,
            r"12  +++ exited with 0 +++",
        ] {
            trace.take(line, &mut unfinished);
        }
        let [open, write, answer, sync, unlink] = trace.calls.as_slice() else { panic!("{trace:?}") };
        assert_eq!((open.path().as_str(), open.result), ("/a", 9));
        assert_eq!((write.descriptor(), write.bytes(), write.last_number()), (Some(9), b"AB".to_vec(), 4096));
        assert_eq!((write.begun, write.ended, write.result), (2, 4, 2));
        assert_eq!(answer.bytes(), b"ok");
        assert_eq!((sync.name.as_str(), sync.descriptor(), sync.result), ("fdatasync", Some(9), 0));
        assert_eq!((unlink.path().as_str(), unlink.result), ("/b", -1));
        assert_eq!(trace.lines, 7);
    }
}
