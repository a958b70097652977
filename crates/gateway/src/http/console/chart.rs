//! Charts of bars, drawn by the server. What a bar stands for is told when it is pointed at, and to those who hear the
//! page; the chart stretches, its words do not.

use maud::{Markup, html};

/// The height of a chart in its own units.
const HEIGHT: u64 = 1_000;
/// The width of a bar with its gap.
const STEP: usize = 10;

/// A bar of several pieces.
pub(super) struct Bar {
    /// What it stands for, with its values.
    pub(super) title: String,
    /// Its pieces, in the order of the legend.
    pub(super) values: Vec<u64>,
}

/// How the pieces of a bar lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pieces {
    /// One upon the other: together they are the whole.
    Stacked,
    /// Each from the ground, the later before the earlier: each is the whole of something else.
    Overlaid,
}

/// A chart.
pub(super) struct Chart<'a> {
    /// What it shows.
    pub(super) title: &'a str,
    /// What each piece of a bar is; for one piece, nothing need be said.
    pub(super) legend: &'a [&'a str],
    /// Its bars, from left to right.
    pub(super) bars: &'a [Bar],
    /// How its pieces lie.
    pub(super) pieces: Pieces,
    /// The value at its top, in words.
    pub(super) top: &'a dyn Fn(u64) -> String,
    /// What stands below it, from left to right.
    pub(super) axis: &'a [String],
}

/// A number to count up to that is easy to read: 1, 2 or 5 with zeros, and not less than the greatest value.
fn round_up(value: u64) -> u64 {
    let mut scale = 1_u64;
    loop {
        for step in [1, 2, 5] {
            let top = scale.saturating_mul(step);
            if top >= value {
                return top;
            }
        }
        scale = scale.saturating_mul(10);
    }
}

fn height(bar: &Bar, pieces: Pieces) -> u64 {
    match pieces {
        Pieces::Stacked => bar.values.iter().sum(),
        Pieces::Overlaid => bar.values.iter().copied().max().unwrap_or_default(),
    }
}

/// What is drawn of a bar: for each piece where it begins, from the top, and how high it is.
fn drawn(bar: &Bar, pieces: Pieces, top: u64) -> Vec<(u64, u64)> {
    let scaled = |value: u64| u64::try_from(u128::from(value) * u128::from(HEIGHT) / u128::from(top.max(1)));
    let mut below = 0;
    let piece = |value: &u64| {
        let height = scaled(*value).unwrap_or(HEIGHT).min(HEIGHT);
        // What is there is seen, however little it is.
        let height = if *value > 0 { height.max(8) } else { 0 };
        let begins = HEIGHT.saturating_sub(below + height);
        if pieces == Pieces::Stacked {
            below += height;
        }
        (begins, height)
    };
    bar.values.iter().map(piece).collect()
}

/// Draws it.
pub(super) fn chart(chart: &Chart<'_>) -> Markup {
    let top = round_up(chart.bars.iter().map(|bar| height(bar, chart.pieces)).max().unwrap_or_default().max(1));
    let width = chart.bars.len() * STEP;
    html! {
        figure.chart {
            figcaption {
                h3 { (chart.title) }
                @if chart.legend.len() > 1 {
                    ul.legend {
                        @for (number, name) in chart.legend.iter().enumerate() {
                            li { span class={ "swatch piece-" (number) } {} (name) }
                        }
                    }
                }
            }
            div.chart-plot {
                span.chart-top { ((chart.top)(top)) }
                svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(chart.title) {
                    @for (number, bar) in chart.bars.iter().enumerate() {
                        g {
                            title { (bar.title) }
                            rect.ground x=(number * STEP) y="0" width=(STEP) height=(HEIGHT) {}
                            @for (piece, (y, height)) in drawn(bar, chart.pieces, top).into_iter().enumerate() {
                                @if height > 0 {
                                    rect class={ "piece-" (piece) } x=(number * STEP + 1) y=(y) width=(STEP - 2) height=(height) {}
                                }
                            }
                        }
                    }
                }
            }
            div.chart-axis aria-hidden="true" { @for mark in chart.axis { span { (mark) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(values: &[u64]) -> Bar {
        Bar { title: "<b>".to_owned(), values: values.to_vec() }
    }

    #[test]
    fn the_top_is_a_round_number_and_pieces_lie_as_they_should() {
        assert_eq!([0, 1, 3, 7, 11, 501, 5_000].map(round_up), [1, 1, 5, 10, 20, 1_000, 5_000]);
        assert_eq!(round_up(u64::MAX), u64::MAX);
        assert_eq!(drawn(&bar(&[50, 25, 0]), Pieces::Stacked, 100), [(500, 500), (250, 250), (250, 0)]);
        assert_eq!(drawn(&bar(&[50, 25]), Pieces::Overlaid, 100), [(500, 500), (750, 250)]);
        assert_eq!(drawn(&bar(&[1]), Pieces::Stacked, 1_000_000), [(992, 8)]);
    }

    #[test]
    fn a_chart_escapes_its_words() {
        let bars = [bar(&[1]), bar(&[2])];
        let text = chart(&Chart {
            title: "<i>",
            legend: &["<a>", "b"],
            bars: &bars,
            pieces: Pieces::Stacked,
            top: &|top| top.to_string(),
            axis: &["<s>".to_owned()],
        })
        .into_string();
        assert!(
            !text.contains("<i>") && !text.contains("<b>") && !text.contains("<a>") && !text.contains("<s>"),
            "{text}"
        );
    }
}
