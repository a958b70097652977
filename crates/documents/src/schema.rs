//! What a template may ask for: names, known before any policy is.

/// One name that a template may use, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name as the template writes it: lower-case letters, digits and `_`.
    pub name: &'static str,
    /// What the caller puts there, with its form.
    pub meaning: &'static str,
}

/// A list of rows, each with the same fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The name as the template writes it.
    pub name: &'static str,
    /// What one row is.
    pub meaning: &'static str,
    /// The fields of a row.
    pub fields: &'static [Field],
}

/// All names that the caller of a template fills. [`crate::Template::parse`] refuses any other name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Single texts.
    pub fields: &'static [Field],
    /// Lists of rows.
    pub groups: &'static [Group],
    /// Payloads of QR codes.
    pub qr: &'static [Field],
}

impl Schema {
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    pub(crate) fn has_qr(&self, name: &str) -> bool {
        self.qr.iter().any(|field| field.name == name)
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }
}
