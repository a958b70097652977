//! The insurer's core system, as it uses `/api/v1`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::gateway::Gateway;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The sample with a token that may do everything.
pub(crate) fn with_core(mut sample: String) -> String {
    let scopes = r#"["policies:read", "recoveries:read", "deliveries:read", "deliveries:resend", "messages:read", "events:read", "people:read", "policies:surrender", "auctions:report"]"#;
    let _ = write!(sample, "\n[[api_token]]\nname = \"core\"\ntoken = \"{TOKEN}\"\nscopes = {scopes}\n");
    sample
}

pub(crate) struct Core<'a>(pub(crate) &'a Gateway);

impl Core<'_> {
    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1{path}", self.0.url);
        let authorization = format!("Bearer {TOKEN}");
        let (status, _, body) = crate::gateway::http_get(&url, &[("authorization", &authorization)]).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// Status, body, and whether it is the answer of an earlier copy.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value, bool) {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("authorization", authorization.as_str()), ("idempotency-key", key)];
        let answer = self.0.post(&format!("/api/v1{path}"), &headers, &body.to_string()).await;
        let replayed = answer.headers.contains_key("idempotency-replayed");
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap(), replayed)
    }
}
