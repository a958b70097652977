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
        eprintln!("baoqiao: {self}");
        ExitCode::from(EXIT_STATUS)
    }
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
