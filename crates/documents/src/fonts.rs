//! The font of the documents, and the machine's own fonts for what it lacks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ttf_parser::Face;
use usvg::fontdb::{Database, FaceInfo, ID, Source, Style};

use crate::text::{is_invisible, is_undrawable};

/// Noto Sans CJK SC Regular: GB 2312, the Table of General Standard Chinese Characters and the traditional characters
/// of International Ideographs Core; `scripts/make-font.sh` makes it.
static EMBEDDED: &[u8] = include_bytes!("../../../assets/fonts/NotoSansCJKsc-Subset.otf");

/// Where a character's glyph is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Glyph {
    pub(crate) face: FaceId,
    /// In em: times the font size.
    pub(crate) advance_em: f32,
}

/// A font of a [`Fonts`]: 0 is the embedded one, the others are the machine's, in the order in which they were needed.
pub(crate) type FaceId = usize;

pub(crate) const EMBEDDED_FACE: FaceId = 0;

/// The fonts that documents are set in: one that is part of the program and, for characters that it lacks, those of the
/// machine, which are looked up when such a character first comes.
///
/// Make one and share it: it is parsed once, and remembers which of the machine's fonts has which character.
pub struct Fonts {
    embedded: Face<'static>,
    machine: Option<OnceLock<Machine>>,
    found: Mutex<Found>,
}

/// The machine's fonts, best choice first.
struct Machine {
    database: Database,
    order: Vec<ID>,
}

struct Found {
    glyphs: BTreeMap<char, Option<Glyph>>,
    set: FontSet,
}

/// The faces known so far, for the SVG library.
#[derive(Clone)]
pub(crate) struct FontSet {
    pub(crate) database: Arc<Database>,
    /// Indexed by [`FaceId`].
    pub(crate) ids: Vec<ID>,
}

impl Fonts {
    /// The embedded font, with the machine's fonts for characters that it lacks.
    pub fn embedded() -> Arc<Self> {
        Arc::new(Self::new(Some(OnceLock::new())))
    }

    /// The embedded font alone: a document then looks the same on every machine.
    pub fn embedded_only() -> Arc<Self> {
        Arc::new(Self::new(None))
    }

    #[expect(clippy::expect_used, reason = "the font is part of the program; every test of a document would fail")]
    fn new(machine: Option<OnceLock<Machine>>) -> Self {
        let mut database = Database::new();
        let ids = database.load_font_source(Source::Binary(Arc::new(EMBEDDED)));
        Self {
            embedded: Face::parse(EMBEDDED, 0).expect("the embedded font reads"),
            machine,
            found: Mutex::new(Found {
                glyphs: BTreeMap::new(),
                set: FontSet { database: Arc::new(database), ids: ids.to_vec() },
            }),
        }
    }

