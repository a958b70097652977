//! The default template.

use std::collections::BTreeMap;

use baoqiao_documents::{DocumentInfo, Fields, POLICY_TEMPLATE, Rendered, Template, policy_schema, render};

use crate::{FONTS, info, near, pdf::Page, row};

fn template() -> Template {
    Template::parse(POLICY_TEMPLATE, policy_schema()).unwrap()
}

fn rendered(fields: &Fields) -> Rendered {
    render(&template(), fields, &FONTS, &info()).unwrap()
}

/// Every field with a text that names it.
fn every_field() -> Fields {
    let schema = policy_schema();
    let values = schema.fields.iter().map(|field| (field.name.to_owned(), format!("[{}]", field.name)));
    let mut fields = Fields { values: values.collect(), ..Fields::default() };
    for group in schema.groups {
        let row = group.fields.iter().map(|field| (field.name.to_owned(), format!("[{}]", field.name)));
        fields.groups.insert(group.name.to_owned(), vec![row.collect()]);
    }
    fields.qr.insert("verify".to_owned(), "https://insurer.example/v/1".to_owned());
    fields
}

/// As much of everything as the document takes.
fn longest() -> Fields {
    let subject: String = "外贸飞机盒定制印刷包装盒快递打包外箱瓦楞牛皮纸盒订做纸箱定做".repeat(4);
    let subject: String = subject.chars().take(120).collect();
    let long = |unit: &str| unit.repeat(30);
    let party = |role: &str| {
        row(&[
            ("role", role),
            ("name", &long("某某包装制品")),
            ("licence", "统一社会信用代码"),
            ("licence_no", "9133**********Y74N"),
            ("phone", "0571-****5678"),
            ("address", &long("浙江省杭州市")),
        ])
    };
    let amount = row(&[
        ("label", "保险金额（折合人民币）"),
        ("figures", "¥99,999,999,999.99"),
        ("capitals", "人民币玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ]);
    let mut fields = every_field();
    fields.values.extend(row(&[
        ("subject_name", &subject),
        ("special_terms", &long("保险事故发生后应当及时通知，")),
        ("verify_url", &format!("https://insurer.example/verify?code={}", "7c1f9a22".repeat(20))),
        ("footer", &long("客户服务热线 95500 ")),
        ("title", &long("网络交易履约保证保险")),
        ("sum_insured_capitals", &long("玖佰")),
    ]));
    fields.groups = BTreeMap::from([
        ("parties".to_owned(), ["投保人", "投保人", "被保险人", "被保险人"].map(party).to_vec()),
        ("amounts".to_owned(), vec![amount; 3]),
    ]);
    fields
}

#[test]
fn every_field_stands_on_the_one_a4_page() {
    let page = Page::of(&rendered(&every_field()));
    near(page.width, 595.276);
    near(page.height, 841.89);
    let text = page.text();
    let schema = policy_schema();
    let rows = schema.groups.iter().flat_map(|group| group.fields);
    for field in schema.fields.iter().chain(rows) {
        assert!(text.contains(&format!("[{}]", field.name)), "{} in {text}", field.name);
    }
    for label in ["电子保单", "保险单号", "扫码验真", "北京时间 GMT+8"] {
        page.find(label);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = rendered(&every_field());
    assert_eq!(first, rendered(&every_field()));
    let later = DocumentInfo { created: "2021-08-05T00:30:00+08:00".parse().unwrap(), ..info() };
    let second = render(&template(), &every_field(), &FONTS, &later).unwrap();
    assert_ne!(first.pdf, second.pdf);
}

#[test]
fn the_date_is_chinas() {
    // 23:30 in GMT+8 is another hour, and after 16:00 UTC another day, elsewhere.
    let pdf = rendered(&every_field()).pdf;
    let pdf = String::from_utf8_lossy(&pdf);
    assert!(pdf.contains("(D:20210804233000+08'00)"), "no such date");
    assert!(pdf.contains("<xmp:CreateDate>2021-08-04T23:30:00+08:00</xmp:CreateDate>"));
}

#[test]
fn long_content_stays_above_the_foot_and_between_the_margins() {
    let rendered = rendered(&longest());
    let page = Page::of(&rendered);
    let foot = page.find("扫码验真").y;
    let last = page.characters.iter().filter(|placed| placed.y < foot - 1.0);
    let last = last.map(|placed| placed.y).fold(0.0, f32::max);
    assert!(last < foot - 20.0, "{last} comes too near {foot}");
    for placed in &page.characters {
        assert!((53.9..=541.4).contains(&placed.x), "{placed:?} is outside the margins");
        assert!((40.0..=815.0).contains(&placed.y), "{placed:?} is outside the margins");
    }
    assert!(page.text().contains("外贸飞机盒"));
    assert!(!rendered.shortened.contains(&"subject_name".to_owned()), "120 characters fit");
}

#[test]
fn what_is_beyond_the_page_is_named() {
    let mut fields = longest();
    let parties = fields.groups.get_mut("parties").unwrap();
    parties.push(parties[0].clone());
    let shortened = rendered(&fields).shortened;
    for name in ["parties", "parties.address", "special_terms", "title", "footer", "verify_url"] {
        assert!(shortened.contains(&name.to_owned()), "{name} in {shortened:?}");
    }
}

#[test]
fn optional_parts_are_gone_when_empty() {
    let full = Page::of(&rendered(&every_field())).find("保险期间").y;
    let mut fields = every_field();
    fields.groups.insert("amounts".to_owned(), vec![]);
    fields.values.insert("special_terms".to_owned(), String::new());
    fields.qr.clear();
    let page = Page::of(&rendered(&fields));
    assert!(!page.text().contains("特别约定"));
    assert!(!page.text().contains("扫码验真"));
    assert!(page.find("保险期间").y < full - 20.0);
}

#[test]
fn the_file_is_small() {
    let bytes = rendered(&every_field()).pdf.len();
    assert!(bytes < 100_000, "{bytes}");
}

#[test]
fn the_manual_is_true() {
    let manual = include_str!("../../../../docs/templates.md");
    let example = manual.split("```xml\n").nth(1).unwrap().split("```").next().unwrap();
    let template = Template::parse(example, policy_schema()).unwrap();
    let page = Page::of(&render(&template, &every_field(), &FONTS, &info()).unwrap());
    near(page.find("[special_terms]").y, 200.0);
    let schema = policy_schema();
    for field in schema.fields {
        let line = format!("| `{}` | {} |", field.name, field.meaning);
        assert!(manual.contains(&line), "missing in docs/templates.md: {line}");
    }
    for group in schema.groups {
        assert!(manual.contains(&format!("| group `{}` | {} |", group.name, group.meaning)));
        for field in group.fields {
            let line = format!("| `{}`: `{}` | {} |", group.name, field.name, field.meaning);
            assert!(manual.contains(&line), "missing in docs/templates.md: {line}");
        }
    }
}
