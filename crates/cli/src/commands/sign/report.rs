//! An explanation as text.

use std::fmt::Write as _;

use baoqiao_channels::explain::{
    Audience, Comparison, Explanation, Part, SignedBody, Signing, Source, Standing, Words,
};
use baoqiao_channels::rule::Rule;

use crate::commands::values::visible;

/// Whether values that may hold personal data are shown: those of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Shown,
    Hidden,
}

/// All of it, under headings.
pub(super) fn report(explanation: &Explanation, content: Content) -> String {
    let mut text = String::new();
    steps(explanation, &mut text);
    if let Some(signing) = &explanation.signing {
        parameters(signing, content, &mut text);
        string_to_sign(signing, content, &mut text);
        signatures(signing, &mut text);
    }
    if let Some(Words { zh, en }) = &explanation.letter {
        let _ = write!(text, "\nto forward, 可转给对方\n{}\n\n{}\n", indented(zh), indented(en));
    }
    text
}

fn steps(explanation: &Explanation, text: &mut String) {
    // A signature that did not come is no failed check when one is made by hand.
    let alone = explanation.steps.len() == 1;
    let unsigned = explanation.signing.as_ref().is_some_and(|signing| signing.comparison == Comparison::Impossible);
    if alone && unsigned {
        return;
    }
    text.push_str("check\n");
    for step in &explanation.steps {
        let mark = match step.standing {
            Standing::Passed => '✓',
            Standing::Failed => '✗',
            Standing::Unknown => '?',
        };
        let _ = writeln!(text, "  {mark} {}", step.words.en);
    }
    text.push('\n');
}

fn parameters(signing: &Signing, content: Content, text: &mut String) {
    let rule = match signing.rule {
        Rule::Receiver => "the receiver's rule",
        Rule::Caller => "the caller's rule",
    };
    let _ = writeln!(text, "signed by {rule}, in this order, in {}", signing.charset);
    let width = signing.signed.iter().chain(signing.left_out.iter().map(|(part, _)| part)).map(name_width).max();
    let width = width.unwrap_or_default().min(32);
    for (at, part) in signing.signed.iter().enumerate() {
        let number = at + 1;
        let value = if part.value.is_empty() { "(empty: its bare name)".to_owned() } else { value(part, content) };
        let _ = writeln!(text, "  {number:>3}  {}  {value}", head(part, width));
    }
    let _ = match signing.body {
        SignedBody::None => writeln!(text, "       no body"),
        SignedBody::Form => writeln!(text, "       body    no text of its own: a form's fields are parameters"),
        SignedBody::Text { bytes, ends_with_line_break } => {
            let note = if ends_with_line_break { "; the line break at its end is signed, too" } else { "" };
            writeln!(text, "       body    {bytes} bytes, after the parameters{note}")
        }
        SignedBody::Cut { kept_bytes, body_bytes } => {
            writeln!(text, "       body    {body_bytes} bytes, of which {kept_bytes} were kept")
        }
    };
    if !signing.left_out.is_empty() {
        text.push_str("left out\n");
    }
    for (part, why) in &signing.left_out {
        let _ = writeln!(text, "       {}  {}: {}", head(part, width), value(part, content), why.words().en);
    }
}

fn name_width(part: &Part) -> usize {
    part.name.chars().count()
}

fn head(part: &Part, width: usize) -> String {
    format!("{:<6}  {:<width$}", part.source.words().en, visible(&part.name).replace('\n', "\\n"))
}

fn value(part: &Part, content: Content) -> String {
    if content == Content::Hidden && part.source == Source::Form {
        return "…".to_owned();
    }
    visible(&part.value).replace('\n', "\\n")
}

fn string_to_sign(signing: &Signing, content: Content, text: &mut String) {
    let form = signing.signed.iter().any(|part| part.source == Source::Form);
    text.push_str("\nstring to sign\n");
    if content == Content::Shown {
        let _ = writeln!(text, "{}", visible(&format!("{}{}", signing.joined, signing.body_text)));
    } else if form {
        text.push_str("  (not shown: it may hold personal data; --content shows it)\n");
    } else {
        let body = if signing.body_text.is_empty() { "" } else { "…" };
        let _ = writeln!(text, "{}{body}", visible(&signing.joined));
        if !body.is_empty() {
            text.push_str("  (… is the body, which may hold personal data; --content shows it)\n");
        }
    }
}

fn signatures(signing: &Signing, text: &mut String) {
    let _ = writeln!(text, "\nsignatures by {}", signing.method);
    for (secret, signature) in &signing.computed {
        let _ = writeln!(text, "  computed  {signature}  by {}", secret.words(Audience::Ourselves).en);
    }
    if let Some(sent) = signing.sent.as_deref().filter(|sent| !sent.is_empty()) {
        let _ = writeln!(text, "  sent      {}", visible(sent).replace('\n', "\\n"));
    }
}

fn indented(words: &str) -> String {
    words.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
