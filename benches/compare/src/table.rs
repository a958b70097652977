//! The tables, and their place in the document.

use std::fmt::Write as _;
use std::fs;

use crate::contestant::Contestant;
use crate::measure::{Result, Sample, Workload};

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

#[allow(clippy::cast_precision_loss, reason = "far below 2⁵³")]
fn ratio(of: u64, to: u64) -> f64 {
    of as f64 / to.max(1) as f64
}

pub(crate) fn closed(contestants: &[Contestant], medians: &[Sample]) -> String {
    let mut text = "| Fresh issuings, 64 connections | A second | To axum + sqlx | To the ceiling | p50 | p99 | CPU each | Resident |\n\
                    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        .to_owned();
    let rate_of = |one: Contestant| {
        let at = contestants.iter().position(|other| *other == one);
        at.and_then(|at| medians.get(at)).map(|median| median.per_s)
    };
    let to = |rate: u64, one: Contestant| {
        rate_of(one).map_or("–".to_owned(), |other| format!("{:.2}", ratio(rate, other)))
    };
    for (one, median) in contestants.iter().zip(medians) {
        let Sample { per_s, p50_ms, p99_ms, cpu_us, resident_mb, .. } = median;
        let (first, ceiling) = (to(*per_s, Contestant::FirstVersion), to(*per_s, Contestant::Ceiling));
        let label = one.label();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n| {label} | {per_s} | {first} | {ceiling} | {p50_ms:.1} ms | {p99_ms:.1} ms | {cpu_us:.0} µs | {resident_mb} MB |"
        );
    }
    text
}

pub(crate) fn open(contestants: &[Contestant], medians: &[Sample]) -> String {
    let mut text =
        "| Open loop at half of that rate | A second | p50 | p99 | p99.9 |\n| --- | ---: | ---: | ---: | ---: |"
            .to_owned();
    for (one, median) in contestants.iter().zip(medians) {
        let Sample { per_s, p50_ms, p99_ms, p999_ms, .. } = median;
        let _ = write!(text, "\n| {} | {per_s} | {p50_ms:.1} ms | {p99_ms:.1} ms | {p999_ms:.1} ms |", one.label());
    }
    text
}

pub(crate) fn workloads(contestants: &[Contestant], rows: &[(&Workload, Vec<Sample>)]) -> String {
    let mut text = "| Workload, 64 connections |".to_owned();
    for one in contestants {
        let _ = write!(text, " {} | p99 |", one.label());
    }
    text.push_str("\n| --- |");
    text.push_str(&" ---: | ---: |".repeat(contestants.len()));
    for (workload, medians) in rows {
        let _ = write!(text, "\n| {} |", workload.label);
        for median in medians {
            let _ = write!(text, " {} | {:.1} ms |", median.per_s, median.p99_ms);
        }
    }
    text
}

/// Puts the text between the document's markers.
pub(crate) fn write(path: &str, text: &str) -> Result<()> {
    let document = fs::read_to_string(path)?;
    let placed = between_markers(&document, text).ok_or_else(|| format!("{path} lacks {BEGIN} and {END}"))?;
    Ok(fs::write(path, placed)?)
}

fn between_markers(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{text}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let placed = between_markers(&document, "new").unwrap();
        assert_eq!(placed, format!("a\n{BEGIN}\n\nnew\n\n{END}\nz\n"));
        assert_eq!(between_markers(&placed, "new").unwrap(), placed);
        assert_eq!(between_markers("a", "new"), None);
    }

    #[test]
    fn ratios_are_told_where_there_is_something_to_compare_with() {
        let sample = |per_s| Sample { per_s, ..Sample::default() };
        let contestants = [Contestant::Sqlite, Contestant::FirstVersion];
        let text = closed(&contestants, &[sample(10_000), sample(2_000)]);
        assert!(text.contains("| Baoqiao on SQLite | 10000 | 5.00 | – |"), "{text}");
    }
}
