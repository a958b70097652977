//! Electronic policy documents: a template and a policy's fields become a PDF of one page.
//!
//! A [`Template`] is an SVG file that a designer draws with Inkscape or Illustrator, with placeholders such as
//! `{{policy_no}}`; `docs/templates.md` is its manual. [`policy_schema`] lists the names that the gateway fills, and
//! [`POLICY_TEMPLATE`] is the template that it comes with.
//!
//! ```
//! use baoqiao_documents::{
//!     DocumentInfo, Fields, Fonts, POLICY_TEMPLATE, Template, policy_schema, render,
//! };
//!
//! let template = Template::parse(POLICY_TEMPLATE, policy_schema())?;
//! let fonts = Fonts::embedded();
//! let mut fields = Fields::default();
//! fields.values.insert("policy_no".to_owned(), "PBDI20211201Q000F0001".to_owned());
//! let info = DocumentInfo {
//!     title: "电子保单 PBDI20211201Q000F0001".to_owned(),
//!     author: "某某财产保险股份有限公司".to_owned(),
//!     created: "2021-12-01T09:00:00+08:00".parse()?,
//! };
//! let rendered = render(&template, &fields, &fonts, &info)?;
//! assert!(rendered.pdf.starts_with(b"%PDF-"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Pure: no clock, no network, no database. The same template, fields and info give the same bytes, as long as the
//! embedded font has every character; for others the machine's fonts are read.

mod compile;
mod draw;
mod error;
mod fields;
mod fill;
mod fonts;
mod lines;
mod marker;
mod markup;
mod placeholder;
mod policy;
mod probe;
mod qr;
mod render;
mod schema;
mod source;
mod template;
mod text;

pub use error::{Problem, RenderError, TemplateError};
pub use fields::{Fields, Row};
pub use fonts::Fonts;
pub use policy::{POLICY_TEMPLATE, policy_schema};
pub use render::{DocumentInfo, Rendered, render};
pub use schema::{Field, Group, Schema};
pub use template::Template;
