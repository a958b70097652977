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
    let template = section.item("template").and_then(|item| {
        let path =
            item.text("the path of an SVG template", |text| (!text.trim().is_empty()).then(|| section.resolve(text)))?;
        if !path.is_file() {
            item.refuse(format_args!("the path of an SVG template: there is no file {}", path.display()));
        }
        Some(path)
    });
    DocumentsConfig { template }
}
