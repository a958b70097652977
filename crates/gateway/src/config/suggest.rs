//! Guessing what a misspelt name was meant to be.

/// The candidate that `word` most likely stands for: at most a third of it mistyped; case, `-` and `_` do not count.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<char> { text.to_lowercase().replace('-', "_").chars().collect() };
    let word = plain(word);
    let allowed = (word.len() / 3).max(1);
    let distances = candidates.into_iter().map(|candidate| (distance(&word, &plain(candidate)), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed).then_some(candidate)
}

/// Levenshtein's distance: how many characters to insert, drop or replace.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (to, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            before = replaced.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        let chars = |text: &str| -> Vec<char> { text.chars().collect() };
        for (left, right, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("保单", "保费", 1)]
        {
            assert_eq!(distance(&chars(left), &chars(right)), expected, "{left} {right}");
        }
    }

    #[test]
    fn a_typing_error_finds_its_key_and_another_word_finds_none() {
        let keys = ["listen", "public_url", "body_limit_bytes"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("Listen", Some("listen")),
            ("body-limit-bytes", Some("body_limit_bytes")),
            ("public_uri", Some("public_url")),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), expected, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
