//! Documents and verification pages, for customers: no address is guessable, and none tells whether a policy exists.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use quick_xml::escape::escape;

use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::time::format_gmt8;

use crate::documents::{Document, DocumentError, Documents};
use crate::ledger::store::PolicyRecord;
use crate::vault::Link;

const NOT_FOUND: &str = "没有这份保单，或链接不完整\n";

/// `GET /documents/{policy number}-{token}.pdf`.
pub(super) async fn document(
    State(documents): State<Arc<Documents>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let subject = name.strip_suffix(".pdf").and_then(|name| documents.links.subject(Link::Document, name));
    let Some(policy_no) = subject else { return not_found() };
    match documents.of_policy(policy_no.clone()).await {
        Ok(Some(document)) => pdf(&policy_no, document, &headers),
        Ok(None) => not_found(),
        Err(error) => unavailable(&policy_no, &error),
    }
}

/// `GET /verify/{policy number}-{token}`.
pub(super) async fn verification(State(documents): State<Arc<Documents>>, Path(name): Path<String>) -> Response {
    let Some(policy_no) = documents.links.subject(Link::Verification, &name) else { return not_found() };
    match documents.policy(policy_no.clone()).await {
        Ok(Some(record)) => verification_page(&documents, &record),
        Ok(None) => not_found(),
        Err(error) => unavailable(&policy_no, &error),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, NOT_FOUND).into_response()
}

fn unavailable(policy_no: &PolicyNumber, error: &DocumentError) -> Response {
    tracing::error!(%policy_no, %error, "a document could not be served");
    (StatusCode::SERVICE_UNAVAILABLE, "系统暂不可用，请稍后再试\n").into_response()
}

fn pdf(policy_no: &PolicyNumber, document: Document, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(document.sha256));
    let unchanged = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let (status, body) =
        if unchanged { (StatusCode::NOT_MODIFIED, Body::empty()) } else { (StatusCode::OK, Body::from(document.pdf)) };
    let headers = [
        (CONTENT_TYPE, "application/pdf".to_owned()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{policy_no}.pdf\"")),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (ETAG, etag),
    ];
    (status, headers, body).into_response()
}

fn verification_page(documents: &Documents, record: &PolicyRecord) -> Response {
    let policy = &record.policy;
    let product = documents.catalogue.product(&policy.product_code);
    let product_name = product.map_or(policy.product_code.as_str(), |product| &product.name);
    let rows = [
        ("保险单号", policy.number.to_string()),
        ("保险产品", product_name.to_owned()),
        ("保险人", documents.insurer.name.clone()),
        ("保险金额", format!("{} {}", policy.currency, policy.amount.grouped())),
        ("保险期间", format!("{} 至 {}", format_gmt8(policy.effect_time), format_gmt8(policy.expire_time))),
        ("签发时间", format_gmt8(policy.issued_at)),
        ("当前状态", policy.phase(documents.clock.now()).label().to_owned()),
    ];
    let mut table = String::new();
    for (label, value) in rows {
        // Writing to a string cannot fail.
        let _ = write!(table, "<tr><th>{label}</th><td>{}</td></tr>", escape(value));
    }
    let page = include_str!("verification.html").replace("{{rows}}", &table);
    let headers = [
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ];
    (headers, Html(page)).into_response()
}
