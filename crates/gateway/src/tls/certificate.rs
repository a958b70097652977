//! What a certificate says, for those who decide by it and for those who watch over it.

use std::path::PathBuf;

use baoqiao_channels::origin::{CertificateIdentity, ClientCertificate};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// What there is to watch over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The file it stands in.
    pub path: PathBuf,
    /// The subject, as RFC 4514 writes names.
    pub subject: String,
    /// From when it is valid.
    pub valid_from: Timestamp,
    /// Until when it is valid.
    pub valid_until: Timestamp,
}

/// A certificate that was verified. One whose names cannot be read is still known by its fingerprint.
pub(super) fn shown(der: &CertificateDer<'_>) -> ClientCertificate {
    let names = Certificate::from_der(der).map(|certificate| names(&certificate)).unwrap_or_default();
    ClientCertificate { sha256: Sha256::digest(der).into(), names }
}

fn names(certificate: &Certificate) -> Vec<CertificateIdentity> {
    let tbs = certificate.tbs_certificate();
    let common_name = tbs.subject().common_name().ok().flatten();
    let common_name = common_name.map(|name| CertificateIdentity::CommonName(name.into()));
    let alternatives = tbs.get_extension::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0);
    let alternatives = alternatives.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(CertificateIdentity::Dns(name.as_str().to_ascii_lowercase())),
        GeneralName::UniformResourceIdentifier(uri) => Some(CertificateIdentity::Uri(uri.as_str().to_owned())),
        _ => None,
    });
    common_name.into_iter().chain(alternatives).collect()
}

/// What there is to watch over, or `None` where it cannot be read.
pub(super) fn info(path: PathBuf, der: &CertificateDer<'_>) -> Option<CertificateInfo> {
    let certificate = Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let instant = |time: x509_cert::time::Time| {
        let since_epoch = SignedDuration::try_from(time.to_unix_duration()).ok()?;
        Timestamp::from_duration(since_epoch).ok()
    };
    Some(CertificateInfo {
        path,
        subject: tbs.subject().to_string(),
        valid_from: instant(tbs.validity().not_before)?,
        valid_until: instant(tbs.validity().not_after)?,
    })
}
