//! TLS of the gateway's own: mutual TLS for channels that need it, none for those that do not, and proxies before it.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use baoqiao_channels::origin::CertificateIdentity;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::qimen::SignedRequest;

use crate::gateway::{Gateway, baoqiao, example, text};

#[path = "../../../gateway/src/tls/tests/authority.rs"]
mod authority;

use authority::{Authority, Issued};

const NOTICE: &str = include_str!("../../../channels/src/avatar/golden/rescission_notice/example.json");

/// Authority and certificates of a gateway that demands one of its Avatar channel.
struct World {
    _folder: tempfile::TempDir,
    authority: Authority,
    channel: Issued,
    gateway: Gateway,
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// The sample with TLS, and with what is to stand before `allowed_addresses` of its channel.
fn secured(sample: &str, folder: &Path, before: &str) -> String {
    let [certificate, key] = ["server.pem", "server.key"].map(|name| quoted(&folder.join(name)));
    let client_ca = quoted(&folder.join("client-ca.pem"));
    let tls = format!("[server.tls]\ncertificate = {certificate}\nkey = {key}\nclient_ca = {client_ca}\n\n[log]");
    sample
        .replace("\n[log]", &format!("\n{tls}"))
        .replace("\nallowed_addresses", &format!("\n{before}\nallowed_addresses"))
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("authority");
        authority.issue("gateway", "127.0.0.1").write(folder.path());
        std::fs::write(folder.path().join("client-ca.pem"), authority.pem()).unwrap();
        let channel = authority.issue("channel", "avatar.example.com");
        let fingerprint = CertificateIdentity::Sha256(channel.sha256());
        let pins = format!("client_certificates = [\"{fingerprint}\", \"dns:renewed.example.com\"]");
        let gateway = Gateway::start_with(|sample| secured(&sample, folder.path(), &pins));
        Self { _folder: folder, authority, channel, gateway }
    }

    /// What the gateway answers to the document's notice over TLS; `None` where the handshake fails.
    async fn notify(&self, shown: Option<&Issued>) -> Option<String> {
        self.post("/avatar/refund/second/refundNotice", "content-type: application/json", NOTICE, shown).await
    }

    async fn post(&self, path: &str, header: &str, body: &str, shown: Option<&Issued>) -> Option<String> {
        let stream = self.authority.connect(self.gateway.authority(), shown).await.ok()?;
        exchange(stream, path, header, body).await
    }
}

/// Posts on a connection; `None` where it breaks without an answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    header: &str,
    body: &str,
) -> Option<String> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n{header}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    // What came before the connection broke counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).ok().filter(|answer| !answer.is_empty())
}

