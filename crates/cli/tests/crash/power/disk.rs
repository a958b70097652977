//! A disk whose power went: what was synced is there, the rest as chance has it.
//!
//! No more is taken for granted than POSIX says: a write lasts when a sync of its file began after it and has ended; a
//! file's name lasts, or its absence, when its directory was synced. What lasts not may be there, in whole, in part or not
//! at all, and in any order.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use fastrand::Rng;

use super::trace::{Call, Trace};

/// What a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// A moment at which the power goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// After this line of the trace.
    pub(super) line: usize,
    /// Whether all that was written is there, as when only the process was killed.
    pub(super) keeps_all: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Create,
    Remove,
    Write { at: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

/// A change to a file.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    file: String,
    kind: Kind,
    begun: usize,
    ended: usize,
    /// From which line on it lasts.
    lasts_from: usize,
}

/// Every change to the files of a directory.
#[derive(Debug, Default)]
pub(super) struct History {
    changes: Vec<Change>,
}

impl History {
    /// The changes that a trace tells of, but for those to SQLite's shared memory, which is made anew at each start.
    pub(super) fn of(trace: &Trace, directory: &Path) -> Self {
        let directory = directory.to_str().unwrap();
        let mut history = Self::default();
        let mut open: HashMap<i64, String> = HashMap::new();
        for call in trace.calls.iter().filter(|call| call.result >= 0) {
            let file = call.descriptor().and_then(|descriptor| open.get(&descriptor));
            match (call.name.as_str(), file) {
                ("openat", _) => {
                    let path = call.path();
                    history.open(call, &path, directory);
                    open.insert(call.result, path);
                }
                ("close", _) => drop(open.remove(&call.descriptor().unwrap())),
                ("unlink", _) => history.note(call, &call.path(), directory, Kind::Remove),
                ("rename", _) => panic!("no file of a ledger is renamed: {}", call.arguments),
                ("pwrite64", Some(file)) => {
                    let kind = Kind::Write { at: call.last_number(), bytes: call.bytes() };
                    history.note(call, file, directory, kind);
                }
                ("ftruncate", Some(file)) => {
                    history.note(call, file, directory, Kind::Truncate { length: call.last_number() });
                }
                ("fsync" | "fdatasync", Some(file)) => history.sync(call, file, directory),
                _ => (),
            }
        }
        history
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    fn open(&mut self, call: &Call, path: &str, directory: &str) {
        let is_new = call.arguments.contains("O_CREAT") && !self.exists(path, directory);
        if is_new {
            self.note(call, path, directory, Kind::Create);
        }
    }

    fn exists(&self, path: &str, directory: &str) -> bool {
        let Some(file) = name(path, directory) else { return true };
        let made_or_removed =
            |change: &&Change| change.file == file && matches!(change.kind, Kind::Create | Kind::Remove);
        self.changes.iter().rev().find(made_or_removed).is_some_and(|change| change.kind == Kind::Create)
    }

    fn note(&mut self, call: &Call, path: &str, directory: &str, kind: Kind) {
        let Some(file) = name(path, directory) else { return };
        let (file, lasts_from) = (file.to_owned(), usize::MAX);
        self.changes.push(Change { file, kind, begun: call.begun, ended: call.ended, lasts_from });
    }

    fn sync(&mut self, call: &Call, path: &str, directory: &str) {
        let file = name(path, directory);
        let of_names = path == directory;
        for change in self.changes.iter_mut().rev() {
            let is_name = matches!(change.kind, Kind::Create | Kind::Remove);
            let concerned = if of_names { is_name } else { !is_name && Some(change.file.as_str()) == file };
            if concerned && change.ended < call.begun {
                change.lasts_from = change.lasts_from.min(call.ended);
            }
        }
    }

    /// Writes the files as they may be after a cut.
    pub(super) fn lay_out(&self, cut: &Cut, directory: &Path, rng: &mut Rng) {
        for (file, content) in self.image(cut, rng) {
            std::fs::write(directory.join(file), content).unwrap();
        }
    }

    fn image(&self, cut: &Cut, rng: &mut Rng) -> BTreeMap<&str, Vec<u8>> {
        let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for change in self.changes.iter().filter(|change| change.begun <= cut.line) {
            let lasts = cut.keeps_all || change.lasts_from <= cut.line;
            let file = change.file.as_str();
            match &change.kind {
                Kind::Create if lasts || rng.bool() => drop(files.entry(file).or_default()),
                Kind::Remove if lasts || rng.bool() => drop(files.remove(file)),
                Kind::Create | Kind::Remove => (),
                Kind::Write { at, bytes } => {
                    let Some(content) = files.get_mut(file) else { continue };
                    write(content, usize::try_from(*at).unwrap(), bytes, lasts, rng);
                }
                Kind::Truncate { length } => {
                    let Some(content) = files.get_mut(file) else { continue };
                    if lasts || rng.bool() {
                        content.resize(usize::try_from(*length).unwrap(), 0);
                    }
                }
            }
        }
        files
    }
}

/// The file's name, where it is one of the directory's that count.
fn name<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let name = path.strip_prefix(directory)?.strip_prefix('/')?;
    (name.starts_with("ledger.db") && !name.ends_with("-shm")).then_some(name)
}

