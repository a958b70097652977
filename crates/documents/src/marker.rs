//! The names of objects that tell what happens to them: `repeat-…`, `if-…`, `qr-…`, `follow-…`.

/// What an object's name asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Marker {
    /// `repeat-GROUP-step-N[-max-M]`: once per row, each N units further down; rows beyond M are not shown.
    Repeat { group: String, step: f32, most: usize },
    /// `if-NAME[-step-N]`: gone when the field is empty or the group has no rows; what follows moves up by N units.
    If { name: String, step: f32 },
    /// `qr-NAME`: a QR code in this rectangle.
    Qr { name: String },
    /// `follow-NAME`: moves down by as much as NAME grew, and up when it is gone.
    Follow { name: String },
}

/// Rows shown when a `repeat-` names no maximum; more do not fit on any page.
const MOST_ROWS: usize = 50;

/// Reads the name of an object: `None` when it is not one of ours.
///
/// # Errors
///
/// The name starts like one of ours but does not read; the text says what was expected.
pub(crate) fn read(label: &str) -> Option<Result<Marker, &'static str>> {
    // Whatever stands after `--` only keeps ids apart.
    let label = label.split_once("--").map_or(label, |(name, _)| name);
    let (kind, rest) = label.split_once('-')?;
    let marker = match kind {
        "repeat" => repeat(rest),
        "if" => condition(rest),
        "qr" => name(rest).map(|name| Marker::Qr { name }),
        "follow" => name(rest).map(|name| Marker::Follow { name }),
        _ => return None,
    };
    Some(marker)
}

fn repeat(rest: &str) -> Result<Marker, &'static str> {
    const EXPECTED: &str = "expected repeat-GROUP-step-N or repeat-GROUP-step-N-max-M";
    let (group, rest) = rest.split_once("-step-").ok_or(EXPECTED)?;
    let (step, most) = match rest.split_once("-max-") {
        Some((step, most)) => (step, most.parse().map_err(|_| EXPECTED)?),
        None => (rest, MOST_ROWS),
    };
    if most == 0 || most > MOST_ROWS {
        return Err("max must be from 1 to 50");
    }
    Ok(Marker::Repeat { group: name(group)?, step: length(step)?, most })
}

fn condition(rest: &str) -> Result<Marker, &'static str> {
    let (field, step) = match rest.split_once("-step-") {
        Some((field, step)) => (field, length(step)?),
        None => (rest, 0.0),
    };
    let name = name(field)?;
    Ok(Marker::If { name, step })
}

fn name(text: &str) -> Result<String, &'static str> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("a name consists of lower-case letters, digits and `_`") }
}

/// Whether this can be the name of a field, a group or a QR code.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !text.is_empty() && text.bytes().all(allowed)
}

/// A length in user units that a page can hold.
pub(crate) fn length(text: &str) -> Result<f32, &'static str> {
    match text.trim().parse::<f32>() {
        Ok(length) if (0.01..=100_000.0).contains(&length) => Ok(length),
        _ => Err("a length is a number of user units above 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_kinds() {
        let read = |label| read(label).unwrap().unwrap();
        assert_eq!(
            read("repeat-parties-step-20.5-max-3"),
            Marker::Repeat { group: "parties".to_owned(), step: 20.5, most: 3 }
        );
        assert_eq!(read("if-seller--second"), Marker::If { name: "seller".to_owned(), step: 0.0 });
        assert_eq!(read("follow-parties"), Marker::Follow { name: "parties".to_owned() });
        assert_eq!(read("qr-verify"), Marker::Qr { name: "verify".to_owned() });
    }

    #[test]
    fn other_ids_are_not_ours_and_broken_ones_are_named() {
        for label in ["layer1", "g-12", "repeatable-x", "", "-"] {
            assert!(read(label).is_none(), "{label}");
        }
        for label in [
            "repeat-parties",
            "repeat-parties-step-x",
            "repeat-parties-step-NaN",
            "repeat-parties-step-10-max-0",
            "repeat-parties-step-10-max-999",
            "if-Seller",
            "if-",
            "qr-Verify",
        ] {
            assert!(read(label).unwrap().is_err(), "{label}");
        }
    }
}
