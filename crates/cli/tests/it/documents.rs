//! Electronic policies, as a customer opens them.

use std::sync::Arc;

use baoqiao_gateway::documents::Links;
use baoqiao_gateway::vault::Vault;
use baoqiao_gateway::vault::keyring::Keyring;

use crate::gateway::{Gateway, baoqiao, example, field, http_get, text};

fn path_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    rest.find('/').and_then(|at| rest.get(at..)).unwrap()
}

#[tokio::test]
async fn the_address_in_the_answer_serves_the_document_the_same_for_ever() {
    let gateway = Gateway::start();
    let answer = gateway.call(example()).await;
    let url = field(&answer, &["context", "policyFileUrl"]);
    assert!(url.starts_with(&gateway.url), "{url}");
    let (status, headers, first) = http_get(&url, &[]).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "application/pdf"));
    assert!(first.starts_with(b"%PDF-") && first.len() > 20_000);
    let (_, _, again) = http_get(&url, &[]).await;
    assert_eq!(first, again);
    let etag = headers["etag"].to_str().unwrap();
    assert_eq!(http_get(&url, &[("if-none-match", etag)]).await.0, 304);
    assert_eq!(gateway.count("SELECT count(*) FROM documents"), 1);
    let kept = std::fs::read(gateway.directory().join("ledger.db-wal")).unwrap();
    assert!(!kept.windows(5).any(|window| window == b"%PDF-"), "a document lies open in the ledger");
}

#[tokio::test]
async fn no_other_address_tells_anything() {
    let gateway = Gateway::start();
    let url = field(&gateway.call(example()).await, &["context", "policyFileUrl"]);
    let path = path_of(&url);
    let number = field(&gateway.call(example()).await, &["context", "policyNo"]);
    let token_changed = if path.ends_with("A.pdf") {
        path.replace("A.pdf", "B.pdf")
    } else {
        format!("{}A.pdf", &path[..path.len() - 5])
    };
    for guess in [
        token_changed,
        path.trim_end_matches(".pdf").to_owned(),
        format!("/documents/{number}.pdf"),
        format!("/documents/{number}-.pdf"),
        "/documents/%ff-%00.pdf".to_owned(),
        path.replace("/documents/", "/verify/"),
        format!("/verify/{number}-AAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let (status, _, body) = gateway.get(&guess).await;
        assert!(status == 404 || status == 400, "{guess}: {status}");
        assert!(!String::from_utf8_lossy(&body).contains(&number), "{guess}");
    }
}

#[tokio::test]
async fn the_address_in_the_qr_code_tells_how_the_policy_stands() {
    let gateway = Gateway::start();
    let answer = gateway.call(example()).await;
    let number = field(&answer, &["context", "policyNo"]);
    let keyring = Keyring::load(&gateway.directory().join("keys.toml")).unwrap();
    let vault = Arc::new(Vault::new(&keyring, getrandom::fill));
    let url = Links { public_url: gateway.url.clone(), vault }.verification(&number.parse().unwrap());
    let (status, headers, body) = http_get(&url, &[]).await;
    let page = text(&body);
    assert_eq!(status, 200);
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    for told in [number.as_str(), "1,018.00", "已到期", "2021-08-04 15:23:26 至 2021-09-12 23:59:59"] {
        assert!(page.contains(told), "{told} in {page}");
    }
    for private in ["张三", "3321231232312342432"] {
        assert!(!page.contains(private), "{page}");
    }
}

#[tokio::test]
async fn an_insurers_own_template_is_used_without_recompiling() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("mine.svg");
    let svg = |name: &str| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" height=\"100\">\n<text x=\"9\" y=\"50\">{{{{{name}}}}}</text>\n</svg>"
        )
    };
    std::fs::write(&template, svg("policy_no")).unwrap();
    let path = template.to_str().unwrap().to_owned();
    let gateway = Gateway::start_with(|sample| {
        let (before, after) = sample.split_once("[documents]").unwrap();
        format!("{before}[documents]\ntemplate = \"{path}\"{after}")
    });
    let url = field(&gateway.call(example()).await, &["context", "policyFileUrl"]);
    let (status, _, pdf) = http_get(&url, &[]).await;
    assert_eq!(status, 200);
    // One line of text needs a fraction of the glyphs that the built-in page does.
    assert!(pdf.len() < 10_000, "{} bytes", pdf.len());
    std::fs::write(&template, svg("policy_number")).unwrap();
    let refused = baoqiao(["serve", "--config", gateway.config().to_str().unwrap()]);
    let said = text(&refused.stderr);
    assert!(said.contains("mine.svg") && said.contains("policy_number") && said.contains("line 2"), "{said}");
}
