//! An authority that issues certificates for one test, and a client that shows them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate of that common name, for that DNS name or address.
    pub(crate) fn issue(&self, common_name: &str, host: &str) -> Issued {
        self.issue_with(common_name, host, |_| ())
    }

    pub(crate) fn issue_expired(&self, common_name: &str, host: &str) -> Issued {
        self.issue_with(common_name, host, |params| params.not_after = date_time_ymd(2020, 1, 1))
    }

    /// One that is good for servers only.
    pub(crate) fn issue_for_a_server(&self, common_name: &str, host: &str) -> Issued {
        self.issue_with(common_name, host, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    fn issue_with(&self, common_name: &str, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Shakes hands with a server of this authority's for `127.0.0.1`, showing that certificate.
    pub(crate) async fn connect(&self, address: &str, shown: Option<&Issued>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(shown) => builder.with_client_auth_cert(vec![shown.der()], shown.private_key()).unwrap(),
        };
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

impl Issued {
    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.der()).into()
    }

    /// Writes both into a folder.
    pub(crate) fn write(&self, folder: &Path) -> [PathBuf; 2] {
        let paths = ["server.pem", "server.key"].map(|name| folder.join(name));
        for (path, text) in paths.iter().zip([&self.certificate, &self.key]) {
            std::fs::write(path, text).unwrap();
        }
        paths
    }
}
