//! What a provider says of itself: OpenID Connect Discovery 1.0.

use http::Uri;
use serde::Deserialize;

/// How the gateway proves who it is when it redeems a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientProof {
    /// In a header, which every provider has to know.
    Basic,
    /// In the form, where a provider knows that alone.
    Post,
}

/// What is needed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) end_session_endpoint: Option<String>,
    pub(super) proof: ClientProof,
    /// Whether its answers say whose they are (RFC 9207).
    pub(super) answers_name_issuer: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Whether something secret may go to or come from an address: it is HTTPS, or stays on this machine.
pub fn is_safe_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_here =
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let is_protected = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        _ => false,
    };
    is_protected && !authority.as_str().contains('@') && !text.contains('#')
}

impl Metadata {
    /// Reads the document of the provider of that name, or tells why it is none.
    pub(super) fn parse(bytes: &[u8], issuer: &str) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("its discovery document does not read: {error}"))?;
        if document.issuer != issuer {
            let named: String = document.issuer.chars().take(200).collect();
            return Err(format!(
                "it names itself {named:?} and not {issuer:?}; console.oidc.issuer has to be the same"
            ));
        }
        let endpoints = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
        // Only a provider on this machine may have its endpoints without TLS, and those on this machine, too.
        let may_be_plain = issuer.starts_with("http://");
        let is_safe = |url: &String| is_safe_address(url) && (may_be_plain || url.starts_with("https://"));
        if let Some(unsafe_one) = endpoints.into_iter().chain(&document.end_session_endpoint).find(|url| !is_safe(url))
        {
            let shown: String = unsafe_one.chars().take(200).collect();
            return Err(format!("it names an endpoint that is not https: {shown:?}"));
        }
        let lacks = |list: &Option<Vec<String>>, wanted: &str| {
            list.as_ref().is_some_and(|list| !list.iter().any(|method| method == wanted))
        };
        if lacks(&document.code_challenge_methods_supported, "S256") {
            return Err("it does not know PKCE with S256".to_owned());
        }
        let proofs = &document.token_endpoint_auth_methods_supported;
        let proof = match (lacks(proofs, "client_secret_basic"), lacks(proofs, "client_secret_post")) {
            (false, _) => ClientProof::Basic,
            (true, false) => ClientProof::Post,
            (true, true) => {
                return Err("it takes no client secret (client_secret_basic, client_secret_post)".to_owned());
            }
        };
        Ok(Self {
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            jwks_uri: document.jwks_uri,
            end_session_endpoint: document.end_session_endpoint,
            proof,
            answers_name_issuer: document.authorization_response_iss_parameter_supported,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_secret_goes_over_tls_or_stays_on_this_machine() {
        for address in [
            "https://sso.example.com",
            "https://x/a?b=c",
            "http://127.0.0.1:8080/a",
            "http://[::1]",
            "http://LOCALHOST:1",
        ] {
            assert!(is_safe_address(address), "{address}");
        }
        for address in [
            "",
            "sso.example.com",
            "/a",
            "http://sso.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://127.1",
            "http://127.0.0.1@example.com",
            "https://a@b",
            "https://a/#b",
            "https:///a",
            "javascript:alert(1)",
            "ftp://localhost",
            "https://a/ b",
        ] {
            assert!(!is_safe_address(address), "{address}");
        }
    }

    #[test]
    fn only_a_provider_of_this_machine_has_endpoints_without_tls() {
        let document = |issuer: &str, token: &str| {
            let json = serde_json::json!({
                "issuer": issuer, "authorization_endpoint": "https://a", "jwks_uri": "https://a", "token_endpoint": token,
            });
            Metadata::parse(json.to_string().as_bytes(), issuer)
        };
        assert!(document("https://a", "https://a/token").is_ok());
        assert!(document("https://a", "http://127.0.0.1/token").unwrap_err().contains("not https"));
        assert!(document("http://127.0.0.1", "http://127.0.0.1/token").is_ok());
    }
}
