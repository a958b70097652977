//! Electronic policies, as a customer opens them.

use crate::gateway::{Gateway, example, field, http_get};

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
    assert!(first.starts_with(b"%PDF-"));
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