/// What does not last is there in whole, in some of its sectors, or not at all.
fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8], lasts: bool, rng: &mut Rng) {
    let torn = match rng.u8(..3) {
        _ if lasts => false,
        0 => false,
        1 => return,
        _ => true,
    };
    let mut done = 0;
    while done < bytes.len() {
        let end = bytes.len().min(done + SECTOR - (at + done) % SECTOR);
        if !torn || rng.bool() {
            let length = content.len().max(at + end);
            content.resize(length, 0);
            content[at + done..at + end].copy_from_slice(&bytes[done..end]);
        }
        done = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(begun: usize, name: &str, arguments: &str, result: i64) -> Call {
        Call { begun, ended: begun, name: name.to_owned(), arguments: arguments.to_owned(), result }
    }

    /// `/d/ledger.db`, written twice, with a sync between.
    fn history() -> History {
        let file = r"\x2f\x64\x2f\x6c\x65\x64\x67\x65\x72\x2e\x64\x62";
        let directory = r"\x2f\x64";
        let trace = Trace {
            calls: vec![
                call(1, "openat", &format!("AT_FDCWD, \"{file}\", O_RDWR|O_CREAT, 0600"), 5),
                call(2, "pwrite64", r#"5, "\x41\x41", 2, 0"#, 2),
                call(3, "fdatasync", "5", 0),
                call(4, "openat", &format!("AT_FDCWD, \"{directory}\", O_RDONLY"), 6),
                call(5, "fsync", "6", 0),
                call(6, "pwrite64", r#"5, "\x42", 1, 1"#, 1),
                call(7, "ftruncate", "5, 1", 0),
            ],
            ..Trace::default()
        };
        History::of(&trace, Path::new("/d"))
    }

    /// Every content that the file may have.
    fn contents(line: usize, keeps_all: bool) -> Vec<Option<String>> {
        let history = history();
        let mut found: Vec<_> = (0..200)
            .map(|seed| {
                let cut = Cut { line, keeps_all };
                let mut image = history.image(&cut, &mut Rng::with_seed(seed));
                image.remove("ledger.db").map(|content| String::from_utf8(content).unwrap())
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn texts(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_as_chance_has_it() {
        let nameless = |texts: &[&str]| [vec![None], self::texts(texts)].concat();
        assert_eq!(contents(1, false), nameless(&[""]));
        assert_eq!(contents(2, false), nameless(&["", "AA"]));
        assert_eq!(contents(3, false), nameless(&["AA"]), "its name does not last yet");
        assert_eq!(contents(5, false), texts(&["AA"]));
        assert_eq!(contents(6, false), texts(&["AA", "AB"]));
        assert_eq!(contents(7, false), texts(&["A", "AA", "AB"]));
    }

    #[test]
    fn a_killed_process_leaves_all_that_it_wrote() {
        assert_eq!(contents(2, true), texts(&["AA"]));
        assert_eq!(contents(6, true), texts(&["AB"]));
        assert_eq!(contents(7, true), texts(&["A"]));
    }

    #[test]
    fn a_write_is_torn_between_sectors_alone() {
        let torn = (0..50).filter(|seed| {
            let mut content = vec![0; 4 * SECTOR];
            write(&mut content, 100, &[1; 3 * SECTOR], false, &mut Rng::with_seed(*seed));
            let sectors = [&content[SECTOR..2 * SECTOR], &content[2 * SECTOR..3 * SECTOR]];
            assert!(sectors.iter().all(|sector| sector.iter().all(|byte| *byte == sector[0])), "seed {seed}");
            sectors[0] != sectors[1]
        });
        assert!(torn.count() > 5);
    }
}
