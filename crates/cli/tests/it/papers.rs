//! What the papers tell people to run is there.

use std::path::{Path, PathBuf};

/// The READMEs and what lies beside them, and the pages of the documentation.
fn papers(root: &Path) -> Vec<PathBuf> {
    let folders = [root.to_owned(), root.join("docs")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The scripts that a text names.
fn scripts(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("scripts/").map(|(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)).unwrap_or(rest.len());
        rest[..end].trim_end_matches('.')
    })
}

#[test]
fn every_script_that_the_papers_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut named = 0;
    for paper in papers(&root) {
        for script in scripts(&std::fs::read_to_string(&paper).unwrap()) {
            named += 1;
            assert!(root.join(script).exists(), "{} names {script}, which is not there", paper.display());
        }
    }
    assert!(named > 10, "{named}");
}
