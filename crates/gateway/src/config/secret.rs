//! A partner's secrets: written down, or left to the environment or to a file. No message repeats one.

use std::fmt::Display;

use baoqiao_channels::access::Secret;

use super::reader::{Item, Section};

const EXPECTED_SECRETS: &str = "a list of one secret, or of two while they are rotated";
const EXPECTED_SECRET: &str = "a secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }";
const EXPECTED_SPARE: &str = "a list of one to eight secrets";
/// How many secrets are tried at most for one partner and purpose.
const MAX_SPARE: usize = 8;
const MAX_BYTES: usize = 1_024;
pub(super) const EXPECTED_CONTENT: &str =
    "a secret of 1 to 1024 bytes without control characters and without blanks at its ends";

/// The text as a secret, or why it is none, without showing it.
pub(super) fn secret(text: &str) -> Result<Secret, &'static str> {
    if text.is_empty() {
        Err("is empty")
    } else if text.len() > MAX_BYTES {
        Err("is too long")
    } else if text.trim() != text {
        Err("has a blank or a line break at an end")
    } else if text.chars().any(char::is_control) {
        Err("has a line break or another control character inside")
    } else {
        Ok(Secret::new(text))
    }
}

/// The secrets under `secrets`: one or two, or none with the reason noted.
pub(super) fn read(partner: &Section<'_>) -> Option<Vec<Secret>> {
    list(&partner.required_item("secrets", EXPECTED_SECRETS)?)
}

/// The secrets of a list: one or two, or none with the reason noted.
pub(super) fn list(list: &Item<'_>) -> Option<Vec<Secret>> {
    list_of(list, 2, EXPECTED_SECRETS)
}

/// The secrets that are only tried when a signature is explained, and never accepted.
pub(super) fn spare(partner: &Section<'_>, key: &'static str, live: Option<&[Secret]>) -> Option<Vec<Secret>> {
    let Some(item) = partner.item(key) else { return Some(Vec::new()) };
    let secrets = list_of(&item, MAX_SPARE, EXPECTED_SPARE)?;
    if secrets.iter().any(|secret| live.is_some_and(|live| live.contains(secret))) {
        item.refuse_as("one that is among secrets", "secrets that are no longer accepted, or never were");
    }
    Some(secrets)
}

fn list_of(list: &Item<'_>, max: usize, expected: &str) -> Option<Vec<Secret>> {
    if !list.is_list() {
        list.refuse_as("no list", expected);
        return None;
    }
    let items = list.list(expected)?;
    let count = items.len();
    if count > max {
        list.refuse_as(format_args!("{count} secrets"), expected);
    }
    let mut secrets = Vec::new();
    for item in &items {
        if let Some(secret) = resolve(item) {
            if secrets.contains(&secret) {
                item.refuse_as("the same secret again", if max == 2 { "two that differ" } else { "each once" });
            }
            secrets.push(secret);
        }
    }
    (secrets.len() == count).then_some(secrets)
}

/// The secret that a value stands for, or `None` with the reason noted.
pub(super) fn resolve(item: &Item<'_>) -> Option<Secret> {
    if let Some(text) = item.as_text() {
        return checked(item, text, "the text");
    }
    let found = item.table(|table| match (table.item("env"), table.item("file")) {
        (Some(env), None) => from_environment(&env),
        (None, Some(file)) => from_file(&file),
        (Some(_), Some(_)) => {
            item.refuse_as("both env and file", EXPECTED_SECRET);
            None
        }
        (None, None) => {
            item.refuse_as("neither env nor file", EXPECTED_SECRET);
            None
        }
    });
    if found.is_none() {
        item.refuse_as("neither text nor table", EXPECTED_SECRET);
    }
    found.flatten()
}

fn checked(item: &Item<'_>, text: &str, came: impl Display) -> Option<Secret> {
    secret(text).map_err(|fault| item.refuse_as(format_args!("{came} {fault}"), EXPECTED_CONTENT)).ok()
}

fn from_environment(item: &Item<'_>) -> Option<Secret> {
    let is_name = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !text.is_empty() && text.bytes().all(allowed)
    };
    let Some(name) = item.as_text().filter(|text| is_name(text)) else {
        // Not shown: it may be the secret itself.
        item.refuse_as("not a variable's name", "the NAME of an environment variable, in A to Z, 0 to 9 and _");
        return None;
    };
    let Some(value) = item.source().variable(name) else {
        item.refuse_as(format_args!("{name} is not set"), "an environment variable that holds the secret");
        return None;
    };
    checked(item, &value, name)
}

fn from_file(item: &Item<'_>) -> Option<Secret> {
    let expected = "the path of a file that holds the secret";
    let path = item.text(expected, |text| (!text.trim().is_empty()).then(|| item.source().resolve(text)))?;
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            // Editors and `echo` end a file with a line break that is no part of the secret.
            let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            checked(item, text, path.display())
        }
        Err(error) => {
            item.refuse_as(format_args!("{}: {error}", path.display()), expected);
            None
        }
    }
}
