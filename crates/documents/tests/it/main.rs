//! Documents as a reader sees them: what stands on the page, and where.

#![cfg(test)]

mod pdf;

mod editors;
mod layout;
mod policy;
mod robustness;

use std::sync::{Arc, LazyLock};

use baoqiao_documents::{
    DocumentInfo, Field, Fields, Fonts, Group, Rendered, Row, Schema, Template, TemplateError, render,
};

/// The same on every machine.
static FONTS: LazyLock<Arc<Fonts>> = LazyLock::new(Fonts::embedded_only);

const fn field(name: &'static str) -> Field {
    Field { name, meaning: "" }
}

static SCHEMA: Schema = Schema {
    fields: &[field("name"), field("other"), field("subject_name")],
    groups: &[Group { name: "rows", meaning: "", fields: &[field("label"), field("note")] }],
    qr: &[field("verify")],
};

fn info() -> DocumentInfo {
    DocumentInfo {
        title: "电子保单".to_owned(),
        author: "某某保险".to_owned(),
        created: "2021-08-04T23:30:00+08:00".parse().unwrap(),
    }
}

/// A page of 500 by 500 points.
fn svg(body: &str) -> String {
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="500" height="500" font-size="10">{body}</svg>"#)
}

fn parse(body: &str) -> Result<Template, TemplateError> {
    Template::parse(&svg(body), &SCHEMA)
}

fn values(texts: &[(&str, &str)]) -> Fields {
    Fields { values: row(texts), ..Fields::default() }
}

fn row(texts: &[(&str, &str)]) -> Row {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    texts.iter().map(own).collect()
}

fn rows(labels: &[&str]) -> Fields {
    let mut fields = Fields::default();
    let rows = labels.iter().map(|label| row(&[("label", label)])).collect();
    fields.groups.insert("rows".to_owned(), rows);
    fields
}

fn rendered(body: &str, fields: &Fields) -> Rendered {
    render(&parse(body).unwrap(), fields, &FONTS, &info()).unwrap()
}

fn page(body: &str, fields: &Fields) -> pdf::Page {
    pdf::Page::of(&rendered(body, fields))
}

#[track_caller]
fn near(actual: f32, expected: f32) {
    assert!((actual - expected).abs() < 0.02, "{actual} is not {expected}");
}
