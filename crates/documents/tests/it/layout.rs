//! Where text goes: wrapping, shrinking, repeating, following.

use crate::{near, page, rendered, row, rows, values};

#[test]
fn text_is_wrapped_at_its_width_and_continues_below() {
    let body = r#"<text x="20" y="40">{{name|wrap=50,lines=3,leading=14}}</text>"#;
    let page = page(body, &values(&[("name", "外贸飞机盒定制印刷")]));
    assert_eq!(page.text(), "外贸飞机盒定制印刷");
    for (start, line) in [("外", 0.0), ("定", 1.0)] {
        let placed = page.find(start);
        near(placed.x, 20.0);
        near(placed.y, 40.0 + 14.0 * line);
    }
}

#[test]
fn lines_are_aligned_like_the_text_in_the_template() {
    let body = r#"<text x="200" y="40" text-anchor="end"><tspan>{{name|wrap=50,lines=2}}</tspan></text>"#;
    let page = page(body, &values(&[("name", "外贸飞机盒定制")]));
    near(page.find("外").x, 150.0);
    near(page.find("定").x, 180.0);
    // The line height is 1.5 times the font size when the template does not say.
    near(page.find("定").y, 55.0);
}

#[test]
fn what_does_not_fit_ends_in_an_ellipsis_and_is_named() {
    let body = r#"<text x="20" y="40">{{name|wrap=50,lines=2}}</text>"#;
    let name = values(&[("name", "外贸飞机盒定制印刷包装盒")]);
    let rendered = rendered(body, &name);
    assert_eq!(rendered.shortened, ["name"]);
    assert_eq!(crate::pdf::Page::of(&rendered).text(), "外贸飞机盒定制印刷…");
}

#[test]
fn a_directive_is_for_the_whole_run_of_text() {
    let body = r#"<text x="20" y="40">标的：{{name|wrap=50,lines=9}}（{{other}}）</text>"#;
    let page = page(body, &values(&[("name", "外贸飞机"), ("other", "盒")]));
    assert_eq!(page.text(), "标的：外贸飞机（盒）");
    near(page.find("飞").x, 20.0);
    near(page.find("飞").y, 55.0);
}

#[test]
fn fitted_text_shrinks_to_its_limit_and_then_is_cut() {
    let body = r#"<text x="20" y="40">{{name|fit=40,min=5}}</text>"#;
    let fit = |name: &str| {
        let rendered = rendered(body, &values(&[("name", name)]));
        let page = crate::pdf::Page::of(&rendered);
        (page.find("外").size, page.text(), rendered.shortened)
    };
    let (size, text, shortened) = fit("外贸");
    near(size, 10.0);
    assert_eq!((text.as_str(), shortened.len()), ("外贸", 0));
    let (size, text, shortened) = fit("外贸飞机盒");
    near(size, 8.0);
    assert_eq!((text.as_str(), shortened.len()), ("外贸飞机盒", 0));
    let (size, text, shortened) = fit("外贸飞机盒定制印刷");
    near(size, 5.0);
    assert_eq!(text, "外贸飞机盒定制…");
    assert_eq!(shortened, ["name"]);
}

#[test]
fn sizes_come_from_wherever_the_editor_put_them() {
    let body = r#"<style>.a { font-size: 20px; letter-spacing: 5px }</style>
        <g class="a"><text x="0" y="40"><tspan>{{name|wrap=50,lines=9}}</tspan></text></g>"#;
    let page = page(body, &values(&[("name", "外贸飞机")]));
    near(page.find("飞").x, 0.0);
    near(page.find("飞").y, 70.0);
}

#[test]
fn rows_are_repeated_up_to_their_maximum() {
    let body =
        r#"<g transform="scale(2)"><g id="repeat-rows-step-20-max-2"><text x="5" y="10">{{label}}</text></g></g>"#;
    let rendered = rendered(body, &rows(&["甲", "乙", "丙"]));
    assert_eq!(rendered.shortened, ["rows"]);
    let page = crate::pdf::Page::of(&rendered);
    assert_eq!(page.text(), "甲乙");
    near(page.find("甲").y, 20.0);
    near(page.find("乙").y, 60.0);
}

#[test]
fn a_rows_field_comes_before_a_field_of_the_same_document() {
    let body = r#"<g id="repeat-rows-step-20"><text y="10">{{label}}{{name}}</text>
        <text id="if-note" y="20">{{note|fit=20}}</text></g>"#;
    let mut fields = values(&[("name", "共")]);
    let with_note = row(&[("label", "乙"), ("note", "很长很长的附注")]);
    let listed = vec![row(&[("label", "甲")]), with_note];
    fields.groups.insert("rows".to_owned(), listed);
    let rendered = rendered(body, &fields);
    assert_eq!(crate::pdf::Page::of(&rendered).text(), "甲共乙共很长…");
    assert_eq!(rendered.shortened, ["rows.note"]);
}

#[test]
fn what_follows_moves_with_rows_lines_and_absent_blocks() {
    let body = r#"
        <g id="repeat-rows-step-20"><text y="10">{{label}}</text></g>
        <g id="follow-rows"><text y="100">{{name|wrap=50,lines=3,leading=12}}</text>
          <g id="follow-name"><g id="if-other-step-30"><text y="150">{{other}}</text></g>
            <g id="follow-other"><text y="200">末</text></g></g></g>"#;
    let end = |count: usize, name: &str, other: &str| {
        let mut fields = rows(&["甲"; 5][..count]);
        fields.values = row(&[("name", name), ("other", other)]);
        page(body, &fields).find("末").y
    };
    near(end(1, "外", "有"), 200.0);
    near(end(3, "外", "有"), 240.0);
    near(end(0, "外", "有"), 180.0);
    near(end(1, "外贸飞机盒定", "有"), 212.0);
    near(end(1, "", "有"), 200.0);
    near(end(1, "外", ""), 170.0);
    near(end(2, "外贸飞机盒定制印刷包装盒子", " "), 200.0 + 20.0 + 24.0 - 30.0);
}

#[test]
fn blocks_without_their_field_group_or_code_are_gone() {
    let body = r#"<text id="if-name" y="10">甲</text><g id="if-rows--a"><text y="20">乙</text></g>
        <text y="30"><tspan id="if-verify">丙</tspan>丁</text>"#;
    assert_eq!(page(body, &values(&[("name", "\u{200B} \n")])).text(), "丁");
    let mut fields = rows(&["甲"]);
    fields.values = row(&[("name", "x")]);
    fields.qr.insert("verify".to_owned(), "x".to_owned());
    assert_eq!(page(body, &fields).text(), "甲乙丙丁");
}

#[test]
fn the_page_has_the_size_that_the_template_says() {
    let size = |attributes: &str| {
        let svg = format!(r#"<svg xmlns="http://www.w3.org/2000/svg" {attributes}/>"#);
        let template = baoqiao_documents::Template::parse(&svg, &crate::SCHEMA).unwrap();
        let fields = baoqiao_documents::Fields::default();
        let rendered = baoqiao_documents::render(&template, &fields, &crate::FONTS, &crate::info()).unwrap();
        let page = crate::pdf::Page::of(&rendered);
        (page.width, page.height)
    };
    let a4 = (595.276, 841.89);
    for attributes in [
        r#"width="210mm" height="297mm" viewBox="0 0 100 141.43""#,
        r#"width="595.276px" height="841.89px""#,
        r#"viewBox="0 0 595.276 841.89""#,
    ] {
        let (width, height) = size(attributes);
        near(width, a4.0);
        near(height, a4.1);
    }
}
