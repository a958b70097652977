//! From a filled template to a PDF page.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::tz::Offset;
use krilla::geom::Size;
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::{Document, SerializeSettings};
use krilla_svg::{SurfaceExt as _, SvgSettings};
use usvg::{FontResolver, ImageHrefResolver, Options, Tree};

use crate::error::RenderError;
use crate::fonts::{FontSet, Fonts};
use crate::render::DocumentInfo;
use crate::text::prepare;

/// How the markup names a face of the machine to the SVG library.
pub(crate) const FACE_PREFIX: &str = "face-";

/// The times of a document are China's.
const OFFSET: Offset = Offset::constant(8);

/// Reads a filled template. Nothing outside the text is read: no file, no linked image.
///
/// # Errors
///
/// What the SVG library says against it.
pub(crate) fn tree(svg: &str, fonts: &FontSet) -> Result<Tree, String> {
    let ids = fonts.ids.clone();
    let font_resolver = FontResolver {
        // One font for all text, whatever the template names: it looks the same on every machine.
        select_font: Box::new(move |font, _| {
            let named = font.families().iter().find_map(|family| match family {
                usvg::FontFamily::Named(name) => name.strip_prefix(FACE_PREFIX)?.parse().ok(),
                _ => None,
            });
            ids.get(named.unwrap_or(0_usize)).copied()
        }),
        // The markup has named a face for each character that the first one lacks.
        select_fallback: Box::new(|_, _, _| None),
    };
    let image_href_resolver = ImageHrefResolver {
        resolve_data: ImageHrefResolver::default_data_resolver(),
        resolve_string: Box::new(|_, _| None),
    };
    let options = Options { font_resolver, fontdb: fonts.database.clone(), image_href_resolver, ..Options::default() };
    guarded(|| Tree::from_str(svg, &options).map_err(|error| error.to_string()))
}

/// Draws one page.
pub(crate) fn pdf(
    tree: &Tree,
    points_per_pixel: f32,
    info: &DocumentInfo,
    fonts: &Fonts,
) -> Result<Vec<u8>, RenderError> {
    guarded(|| {
        let width = tree.size().width() * points_per_pixel;
        let height = tree.size().height() * points_per_pixel;
        let page = PageSettings::from_wh(width, height).zip(Size::from_wh(width, height));
        let (page, size) = page.ok_or("the page has no size")?;
        let settings = SerializeSettings { enable_tagging: false, ..SerializeSettings::default() };
        let mut document = Document::new_with(settings);
        document.set_metadata(metadata(info, fonts));
        let mut drawn = document.start_page_with(page);
        let mut surface = drawn.surface();
        surface.draw_svg(tree, size, SvgSettings::default()).ok_or("the page cannot be drawn")?;
        surface.finish();
        drawn.finish();
        document.finish().map_err(|error| format!("{error:?}"))
    })
    .map_err(RenderError::Pdf)
}

fn metadata(info: &DocumentInfo, fonts: &Fonts) -> Metadata {
    let line = |text: &str| prepare(text, fonts, &mut BTreeSet::new());
    let created = OFFSET.to_datetime(info.created);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    let created = DateTime::new(u16::try_from(created.year()).unwrap_or_default())
        .month(part(created.month()))
        .day(part(created.day()))
        .hour(part(created.hour()))
        .minute(part(created.minute()))
        .second(part(created.second()))
        .utc_offset_hour(8);
    Metadata::new()
        .title(line(&info.title))
        .authors(vec![line(&info.author)])
        .language("zh-CN".to_owned())
        .producer("Baoqiao".to_owned())
        .creation_date(created)
}

/// The libraries are written not to panic; a template that finds a hole in that must not take the service down.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    outcome.unwrap_or_else(|_| Err("the drawing library stopped".to_owned()))
}
