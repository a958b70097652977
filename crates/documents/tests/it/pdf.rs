//! Reads back the few parts of PDF that our documents consist of: objects, Flate streams, `ToUnicode` maps, and the
//! operators that place text.

use std::collections::BTreeMap;
use std::io::Read as _;

use baoqiao_documents::Rendered;

/// A character where it stands on the page, in points from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placed {
    pub(crate) c: char,
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) size: f32,
}

/// A document of one page.
pub(crate) struct Page {
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) characters: Vec<Placed>,
}

impl Page {
    pub(crate) fn of(rendered: &Rendered) -> Self {
        let file = &rendered.pdf;
        assert!(file.starts_with(b"%PDF-1.7"));
        assert!(file.trim_ascii_end().ends_with(b"%%EOF"));
        let objects = objects(file);
        let dictionary = |kind: &str| {
            let has = |object: &&Object| object.dictionary.contains(kind);
            let found: Vec<_> = objects.values().filter(has).collect();
            assert_eq!(found.len(), 1, "one {kind} expected");
            found[0]
        };
        assert!(dictionary("/Type/Pages").dictionary.contains("/Count 1/"));
        let page = &dictionary("/Type/Page/").dictionary;
        let media = after(page, "/MediaBox[").split(']').next().unwrap();
        let media: Vec<f32> = media.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let content = &objects[&reference(page, "/Contents ")];
        let mut fonts = BTreeMap::new();
        let resources = &objects[&reference(page, "/Resources ")].dictionary;
        if let Some(start) = resources.find("/Font<<") {
            let list = &resources[start + 7..];
            let list = &list[..list.find(">>").unwrap()];
            for font in list.split('/').skip(1) {
                let (name, object) = font.split_once(' ').unwrap();
                let font = &objects[&number(object)];
                let map = &objects[&reference(&font.dictionary, "/ToUnicode ")];
                fonts.insert(name.to_owned(), unicode_map(&map.text()));
            }
        }
        let mut interpreter = Interpreter::new(&fonts, media[3]);
        interpreter.run(&content.stream);
        Self { width: media[2], height: media[3], characters: interpreter.characters }
    }

    /// All characters in the order in which they are drawn.
    pub(crate) fn text(&self) -> String {
        self.characters.iter().map(|placed| placed.c).collect()
    }

    /// Where a text starts, when it is drawn in one go.
    pub(crate) fn find(&self, text: &str) -> Placed {
        let wanted: Vec<char> = text.chars().collect();
        let found = self.characters.windows(wanted.len()).find(|window| {
            let here = window.iter().map(|placed| placed.c);
            here.eq(wanted.iter().copied())
        });
        found.unwrap_or_else(|| panic!("{text} not in {}", self.text()))[0]
    }
}

#[derive(Default)]
struct Object {
    dictionary: String,
    stream: Vec<u8>,
}

impl Object {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stream).into_owned()
    }
}

fn objects(file: &[u8]) -> BTreeMap<u32, Object> {
    let mut objects = BTreeMap::new();
    let mut rest = file;
    while let Some(at) = find(rest, b" 0 obj") {
        let digits = rest[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let id = number(std::str::from_utf8(&rest[at - digits..at]).unwrap());
        let body = &rest[at + 6..];
        let end = find(body, b"endobj").unwrap();
        let mut object = Object::default();
        rest = &body[end..];
        if let Some(start) = find(&body[..end], b"stream\n").or(find(&body[..end], b"stream\r\n")) {
            object.dictionary = squeezed(&body[..start]);
            let length = number(after(&object.dictionary, "/Length "));
            let data = &body[start + 6..];
            let data = data.strip_prefix(b"\r").unwrap_or(data);
            let data = &data[1..=length as usize];
            object.stream = if object.dictionary.contains("/FlateDecode") {
                let mut plain = Vec::new();
                flate2::read::ZlibDecoder::new(data).read_to_end(&mut plain).unwrap();
                plain
            } else {
                data.to_vec()
            };
            rest = &body[start + length as usize..];
        } else {
            object.dictionary = squeezed(&body[..end]);
        }
        objects.insert(id, object);
    }
    objects
}

/// One blank for each run of them, and none where a delimiter already parts two tokens.
fn squeezed(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace(['\n', '\r'], " ");
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for mark in ["<<", ">>", "/", "[", "]"] {
        text = text.replace(&format!(" {mark}"), mark);
    }
    text.replace("<< ", "<<").replace("[ ", "[")
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn after<'a>(text: &'a str, key: &str) -> &'a str {
    let at = text.find(key).unwrap_or_else(|| panic!("{key} not in {text}"));
    &text[at + key.len()..]
}

fn number(text: &str) -> u32 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn reference(dictionary: &str, key: &str) -> u32 {
    number(after(dictionary, key))
}

