//! Bars as SVG, drawn by hand: a plot of five numbers needs no library.

use std::fmt::Write as _;

use crate::contestant::Contestant;
use crate::measure::{Sample, median};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const BAR: f64 = 22.0;
const STEP: f64 = 38.0;
const TOP: f64 = 44.0;

struct Bar {
    label: String,
    value: f64,
    /// The smallest and the largest that were seen.
    range: (f64, f64),
    text: String,
}

/// Issuings a second, with the range over the rounds.
#[allow(clippy::cast_precision_loss, reason = "far below 2⁵³")]
pub(crate) fn rates(contestants: &[Contestant], samples: &[Vec<Sample>]) -> String {
    let bar = |(one, samples): (&Contestant, &Vec<Sample>)| {
        let rates = || samples.iter().map(|sample| sample.per_s as f64);
        let value = median(samples).per_s;
        let range = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        Bar { label: one.label().to_owned(), value: value as f64, range, text: value.to_string() }
    };
    svg("Durable issuings a second, 64 connections", &contestants.iter().zip(samples).map(bar).collect::<Vec<_>>())
}

/// p99 at half of the top rate.
pub(crate) fn latencies(contestants: &[Contestant], medians: &[Sample]) -> String {
    let bar = |(one, median): (&Contestant, &Sample)| Bar {
        label: one.label().to_owned(),
        value: median.p99_ms,
        range: (median.p50_ms, median.p99_ms),
        text: format!("{:.1} ms at {} a second", median.p99_ms, median.per_s),
    };
    let title = "p99 in an open loop at half of each one's top rate (the mark begins at p50)";
    svg(title, &contestants.iter().zip(medians).map(bar).collect::<Vec<_>>())
}

fn svg(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value.max(bar.range.1)).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + value / most * (WIDTH - LEFT - 170.0);
    let mut text = String::new();
    let mut y = TOP;
    for bar in bars {
        let (end, middle) = (x(bar.value), y + BAR / 2.0);
        let (from, to) = (x(bar.range.0), x(bar.range.1));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"#2f6f9f\"/>\
             <path d=\"M{from:.1} {middle}H{to:.1}\" stroke=\"#d9822b\" stroke-width=\"3\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            LEFT - 10.0,
            middle + 5.0,
            bar.label,
            end - LEFT,
            end.max(to) + 8.0,
            middle + 5.0,
            bar.text,
        );
        y += STEP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"24\" font-weight=\"bold\">{title}</text>\n{text}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_leaves_room_for_its_figure() {
        let samples = vec![vec![Sample { per_s: 10_000, ..Sample::default() }], vec![Sample::default()]];
        let svg = rates(&[Contestant::Sqlite, Contestant::Ceiling], &samples);
        assert!(svg.contains("width=\"400.0\"") && svg.contains(">10000</text>"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
