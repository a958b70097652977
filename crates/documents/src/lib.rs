//! Electronic policy documents.
