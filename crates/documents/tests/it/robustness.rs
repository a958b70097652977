//! Texts come from strangers and templates from people: neither may break a document.

use baoqiao_documents::{Fields, Fonts, POLICY_TEMPLATE, RenderError, Template, policy_schema, render};
use proptest::prelude::*;

use crate::{FONTS, info, page, parse, pdf, rendered, row, values};

#[test]
fn markup_and_placeholders_in_a_text_come_out_literally() {
    let body = r#"<text y="10">{{name}}</text><text y="30">{{other|wrap=400,lines=3}}</text>"#;
    for text in [
        r#"<script>&"'"#,
        "{{other}}",
        "{{name|fit=1}}",
        "</text><rect/>",
        "&amp;&#65;&lol;",
        "]]><![CDATA[<!--",
        "a}}b{{c",
    ] {
        let page = page(body, &values(&[("name", text), ("other", text)]));
        assert_eq!(page.text().replace(' ', ""), format!("{text}{text}"));
    }
}

#[test]
fn characters_beyond_the_bmp_survive_and_unknown_ones_are_reported() {
    let body = r#"<text y="10">{{name}}</text>"#;
    let rendered = rendered(body, &values(&[("name", "张𬭎㛃🙂\u{E000}")]));
    assert_eq!(pdf::Page::of(&rendered).text(), "张𬭎㛃〓〓");
    assert_eq!(rendered.missing, ['\u{E000}', '🙂']);
}

#[test]
fn an_unknown_character_of_the_template_itself_is_reported() {
    let rendered = rendered(r#"<text y="10">🙂甲</text>"#, &Fields::default());
    assert_eq!(pdf::Page::of(&rendered).text(), "〓甲");
    assert_eq!(rendered.missing, ['🙂']);
}

#[test]
fn the_machines_fonts_stand_in_for_what_the_embedded_one_lacks() {
    let fonts = Fonts::embedded();
    // Thai, Hebrew, Armenian, Extension B, a symbol: whichever this machine has beside the embedded font.
    let candidates = ['ก', 'א', 'Ա', '𠀀', '☕', '⟦'];
    let Some(c) = candidates.into_iter().find(|c| {
        let text = c.to_string();
        fonts.uncovered(&text).is_empty() && !fonts.not_embedded(&text).is_empty()
    }) else {
        println!("skipped: no font on this machine has any of {candidates:?}");
        return;
    };
    let template = parse(r#"<style>text { font-family: serif }</style><text y="10">{{name}}</text>"#).unwrap();
    let text = format!("张{c}三");
    let fields = values(&[("name", &text)]);
    let rendered = render(&template, &fields, &fonts, &info()).unwrap();
    assert_eq!(rendered.missing, []);
    assert_eq!(pdf::Page::of(&rendered).text(), text);
    // The other characters keep the embedded font, and so their places.
    let page = pdf::Page::of(&rendered);
    crate::near(page.find("张").x, 0.0);
    let again = render(&template, &fields, &Fonts::embedded(), &info()).unwrap();
    assert_eq!(rendered.pdf, again.pdf);
}

#[test]
fn a_qr_payload_beyond_all_codes_is_an_error() {
    let template = parse(r#"<rect id="qr-verify" width="50" height="50"/>"#).unwrap();
    let mut fields = Fields::default();
    fields.qr.insert("verify".to_owned(), "x".repeat(3_000));
    let error = render(&template, &fields, &FONTS, &info()).unwrap_err();
    let name = "verify".to_owned();
    assert_eq!(error, RenderError::QrTooLong { name, bytes: 3_000 });
}

#[test]
fn uses_that_multiply_or_nest_do_not_exhaust_the_machine() {
    let first = "<g id='a0'><path d='M0 0h1v1z'/></g>";
    let groups = |count: u32, uses: usize| -> String {
        let group = |i: u32| {
            let inner = format!("<use href='#a{}'/>", i - 1).repeat(uses);
            format!("<g id='a{i}'>{inner}</g>")
        };
        (1..count).map(group).collect()
    };
    let _ = parse(&format!("{first}{}", groups(40, 10)));
    let _ = parse(&format!("{first}{}", groups(600, 1)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_are_shown_as_they_are(text in "[ -~一-龥〓，。（）<>&\"'{}|🙂𬭎㛃]{0,40}") {
        let body = r#"<text y="10">{{name}}</text><text y="30">{{other|wrap=100,lines=99}}</text>"#;
        let page = page(body, &values(&[("name", &text), ("other", &text)]));
        let unknown = FONTS.uncovered(&text);
        let shown = text.chars().map(|c| if unknown.contains(&c) { '〓' } else { c });
        let expected = shown.filter(|c| *c != ' ').collect::<String>().repeat(2);
        prop_assert_eq!(page.text().replace(' ', ""), expected);
    }

    #[test]
    fn no_text_stops_a_document(name in any::<String>(), title in "\\PC{0,20}", qr in "\\PC{0,50}") {
        let template = parse(
            r#"<text y="10">{{name}}</text><text y="30">{{other|wrap=100,lines=2}}</text>
               <text y="60">{{subject_name|fit=80}}</text><rect id="qr-verify" width="50" height="50"/>"#,
        ).unwrap();
        let mut fields = values(&[("name", &name), ("other", &name), ("subject_name", &name)]);
        fields.groups.insert("rows".to_owned(), vec![row(&[("label", &name)])]);
        fields.qr.insert("verify".to_owned(), qr);
        let mut info = info();
        info.title = title;
        info.author = name;
        let rendered = render(&template, &fields, &FONTS, &info).unwrap();
        pdf::Page::of(&rendered);
    }

    #[test]
    fn no_template_stops_the_program(cuts in proptest::collection::vec((0_usize..9_000, 0_usize..40, "[<>/\"'={}a-z0-9 -]{0,12}"), 1..4)) {
        let mut svg: Vec<char> = POLICY_TEMPLATE.chars().collect();
        for (at, length, put) in cuts {
            let at = at.min(svg.len());
            let end = (at + length).min(svg.len());
            svg.splice(at..end, put.chars());
        }
        let svg: String = svg.into_iter().collect();
        if let Ok(template) = Template::parse(&svg, policy_schema()) {
            let _ = render(&template, &Fields::default(), &FONTS, &info());
        }
    }
}
