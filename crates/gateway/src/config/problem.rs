//! What can be wrong with the file, and how it is told.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One thing that is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, counted from 1.
    pub line: usize,
    /// The key's path, such as `server.listen`; absent where the file is not TOML.
    pub key: Option<String>,
    /// What came, and what was expected. Never a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    /// `LINE: key: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file says what it must not, or not what it must.
    Invalid {
        /// The file as it was named.
        path: PathBuf,
        /// Everything that is wrong, in the order of the lines.
        problems: Vec<Problem>,
    },
}

impl fmt::Display for ConfigError {
    /// `FILE:LINE: key: what came; expected what`, one line a problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "{}: {source}; `baoqiao init --dir DIR` writes a sample", path.display())
            }
            Self::Invalid { path, problems } => {
                for (index, problem) in problems.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}:{problem}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Invalid { .. } => None,
        }
    }
}
