//! What one document says.

use std::collections::BTreeMap;

/// One row of a group: field name to text.
pub type Row = BTreeMap<String, String>;

/// The texts of one document, under the names of the template's [`crate::Schema`].
///
/// A name that is absent counts as empty. A text is shown as it is and never interpreted; runs of blanks and line
/// breaks become one blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Single texts.
    pub values: BTreeMap<String, String>,
    /// Rows in the order in which they are shown.
    pub groups: BTreeMap<String, Vec<Row>>,
    /// Payloads of QR codes; an absent or empty one leaves its place blank.
    pub qr: BTreeMap<String, String>,
}