    /// The characters of a text that no font of this machine has, each once, in code point order. A document shows 〓
    /// in their place.
    pub fn uncovered(&self, text: &str) -> Vec<char> {
        let drawn = text.chars().filter(|c| !c.is_control() && !is_invisible(*c));
        let missing = drawn.filter(|c| self.glyph(*c).is_none());
        missing.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// The characters of a text that the embedded font lacks, each once, in code point order: how they look, and
    /// whether they are shown at all, depends on the machine.
    pub fn not_embedded(&self, text: &str) -> Vec<char> {
        let drawn = text.chars().filter(|c| !c.is_control() && !is_invisible(*c));
        let foreign = drawn.filter(|c| self.embedded_glyph(*c).is_none());
        foreign.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    pub(crate) fn embedded_glyph(&self, c: char) -> Option<Glyph> {
        let advance_em = advance_em(&self.embedded, c)?;
        Some(Glyph { face: EMBEDDED_FACE, advance_em })
    }

    pub(crate) fn glyph(&self, c: char) -> Option<Glyph> {
        self.embedded_glyph(c).or_else(|| self.machine_glyph(c))
    }

    fn machine_glyph(&self, c: char) -> Option<Glyph> {
        // Private use means another character in every font.
        if is_undrawable(c) {
            return None;
        }
        let machine = self.machine.as_ref()?.get_or_init(Machine::load);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.glyphs.get(&c) {
            return *known;
        }
        let glyph = machine.find(c).and_then(|(info, advance_em)| {
            let face = found.set.face(&info)?;
            Some(Glyph { face, advance_em })
        });
        found.glyphs.insert(c, glyph);
        glyph
    }

    pub(crate) fn set(&self) -> FontSet {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.set.clone()
    }
}

impl FontSet {
    /// Finds a face of the machine here, or takes it in.
    fn face(&mut self, info: &FaceInfo) -> Option<FaceId> {
        let same = |id: &ID| {
            let known = self.database.face(*id);
            known.is_some_and(|known| known.index == info.index && path(&known.source) == path(&info.source))
        };
        if let Some(face) = self.ids.iter().skip(1).position(same) {
            return Some(face + 1);
        }
        Arc::make_mut(&mut self.database).push_face_info(info.clone());
        let newest = self.database.faces().last()?.id;
        self.ids.push(newest);
        Some(self.ids.len() - 1)
    }
}

impl Machine {
    fn load() -> Self {
        let mut database = Database::new();
        database.load_system_fonts();
        let mut faces: Vec<&FaceInfo> = database.faces().collect();
        faces.sort_by_cached_key(|info| preference(info));
        let order = faces.into_iter().map(|info| info.id).collect();
        Self { database, order }
    }

    fn find(&self, c: char) -> Option<(FaceInfo, f32)> {
        self.order.iter().find_map(|id| {
            let advance = self.database.with_face_data(*id, |data, index| {
                let face = Face::parse(data, index).ok()?;
                advance_em(&face, c)
            });
            Some((self.database.face(*id)?.clone(), advance??))
        })
    }
}

/// Chinese sans-serif upright regular first, like the embedded font; the path keeps the choice the same every time.
fn preference(info: &FaceInfo) -> (bool, bool, bool, bool, u16, String, u32) {
    let named = |part: &str| info.families.iter().any(|(name, _)| name.contains(part));
    let chinese = named("CJK SC") || named("Hei") || named("Han Sans") || named("Source Han");
    (
        info.style != Style::Normal,
        !chinese,
        info.monospaced,
        named("Serif") || named("Emoji"),
        info.weight.0.abs_diff(400),
        path(&info.source),
        info.index,
    )
}

fn path(source: &Source) -> String {
    match source {
        Source::File(path) | Source::SharedFile(path, _) => path.to_string_lossy().into_owned(),
        Source::Binary(_) => String::new(),
    }
}

fn advance_em(face: &Face, c: char) -> Option<f32> {
    let glyph = face.glyph_index(c).filter(|glyph| glyph.0 != 0)?;
    let advance = face.glyph_hor_advance(glyph)?;
    Some(f32::from(advance) / f32::from(face.units_per_em()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character of GB 2312: rows 01 to 09 (symbols) and 16 to 87 (6,763 hanzi), as the GBK decoder reads them.
    fn gb2312() -> Vec<char> {
        let mut characters = Vec::new();
        for row in (0xA1..=0xA9_u8).chain(0xB0..=0xF7) {
            for cell in 0xA1..=0xFE_u8 {
                let bytes = [row, cell];
                let (text, _, broken) = encoding_rs::GBK.decode(&bytes);
                // GBK fills GB 2312's gaps: by private use, and by characters of its own (GBK/1 and GBK/5).
                let added = |c: char| is_undrawable(c) || ADDED_BY_GBK.contains(c);
                let c = text.chars().next();
                characters.extend(c.filter(|c| !broken && !added(*c)));
            }
        }
        characters
    }

    /// What GBK has in rows 01 to 09 and GB 2312 has not.
    const ADDED_BY_GBK: &str = "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ€ɑḿńňǹɡ︵︶︹︺︿﹀︽︾﹁﹂﹃﹄︻︼︷︸︱︳︴︐︑︒︓︔︕︖︗︘︙";

    #[test]
    fn the_embedded_font_has_all_of_gb2312() {
        let characters = gb2312();
        let hanzi = characters.iter().filter(|c| ('\u{4E00}'..='\u{9FFF}').contains(*c));
        assert_eq!(hanzi.count(), 6_763);
        assert!(characters.len() > 7_400, "{}", characters.len());
        let text: String = characters.into_iter().collect();
        assert_eq!(Fonts::embedded_only().uncovered(&text), []);
    }

    #[test]
    fn the_embedded_font_has_what_documents_write() {
        let ascii: String = (' '..='~').collect();
        let full_width: String = ('！'..='～').collect();
        let latin = "£§©°±·×÷éü«»";
        let capitals = "零壹贰叁肆伍陆柒捌玖拾佰仟万亿元角分整〇¥￥〓…—“”‘’№℃㎡";
        // Names: beyond the BMP, Extension A, traditional.
        let names = "𬭎㛃𬍛䶮喆堃陳龔";
        let fonts = Fonts::embedded_only();
        for text in [ascii.as_str(), &full_width, latin, capitals, names] {
            assert_eq!(fonts.uncovered(text), [], "{text}");
        }
    }

    #[test]
    fn figures_are_all_of_one_width() {
        let fonts = Fonts::embedded_only();
        let widths = ('0'..='9').map(|c| fonts.glyph(c).unwrap().advance_em);
        assert!(widths.into_iter().all(|width| (width - 0.555).abs() < 1e-6));
    }

    #[test]
    fn uncovered_names_each_character_once_and_no_invisible_one() {
        let fonts = Fonts::embedded_only();
        assert_eq!(fonts.uncovered("中🙂\u{E000}🙂\u{200B}\u{FE0F}\n"), ['\u{E000}', '🙂']);
    }

    #[test]
    fn private_use_is_drawn_by_no_machines_font() {
        assert_eq!(Fonts::embedded().uncovered("\u{E000}\u{FFFF}"), ['\u{E000}', '\u{FFFF}']);
    }
}
