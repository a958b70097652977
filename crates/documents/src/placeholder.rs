//! Placeholders in text: `{{name}}`, and how the text that they stand in is laid out.

use crate::error::Problem;
use crate::marker::{is_name, length};

/// One run of text, as the template has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) parts: Vec<Part>,
    pub(crate) layout: Option<Layout>,
}

/// A piece of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    Field(String),
}

/// What becomes of a run that is wider than its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// The field that carries the directive; `follow-` knows the run by it.
    pub(crate) field: String,
    /// User units.
    pub(crate) width: f32,
    pub(crate) overflow: Overflow,
}

/// The two ways to fit text into a width.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Overflow {
    /// Continue on further lines.
    Wrap { lines: usize, leading: Option<f32> },
    /// Set it smaller, down to `least` user units.
    Shrink { least: Option<f32> },
}

const MOST_LINES: usize = 100;

/// Reads one run of text; `None` when it has no placeholder.
pub(crate) fn read(text: &str) -> Result<Option<Run>, Problem> {
    let mut run = Run { parts: Vec::new(), layout: None };
    let mut found = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        literal(&mut run.parts, before, text)?;
        let (inside, after) = after.split_once("}}").ok_or_else(|| Problem::Unclosed(text.trim().to_owned()))?;
        let (name, directive) = match inside.split_once('|') {
            Some((name, directive)) => (name.trim(), Some(directive)),
            None => (inside.trim(), None),
        };
        if !is_name(name) {
            return Err(Problem::UnknownField { name: name.to_owned(), hint: String::new() });
        }
        if let Some(directive) = directive {
            if run.layout.is_some() {
                return Err(bad(directive, "one run of text takes one directive"));
            }
            run.layout = Some(layout(name, directive)?);
        }
        run.parts.push(Part::Field(name.to_owned()));
        found = true;
        rest = after;
    }
    literal(&mut run.parts, rest, text)?;
    Ok(found.then_some(run))
}

fn literal(parts: &mut Vec<Part>, literal: &str, text: &str) -> Result<(), Problem> {
    if literal.contains("}}") {
        return Err(Problem::Unclosed(text.trim().to_owned()));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}

fn layout(field: &str, directive: &str) -> Result<Layout, Problem> {
    let mut options = Vec::new();
    for option in directive.split(',') {
        let (key, value) =
            option.split_once('=').ok_or_else(|| bad(directive, "an option has the form name=number"))?;
        let value = length(value).map_err(|reason| bad(directive, reason))?;
        options.push((key.trim(), value));
    }
    let take = |name: &str| options.iter().find(|(key, _)| *key == name).map(|(_, v)| *v);
    let mut allowed: Vec<&str> = Vec::new();
    let (width, overflow) = match (take("wrap"), take("fit")) {
        (Some(width), None) => {
            allowed.extend(["wrap", "lines", "leading"]);
            let lines = take("lines").ok_or_else(|| bad(directive, "wrap needs lines"))?;
            let lines = (1..=MOST_LINES)
                .find(|count| directive_number(*count).eq(&lines))
                .ok_or_else(|| bad(directive, "lines is a whole number from 1 to 100"))?;
            let leading = take("leading");
            (width, Overflow::Wrap { lines, leading })
        }
        (None, Some(width)) => {
            allowed.extend(["fit", "min"]);
            (width, Overflow::Shrink { least: take("min") })
        }
        _ => return Err(bad(directive, "either wrap or fit is needed")),
    };
    let repeated = |key: &str| options.iter().filter(|(other, _)| *other == key).count() > 1;
    for (key, _) in &options {
        if !allowed.contains(key) || repeated(key) {
            return Err(bad(directive, "an option is unknown here, or given twice"));
        }
    }
    Ok(Layout { field: field.to_owned(), width, overflow })
}

fn directive_number(count: usize) -> f32 {
    u16::try_from(count).map_or(f32::MAX, f32::from)
}

fn bad(directive: &str, reason: &'static str) -> Problem {
    Problem::BadDirective { directive: directive.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_without_placeholder_is_left_alone() {
        assert_eq!(read("保险单号 { a }").unwrap(), None);
        assert_eq!(read("").unwrap(), None);
    }

    #[test]
    fn parts_and_directives() {
        let run = read("自 {{ period_from }} 至{{period_to|fit=80, min=6.5}}止").unwrap().unwrap();
        let field = |name: &str| Part::Field(name.to_owned());
        let literal = |text: &str| Part::Literal(text.to_owned());
        assert_eq!(
            run.parts,
            [literal("自 "), field("period_from"), literal(" 至"), field("period_to"), literal("止")]
        );
        let layout = run.layout.unwrap();
        assert_eq!(layout.field, "period_to");
        assert_eq!(layout.overflow, Overflow::Shrink { least: Some(6.5) });
        let run = read("{{a|wrap=360,lines=3,leading=18}}").unwrap().unwrap();
        let wrap = Overflow::Wrap { lines: 3, leading: Some(18.0) };
        assert_eq!(run.layout.unwrap().overflow, wrap);
    }

    #[test]
    fn what_does_not_read_is_refused() {
        for text in ["{{a", "a}}", "{{a}} }}", "{{a}}{{b"] {
            assert!(matches!(read(text), Err(Problem::Unclosed(_))), "{text}");
        }
        for text in ["{{}}", "{{A}}", "{{a b}}", "{{{a}}}", "{{<b>}}"] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in [
            "{{a|}}",
            "{{a|wrap=10}}",
            "{{a|wrap=10,lines=0}}",
            "{{a|wrap=10,lines=1.5}}",
            "{{a|wrap=10,lines=101}}",
            "{{a|wrap=10,lines=2,fit=3}}",
            "{{a|fit=10,lines=2}}",
            "{{a|fit=-1}}",
            "{{a|fit=NaN}}",
            "{{a|fit=10,fit=20}}",
            "{{a|wrap}}",
            "{{a|fit=10}}{{b|fit=10}}",
        ] {
            assert!(matches!(read(text), Err(Problem::BadDirective { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[{}|a-c=,0-9wraplinesfit ]{0,40}") {
            let _ = read(&text);
        }
    }
}
