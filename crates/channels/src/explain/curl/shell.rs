//! A command line as words, by the quoting of a POSIX shell or of Windows' `cmd`.

use super::CurlError;

/// The words of one command. Line breaks count as blanks: pasting loses the marks of continued lines.
pub(super) fn words(command: &str) -> Result<Vec<Vec<u8>>, CurlError> {
    let mut reader = Reader { rest: command, word: None, words: Vec::new() };
    if is_windows(command) {
        reader.windows()?;
    } else {
        reader.posix()?;
    }
    Ok(reader.words)
}

/// `cmd` knows no single quotes; carets before its quotes or at the ends of lines are written by nobody else.
fn is_windows(command: &str) -> bool {
    let first = command.find(['\'', '"']);
    let before = first.and_then(|at| command.get(..at)).unwrap_or(command);
    let is_single = first.is_some_and(|at| command.get(at..).is_some_and(|rest| rest.starts_with('\'')));
    !is_single && (before.ends_with('^') || command.lines().any(|line| line.trim_end().ends_with('^')))
}

struct Reader<'a> {
    rest: &'a str,
    /// The word that is being read; an empty pair of quotes is a word, too.
    word: Option<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Passes over what comes next, where it is that.
    fn skip(&mut self, text: &str) -> bool {
        let stripped = self.rest.strip_prefix(text);
        self.rest = stripped.unwrap_or(self.rest);
        stripped.is_some()
    }

    fn skip_line_break(&mut self) -> bool {
        self.skip("\r\n") || self.skip("\n")
    }

    fn push(&mut self, character: char) {
        self.push_bytes(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        self.word.get_or_insert_default().extend_from_slice(bytes);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn posix(&mut self) -> Result<(), CurlError> {
        while let Some(character) = self.next() {
            match character {
                blank if blank.is_whitespace() => self.end_word(),
                '\\' | '`' if self.skip_line_break() => {}
                '\\' => {
                    if let Some(next) = self.next() {
                        self.push(next);
                    }
                }
                '\'' => self.single_quoted()?,
                '"' => self.double_quoted()?,
                '$' if self.skip("'") => self.escaped_quoted()?,
                // A prompt that was copied with the command.
                '$' if self.word.is_none() && self.rest.starts_with(' ') => {}
                '&' if self.word.is_some() => return Err(CurlError::BareAmpersand),
                ';' | '|' | '<' | '>' | '&' => break,
                other => self.push(other),
            }
        }
        self.end_word();
        Ok(())
    }

    fn single_quoted(&mut self) -> Result<(), CurlError> {
        let (inside, rest) = self.rest.split_once('\'').ok_or(CurlError::OpenQuote)?;
        self.rest = rest;
        self.push_bytes(inside.as_bytes());
        Ok(())
    }

    fn double_quoted(&mut self) -> Result<(), CurlError> {
        self.push_bytes(&[]);
        loop {
            match self.next().ok_or(CurlError::OpenQuote)? {
                '"' => return Ok(()),
                '\\' if self.skip_line_break() => {}
                '\\' if self.rest.starts_with(['"', '\\', '$', '`']) => {
                    let escaped = self.next().ok_or(CurlError::OpenQuote)?;
                    self.push(escaped);
                }
                other => self.push(other),
            }
        }
    }

    /// `$'…'`, as browsers write what is not ASCII.
    fn escaped_quoted(&mut self) -> Result<(), CurlError> {
        self.push_bytes(&[]);
        loop {
            match self.next().ok_or(CurlError::OpenQuote)? {
                '\'' => return Ok(()),
                '\\' => self.escape()?,
                other => self.push(other),
            }
        }
    }

    fn escape(&mut self) -> Result<(), CurlError> {
        let letter = self.next().ok_or(CurlError::OpenQuote)?;
        match letter {
            'n' => self.push('\n'),
            't' => self.push('\t'),
            'r' => self.push('\r'),
            'a' => self.push('\u{7}'),
            'b' => self.push('\u{8}'),
            'e' | 'E' => self.push('\u{1b}'),
            'f' => self.push('\u{c}'),
            'v' => self.push('\u{b}'),
            'x' => self.push_byte(16, 2),
            '0'..='7' => {
                self.rest_with_digit(letter);
            }
            'u' => self.push_utf16(),
            'U' => {
                let code = self.digits(16, 8);
                self.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => self.push(other),
        }
        Ok(())
    }

    fn rest_with_digit(&mut self, first: char) {
        let first = first.to_digit(8).unwrap_or_default();
        let before = self.rest.len();
        let more = self.digits(8, 2);
        let read = u32::try_from(before - self.rest.len()).unwrap_or_default();
        let code = first * 8_u32.pow(read) + more;
        self.push_bytes(&[u8::try_from(code & 0xFF).unwrap_or_default()]);
    }

    fn push_byte(&mut self, radix: u32, most: usize) {
        let code = self.digits(radix, most);
        self.push_bytes(&[u8::try_from(code).unwrap_or_default()]);
    }

    /// `\uXXXX`; browsers write characters outside the BMP as two of them.
    fn push_utf16(&mut self) {
        let first = self.digits(16, 4);
        let mut code = char::from_u32(first);
        if (0xD800..0xDC00).contains(&first) && self.skip("\\u") {
            let second = self.digits(16, 4);
            code = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF));
        }
        self.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
    }

    /// A number of at most so many digits.
    fn digits(&mut self, radix: u32, most: usize) -> u32 {
        let mut number: u32 = 0;
        for _ in 0..most {
            let Some(digit) = self.rest.chars().next().and_then(|character| character.to_digit(radix)) else { break };
            number = number.wrapping_mul(radix).wrapping_add(digit);
            self.next();
        }
        number
    }

    /// `cmd` first takes the carets off, then the program's runtime takes the quotes off; here both at once.
    fn windows(&mut self) -> Result<(), CurlError> {
        let unescaped = without_carets(self.rest);
        let mut inner = Reader { rest: &unescaped, word: None, words: Vec::new() };
        let mut quoted = false;
        while let Some(character) = inner.next() {
            match character {
                '\\' => {
                    let mut backslashes = 1;
                    while inner.skip("\\") {
                        backslashes += 1;
                    }
                    let before_quote = inner.rest.starts_with('"');
                    let kept = if before_quote { backslashes / 2 } else { backslashes };
                    (0..kept).for_each(|_| inner.push('\\'));
                    if before_quote && backslashes % 2 == 1 && inner.skip("\"") {
                        inner.push('"');
                    }
                }
                '"' if quoted && inner.skip("\"") => inner.push('"'),
                '"' => {
                    quoted = !quoted;
                    inner.push_bytes(&[]);
                }
                blank if blank.is_whitespace() && !quoted => inner.end_word(),
                other => inner.push(other),
            }
        }
        if quoted {
            return Err(CurlError::OpenQuote);
        }
        inner.end_word();
        self.words = inner.words;
        Ok(())
    }
}

/// The text as `cmd` hands it on: outside of quotes a caret takes the meaning from what follows it.
fn without_carets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '^' if !quoted || matches!(characters.peek(), Some('\r' | '\n')) => match characters.next() {
                Some('\r') => {
                    characters.next_if_eq(&'\n');
                }
                Some('\n') | None => {}
                Some(escaped) => kept.push(escaped),
            },
            '"' => {
                quoted = !quoted;
                kept.push('"');
            }
            other => kept.push(other),
        }
    }
    kept
}
