//! The engine over the embedded ledger.
