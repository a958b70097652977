//! Handshakes over real sockets, with certificates made for each test.

mod authority;

use std::path::Path;

use baoqiao_channels::origin::CertificateIdentity;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use authority::{Authority, Issued};

struct World {
    folder: TempDir,
    authority: Authority,
    tls: Tls,
}

fn files(folder: &Path, server: &Issued, client_ca: Option<&Authority>) -> TlsFiles {
    let [certificate, key] = server.write(folder);
    let client_ca = client_ca.map(|authority| {
        let path = folder.join("client-ca.pem");
        std::fs::write(&path, authority.pem()).unwrap();
        path
    });
    TlsFiles { certificate, key, client_ca }
}

impl World {
    fn new(asks_for_certificates: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("the insurer's authority");
        let server = authority.issue("gateway", "127.0.0.1");
        let tls = Tls::load(files(folder.path(), &server, asks_for_certificates.then_some(&authority))).unwrap();
        Self { folder, authority, tls }
    }

    /// What the server makes of one connection, and what the server's certificate was.
    async fn shake(
        &self,
        shown: Option<&Issued>,
    ) -> (Result<Option<Arc<ClientCertificate>>, HandshakeError>, Option<[u8; 32]>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            self.tls.accept(stream).await.map(|(_, certificate)| certificate)
        };
        let client = async {
            let mut stream = self.authority.connect(&address, shown).await.ok()?;
            let presented = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            // In TLS 1.3 a refused certificate is told only after the client's own handshake.
            let _ = stream.read(&mut [0]).await;
            Some(certificate::shown(&presented).sha256)
        };
        tokio::join!(server, client)
    }
}

#[tokio::test]
async fn who_shows_a_certificate_is_known_by_it_and_nobody_has_to() {
    let world = World::new(true);
    let issued = world.authority.issue("渠道 一号", "Avatar.example.com");
    let certificate = world.shake(Some(&issued)).await.0.unwrap().unwrap();
    assert_eq!(certificate.sha256, issued.sha256());
    let names = [
        CertificateIdentity::CommonName("渠道 一号".to_owned()),
        CertificateIdentity::Dns("avatar.example.com".to_owned()),
    ];
    assert_eq!(certificate.names, names);
    assert_eq!(world.shake(None).await.0.unwrap(), None);
    let unasked = World::new(false);
    let issued = unasked.authority.issue("a", "a.example.com");
    assert_eq!(unasked.shake(Some(&issued)).await.0.unwrap(), None);
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_ends_the_handshake() {
    let world = World::new(true);
    let stranger = Authority::new("the insurer's authority").issue("gateway", "avatar.example.com");
    let expired = world.authority.issue_expired("a", "avatar.example.com");
    let for_a_server = world.authority.issue_for_a_server("a", "avatar.example.com");
    for (issued, expected) in [(stranger, "BadSignature"), (expired, "expired"), (for_a_server, "extended key usage")] {
        let error = world.shake(Some(&issued)).await.0.unwrap_err().to_string();
        assert!(error.to_lowercase().contains(&expected.to_lowercase()), "{error}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut plain = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: g\r\n\r\n").await.unwrap();
    let error = world.tls.accept(listener.accept().await.unwrap().0).await.unwrap_err();
    assert_eq!(error.to_string(), "the caller does not speak TLS");
}

#[tokio::test]
async fn files_that_change_count_from_the_next_connection_on_and_bad_ones_do_not() {
    let world = World::new(true);
    let client = world.authority.issue("a", "avatar.example.com");
    let first = world.shake(None).await.1.unwrap();
    let renewed = world.authority.issue("gateway", "127.0.0.1");
    renewed.write(world.folder.path());
    assert_eq!(world.shake(None).await.1.unwrap(), renewed.sha256());
    assert_ne!(first, renewed.sha256());

    // Half of a renewal: a key that is not yet the certificate's.
    let next = world.authority.issue("gateway", "127.0.0.1");
    std::fs::write(world.folder.path().join("server.key"), &next.key).unwrap();
    assert_eq!(world.shake(None).await.1.unwrap(), renewed.sha256());
    std::fs::write(world.folder.path().join("server.pem"), &next.certificate).unwrap();
    assert_eq!(world.shake(None).await.1.unwrap(), next.sha256());

    assert!(world.shake(Some(&client)).await.0.is_ok());
    std::fs::write(world.folder.path().join("client-ca.pem"), Authority::new("another").pem()).unwrap();
    assert!(world.shake(Some(&client)).await.0.is_err(), "an authority that was taken away vouches for nobody");
}

#[test]
fn files_of_no_use_are_told_with_their_path_and_without_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let authority = Authority::new("a");
    let good = files(path, &authority.issue("gateway", "127.0.0.1"), Some(&authority));
    let told = |files: &TlsFiles| Tls::load(files.clone()).unwrap_err().to_string();
    std::fs::write(path.join("other.key"), authority.issue("b", "b").key).unwrap();
    std::fs::write(path.join("empty"), "hidden").unwrap();
    std::fs::write(path.join("broken"), "-----BEGIN CERTIFICATE-----\nhidden!\n-----END CERTIFICATE-----\n").unwrap();
    let at = |name: &str| path.join(name).display().to_string();
    let cases = [
        (TlsFiles { key: path.join("other.key"), ..good.clone() }, "is not that of the certificate in"),
        (TlsFiles { key: path.join("empty"), ..good.clone() }, "empty: no private key in PEM"),
        (TlsFiles { certificate: path.join("empty"), ..good.clone() }, "empty: no certificate in PEM"),
        (TlsFiles { certificate: path.join("broken"), ..good.clone() }, "broken: not PEM"),
        (TlsFiles { certificate: path.join("absent"), ..good.clone() }, "absent: No such file"),
        (TlsFiles { client_ca: Some(path.join("empty")), ..good.clone() }, "empty: no certificate in PEM"),
    ];
    for (files, expected) in cases {
        let told = told(&files);
        assert!(told.contains(expected) && told.contains(&at("")) && !told.contains("hidden"), "{told}");
    }
}

#[test]
fn what_to_watch_over_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("root");
    let files = files(folder.path(), &authority.issue_expired("gateway", "gateway.example.com"), Some(&authority));
    let found = files.inspect().unwrap();
    let [server, ca] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((server.path.as_path(), server.subject.as_str()), (files.certificate.as_path(), "CN=gateway"));
    assert_eq!(server.valid_until.to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(ca.subject, "CN=root");
    assert!(files.is_for("gateway.example.com").unwrap());
    assert!(!files.is_for("other.example.com").unwrap() && !files.is_for("").unwrap());
}