fn unicode_map(cmap: &str) -> BTreeMap<u16, String> {
    let mut map = BTreeMap::new();
    for section in cmap.split("beginbfchar").skip(1) {
        let section = section.split("endbfchar").next().unwrap();
        let codes: Vec<&str> = section.split(['<', '>']).skip(1).step_by(2).collect();
        for pair in codes.chunks(2) {
            let units: Vec<u16> =
                (0..pair[1].len() / 4).map(|i| u16::from_str_radix(&pair[1][i * 4..i * 4 + 4], 16).unwrap()).collect();
            let glyph = u16::from_str_radix(pair[0], 16).unwrap();
            map.insert(glyph, String::from_utf16(&units).unwrap());
        }
    }
    map
}

/// `a b c d e f` of PDF: a point's row vector times this.
type Matrix = [f32; 6];

fn times(m: Matrix, n: Matrix) -> Matrix {
    [
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    ]
}

struct Interpreter<'a> {
    fonts: &'a BTreeMap<String, BTreeMap<u16, String>>,
    height: f32,
    current: Matrix,
    saved: Vec<Matrix>,
    font: String,
    size: f32,
    text: Matrix,
    characters: Vec<Placed>,
}

impl<'a> Interpreter<'a> {
    fn new(fonts: &'a BTreeMap<String, BTreeMap<u16, String>>, height: f32) -> Self {
        let identity = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        Self {
            fonts,
            height,
            current: identity,
            saved: Vec::new(),
            font: String::new(),
            size: 0.0,
            text: identity,
            characters: Vec::new(),
        }
    }

    fn run(&mut self, content: &[u8]) {
        let mut operands: Vec<String> = Vec::new();
        let mut shown: Vec<u8> = Vec::new();
        let mut at = 0;
        while at < content.len() {
            match content[at] {
                b if b.is_ascii_whitespace() => at += 1,
                b'(' => (shown, at) = literal_string(content, at + 1),
                b'<' if content[at + 1] == b'<' => at += 2,
                b'<' => (shown, at) = hex_string(content, at + 1),
                b'/' => {
                    let end = token_end(content, at + 1);
                    operands.push(String::from_utf8_lossy(&content[at + 1..end]).into_owned());
                    at = end;
                }
                b'[' | b']' | b'>' => at += 1,
                _ => {
                    let end = token_end(content, at);
                    let token = String::from_utf8_lossy(&content[at..end]).into_owned();
                    at = end;
                    if token.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
                        operands.push(token);
                    } else {
                        self.operator(&token, &operands, &shown);
                        operands.clear();
                    }
                }
            }
        }
    }

    fn operator(&mut self, operator: &str, operands: &[String], shown: &[u8]) {
        let matrix = || -> Matrix {
            let numbers: Vec<f32> = operands.iter().map(|n| n.parse().unwrap()).collect();
            numbers.try_into().unwrap()
        };
        match operator {
            "q" => self.saved.push(self.current),
            "Q" => self.current = self.saved.pop().unwrap(),
            "cm" => self.current = times(matrix(), self.current),
            "Tm" => self.text = matrix(),
            "Tf" => {
                operands[0].clone_into(&mut self.font);
                self.size = operands[1].parse().unwrap();
            }
            "Tj" | "TJ" => {
                let place = times(self.text, self.current);
                let scale = place[0].hypot(place[1]);
                for glyph in shown.chunks(2) {
                    let glyph = u16::from_be_bytes([glyph[0], glyph[1]]);
                    for c in self.fonts[&self.font][&glyph].chars() {
                        self.characters.push(Placed {
                            c,
                            x: place[4],
                            y: self.height - place[5],
                            size: self.size * scale,
                        });
                    }
                }
            }
            _ => {}
        }
    }
}

fn token_end(content: &[u8], from: usize) -> usize {
    let delimiter = |b: &u8| b.is_ascii_whitespace() || b"()<>[]/".contains(b);
    let length = content[from..].iter().position(delimiter);
    length.map_or(content.len(), |length| from + length)
}

fn literal_string(content: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut depth = 1;
    loop {
        let byte = content[at];
        at += 1;
        match byte {
            b')' if depth == 1 => return (bytes, at),
            b'\\' => {
                let octal: String = content[at..at + 3]
                    .iter()
                    .take_while(|b| (b'0'..=b'7').contains(b))
                    .map(|b| char::from(*b))
                    .collect();
                if octal.is_empty() {
                    let escaped = match content[at] {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'f' => 12,
                        other => other,
                    };
                    bytes.push(escaped);
                    at += 1;
                } else {
                    bytes.push(u8::from_str_radix(&octal, 8).unwrap());
                    at += octal.len();
                }
            }
            _ => {
                depth += i32::from(byte == b'(') - i32::from(byte == b')');
                bytes.push(byte);
            }
        }
    }
}

fn hex_string(content: &[u8], from: usize) -> (Vec<u8>, usize) {
    let length = content[from..].iter().position(|b| *b == b'>').unwrap();
    let digits = std::str::from_utf8(&content[from..from + length]).unwrap();
    let bytes = (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[i * 2..i * 2 + 2], 16).unwrap()).collect();
    (bytes, from + length + 1)
}
