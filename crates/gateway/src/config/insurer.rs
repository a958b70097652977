//! `[insurer]`: who stands on the policy documents.

use super::reader::{Section, plain_text};
use crate::documents::Insurer;

/// The name has no default, since it stands on every policy; address and hotline may be empty.
pub(super) fn read(section: &Section<'_>) -> Insurer {
    let name = section.text("name", "the insurer's full name, as on its policies", plain_text);
    Insurer {
        name: name.unwrap_or_default().to_owned(),
        address: section.text_or("address", "", "one line of text", line_or_nothing).to_owned(),
        hotline: section.text_or("hotline", "", "one line of text", line_or_nothing).to_owned(),
    }
}

fn line_or_nothing(text: &str) -> Option<&str> {
    if text.is_empty() { Some(text) } else { plain_text(text) }
}