fn deal_code(answer: Option<String>) -> String {
    let answer = answer.expect("an answer");
    let (_, rest) = answer.split_once("\"dealCode\":\"").unwrap_or_else(|| panic!("{answer}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_channel_that_must_show_a_certificate_shows_its_own_or_is_refused_by_name() {
    let mut world = World::new();
    // The document's policy is none of ours, which only who was believed is told.
    assert_eq!(deal_code(world.notify(Some(&world.channel)).await), "POLICY_NOT_FOUND");
    let renewed = world.authority.issue("channel", "renewed.example.com");
    assert_eq!(deal_code(world.notify(Some(&renewed)).await), "POLICY_NOT_FOUND");
    assert_eq!(deal_code(world.notify(None).await), "CLIENT_CERTIFICATE_REQUIRED");
    let neighbour = world.authority.issue("channel", "neighbour.example.com");
    let refused = world.notify(Some(&neighbour)).await;
    let fingerprint = CertificateIdentity::Sha256(neighbour.sha256());
    assert!(refused.as_ref().unwrap().contains(&fingerprint.to_string()), "{refused:?}");
    assert_eq!(deal_code(refused), "CLIENT_CERTIFICATE_NOT_ALLOWED");
    let unusable = [
        Authority::new("authority").issue("channel", "avatar.example.com"),
        world.authority.issue_expired("channel", "renewed.example.com"),
        world.authority.issue_for_a_server("channel", "renewed.example.com"),
    ];
    for certificate in unusable {
        assert_eq!(world.notify(Some(&certificate)).await, None, "no handshake, no answer");
    }
    let plain = TcpStream::connect(world.gateway.authority()).await.unwrap();
    let answer = exchange(plain, "/avatar/refund/second/refundNotice", "x: y", NOTICE).await.unwrap_or_default();
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    world.gateway.stop();
    let log = world.gateway.log();
    for told in ["a TLS handshake failed", "expired", "the caller does not speak TLS", "showed no client certificate"] {
        assert!(log.contains(told), "{told} in {log}");
    }
}

#[tokio::test]
async fn who_needs_no_certificate_is_asked_for_none_and_links_say_https() {
    let world = World::new();
    let SignedRequest { query, headers, body, .. } = example().sign(SystemClock.now()).unwrap();
    let content_type = format!("content-type: {}", headers["content-type"].to_str().unwrap());
    let body = String::from_utf8(body.to_vec()).unwrap();
    let answer = world.post(&format!("/qimen?{query}"), &content_type, &body, None).await.unwrap();
    assert!(answer.contains("\"success\":\"true\""), "{answer}");
    assert!(answer.contains(&format!("https://{}/documents/PBDI", world.gateway.authority())), "{answer}");
}

#[tokio::test]
async fn only_a_trusted_proxy_is_believed_about_who_calls() {
    let address = "allowed_addresses = [\"127.0.0.0/8\", \"::1\"]";
    let allow = |sample: String| sample.replace(address, "allowed_addresses = [\"203.0.113.0/24\"]");
    let behind =
        Gateway::start_with(|sample| allow(sample).replace("\n[log]", "\ntrusted_proxies = [\"127.0.0.1\"]\n\n[log]"));
    let exposed = Gateway::start_with(allow);
    for (gateway, forwarded, expected) in [
        (&behind, "x-forwarded-for: 203.0.113.9", "POLICY_NOT_FOUND"),
        (&behind, "x-forwarded-for: 203.0.113.9, 198.51.100.1", "CALLER_NOT_ALLOWED"),
        (&behind, "x-forwarded-for: unknown", "CALLER_NOT_ALLOWED"),
        (&behind, "x: y", "CALLER_NOT_ALLOWED"),
        (&exposed, "x-forwarded-for: 203.0.113.9", "CALLER_NOT_ALLOWED"),
    ] {
        let stream = TcpStream::connect(gateway.authority()).await.unwrap();
        let answer = exchange(stream, "/avatar/refund/second/refundNotice", forwarded, NOTICE).await;
        assert_eq!(deal_code(answer), expected, "{forwarded}");
    }
    assert_eq!(behind.count("SELECT count(*) FROM messages WHERE peer = '203.0.113.9'"), 1);
}

#[test]
fn doctor_watches_over_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(baoqiao(["init", "--dir", path.to_str().unwrap()]).status.success());
    let authority = Authority::new("authority");
    std::fs::write(path.join("client-ca.pem"), authority.pem()).unwrap();
    let config = path.join("baoqiao.toml");
    let sample = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, secured(&sample, path, "")).unwrap();
    let doctor = || {
        let ran = baoqiao(["doctor", "--config", config.to_str().unwrap()]);
        (ran.status.code(), text(&ran.stdout))
    };
    authority.issue("gateway", "127.0.0.1").write(path);
    let (status, said) = doctor();
    assert!(status == Some(0) && said.contains("(CN=gateway) is valid until"), "{said}");
    assert!(said.contains("warning  TLS key"), "a key that others can read: {said}");
    authority.issue("gateway", "gateway.example.com").write(path);
    let (status, said) = doctor();
    assert!(status == Some(0) && said.contains("is not for 127.0.0.1, the host of server.public_url"), "{said}");
    authority.issue_expired("gateway", "127.0.0.1").write(path);
    let (status, said) = doctor();
    assert!(status == Some(1) && said.contains("(CN=gateway) has expired at 2020-01-01T00:00:00Z"), "{said}");
    std::fs::write(path.join("server.key"), authority.issue("b", "b").key).unwrap();
    let (status, said) = doctor();
    assert!(status == Some(1) && said.contains("is not that of the certificate in"), "{said}");
}
