//! How a command fails: one line a problem on standard error, and an exit status.

use std::fmt;
use std::process::ExitCode;

/// What a command ends with.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Why a command could not do its work; the text says what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// Wrong usage, a broken file, an address in use: as distinct from an answer that says no, which is 1.
const EXIT_STATUS: u8 = 2;

impl Failure {
    /// A failure of that text.
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// Tells it, and gives the exit status.
    #[allow(clippy::print_stderr, reason = "standard error is where a command line reports")]
    pub(crate) fn report(&self) -> ExitCode {
        if self.0.lines().all(names_its_place) {
            eprintln!("{self}");
        } else {
            eprintln!("baoqiao: {self}");
        }
        ExitCode::from(EXIT_STATUS)
    }
}

/// Whether a line begins with `FILE:LINE: `, as editors and scripts read it: before that nothing is to stand.
fn names_its_place(line: &str) -> bool {
    let place = line.split_once(": ").and_then(|(place, _)| place.rsplit_once(':'));
    place.is_some_and(|(file, number)| !file.is_empty() && number.parse::<u32>().is_ok())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::names_its_place;

    #[test]
    fn a_line_of_a_file_names_its_place() {
        assert!(names_its_place("baoqiao.toml:2: server.lisen: unknown key; did you mean listen?"));
        assert!(names_its_place("/etc/保桥/b.toml:12: x"));
        for other in ["no such file: x", "ledger postgres://127.0.0.1:5433/x: refused", ":7: x", "x:y: z"] {
            assert!(!names_its_place(other), "{other}");
        }
    }
}
