//! `[documents]`: how the electronic policies look.

use std::path::PathBuf;

use super::reader::Section;

/// How the electronic policies look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsConfig {
    /// The SVG template, absolute; `None` is the built-in one.
    pub template: Option<PathBuf>,
}

pub(super) fn read(section: &Section<'_>) -> DocumentsConfig {
    DocumentsConfig { template: section.item("template").and_then(|item| item.file("the path of an SVG template")) }
}
