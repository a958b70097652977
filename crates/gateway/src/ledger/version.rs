//! What is told of a ledger whose schema is another than this program's.

/// Why a ledger of schema version `found` is not read by a program that knows `known`, and what is done about it.
pub(super) fn mismatch(found: usize, known: usize) -> String {
    let remedy = if found < known {
        "`baoqiao serve` of this version brings it up; the baoqiao that wrote it reads and copies it as it is"
    } else {
        "it needs a newer baoqiao"
    };
    format!("the ledger has schema version {found}, this program reads {known}: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_way_it_is_said_which_program_is_wanted() {
        assert!(mismatch(3, 4).ends_with("reads 4: `baoqiao serve` of this version brings it up; the baoqiao that wrote it reads and copies it as it is"));
        assert!(mismatch(5, 4).ends_with("reads 4: it needs a newer baoqiao"));
    }
}
