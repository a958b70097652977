//! `[server]`: where the gateway listens, and how patient it is.

use std::net::SocketAddr;
use std::time::Duration;

use baoqiao_channels::access::AddressRange;
use http::Uri;

use super::defaults;
use super::reader::Section;
use crate::tls::TlsFiles;

pub(super) const EXPECTED_LISTEN: &str = "ADDRESS:PORT, such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::1]:8080\"";
const EXPECTED_PUBLIC_URL: &str = "the http or https address under which platforms and customers reach the gateway, \
     such as \"https://insurer.example.com\", without query, user or password";

const EXPECTED_PROXIES: &str = "a list of addresses and CIDR ranges of proxies, such as [\"10.0.0.0/24\"]";
const EXPECTED_CERTIFICATE: &str = "the path of a PEM file with the gateway's certificate and those of its issuers";
const EXPECTED_KEY: &str = "the path of a PEM file with the certificate's private key";
const EXPECTED_CLIENT_CA: &str = "the path of a PEM file with the authorities that issue client certificates";

/// Where the gateway listens, and how patient it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to bind; port 0 leaves the choice to the system.
    pub listen: SocketAddr,
    /// What platforms and customers see, without a slash at its end; see [`public_url_at`](Self::public_url_at).
    pub public_url: Option<String>,
    /// The files that make the gateway speak TLS; `None` where it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<AddressRange>,
    /// The longest body taken, in bytes.
    pub body_limit_bytes: usize,
    /// How long a caller may take for the headers.
    pub header_timeout: Duration,
    /// How long a caller may take for the body.
    pub body_timeout: Duration,
    /// How long a call may wait for the ledger: the platform's patience.
    pub request_deadline: Duration,
    /// How many connections may be open at once; more wait to be accepted.
    pub connection_limit: usize,
    /// How many calls may wait for the ledger before further ones are turned away.
    pub waiting_limit: usize,
    /// How long calls in progress are given when the gateway stops.
    pub shutdown_grace: Duration,
}

impl ServerConfig {
    /// What every address in an answer or a document begins with, without a slash at its end: as configured, or else
    /// the address that was bound.
    pub fn public_url_at(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"))
    }
}

pub(super) fn read(section: &Section<'_>) -> ServerConfig {
    let listen = section.text_or("listen", defaults::LISTEN, EXPECTED_LISTEN, |text| text.parse::<SocketAddr>().ok());
    let public_url = section.text_or("public_url", None, EXPECTED_PUBLIC_URL, |text| public_url(text).map(Some));
    if listen.ip().is_unspecified() {
        section
            .required_item("public_url", format_args!("{EXPECTED_PUBLIC_URL}, since nobody can call {}", listen.ip()));
    }
    ServerConfig {
        listen,
        public_url,
        tls: tls(section),
        trusted_proxies: trusted_proxies(section),
        body_limit_bytes: section.count_or("body_limit_bytes", defaults::BODY_LIMIT_BYTES, 1..=67_108_864),
        header_timeout: section.duration_ms_or("header_timeout_ms", defaults::HEADER_TIMEOUT_MS),
        body_timeout: section.duration_ms_or("body_timeout_ms", defaults::BODY_TIMEOUT_MS),
        request_deadline: section.duration_ms_or("request_deadline_ms", defaults::REQUEST_DEADLINE_MS),
        connection_limit: section.count_or("connection_limit", defaults::CONNECTION_LIMIT, 1..=1_000_000),
        waiting_limit: section.count_or("waiting_limit", defaults::WAITING_LIMIT, 1..=1_000_000),
        shutdown_grace: section.duration_ms_or("shutdown_grace_ms", defaults::SHUTDOWN_GRACE_MS),
    }
}

fn trusted_proxies(section: &Section<'_>) -> Vec<AddressRange> {
    let Some(item) = section.item("trusted_proxies") else { return Vec::new() };
    let proxies: Vec<AddressRange> =
        item.texts(EXPECTED_PROXIES, |item| item.text(EXPECTED_PROXIES, |text| text.parse().ok())).unwrap_or_default();
    if proxies.iter().any(|range| range.is_everything()) {
        item.refuse_as("every address", "the proxies alone: whoever is trusted may say who calls");
    }
    proxies
}

/// `[server.tls]`, where it is there.
fn tls(section: &Section<'_>) -> Option<TlsFiles> {
    section.item("tls")?;
    let files = section.section("tls", |tls| {
        let certificate = tls.required_item("certificate", EXPECTED_CERTIFICATE);
        let certificate = certificate.and_then(|item| item.file(EXPECTED_CERTIFICATE));
        let key = tls.required_item("key", EXPECTED_KEY).and_then(|item| item.file(EXPECTED_KEY));
        let client_ca = tls.item("client_ca").map(|item| item.file(EXPECTED_CLIENT_CA));
        // A path that is missing was noted: the values are not to be used then.
        TlsFiles {
            certificate: certificate.unwrap_or_default(),
            key: key.unwrap_or_default(),
            client_ca: client_ca.map(Option::unwrap_or_default),
        }
    });
    Some(files)
}

pub(super) fn public_url(text: &str) -> Option<String> {
    let url = text.trim_end_matches('/');
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_unspecified = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_unspecified());
    let fits = matches!(uri.scheme_str(), Some("http" | "https"))
        && !host.is_empty()
        && !is_unspecified
        && authority.port_u16() != Some(0)
        && !url.contains(['@', '?', '#']);
    fits.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_where_somebody_can_call() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://insurer.example.com/", Some("https://insurer.example.com")),
            ("https://insurer.example.com/gateway//", Some("https://insurer.example.com/gateway")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("", None),
            ("insurer.example.com", None),
            ("insurer.example.com:8080", None),
            ("/gateway", None),
            ("ftp://insurer.example.com", None),
            ("http://", None),
            ("http://0.0.0.0:8080", None),
            ("http://[::]:8080", None),
            ("http://127.0.0.1:0", None),
            ("http://user:password@insurer.example.com", None),
            ("https://insurer.example.com?a=1", None),
            ("https://insurer.example.com#a", None),
            ("https://insurer.example.com/a b", None),
            ("https://保险.example.com", None),
        ] {
            assert_eq!(public_url(text).as_deref(), expected, "{text}");
        }
    }
}
