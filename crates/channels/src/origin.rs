//! Where a call comes from, as far as the connection tells: an address, and a client certificate that TLS has verified.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Where a call comes from. What is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// The certificate that the caller has proved to hold.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Origin {
    /// An address and no certificate.
    pub fn address(address: IpAddr) -> Self {
        Self { address: Some(address), certificate: None }
    }
}

/// A client certificate: issued by a configured authority, valid now, its key proved in the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of the certificate in DER.
    pub sha256: [u8; 32],
    /// The names that the authority has put into it.
    pub names: Vec<CertificateIdentity>,
}

impl ClientCertificate {
    /// Whether it is the certificate that is meant.
    pub fn is(&self, identity: &CertificateIdentity) -> bool {
        *identity == CertificateIdentity::Sha256(self.sha256) || self.names.contains(identity)
    }

    /// Its fingerprint, as an identity.
    pub fn fingerprint(&self) -> CertificateIdentity {
        CertificateIdentity::Sha256(self.sha256)
    }
}

/// What a certificate can be known by: `sha256:…`, `dns:…`, `uri:…` or `cn:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateIdentity {
    /// The fingerprint: this very certificate, and not the one that replaces it.
    Sha256([u8; 32]),
    /// A DNS name of the subject's alternative names, in lower case.
    Dns(String),
    /// A URI of the subject's alternative names.
    Uri(String),
    /// The subject's common name: what older authorities write into certificates without alternative names.
    CommonName(String),
}

/// Text that is no [`CertificateIdentity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sha256: and 64 hexadecimal digits, dns: and a host name, uri: and a URI, or cn: and a common name")]
pub struct InvalidCertificateIdentity;

impl FromStr for CertificateIdentity {
    type Err = InvalidCertificateIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidCertificateIdentity> {
        let (kind, value) = text.split_once(':').ok_or(InvalidCertificateIdentity)?;
        if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
            return Err(InvalidCertificateIdentity);
        }
        match kind {
            "sha256" => fingerprint(value).map(Self::Sha256),
            "dns" => is_host(value).then(|| Self::Dns(value.to_ascii_lowercase())),
            "uri" => value.contains(':').then(|| Self::Uri(value.to_owned())),
            "cn" => Some(Self::CommonName(value.to_owned())),
            _ => None,
        }
        .ok_or(InvalidCertificateIdentity)
    }
}

/// 64 digits, with or without the colons between pairs that `openssl x509 -fingerprint` prints.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = match text.len() {
        64 => text.bytes().collect(),
        95 if text.bytes().skip(2).step_by(3).all(|byte| byte == b':') => {
            text.bytes().enumerate().filter(|(at, _)| at % 3 != 2).map(|(_, byte)| byte).collect()
        }
        _ => return None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            *byte = *byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(bytes)
}

/// A whole name: a pattern would let in whomever the authority has given a name below it.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    text.len() <= 253 && text.split('.').all(label)
}

impl fmt::Display for CertificateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(bytes) => {
                f.write_str("sha256:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(uri) => write!(f, "uri:{uri}"),
            Self::CommonName(name) => write!(f, "cn:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it_or_bare() {
        let bare = format!("sha256:{}{}", "0f".repeat(31), "AB");
        let colons = format!("sha256:{}AB", "0F:".repeat(31));
        let identity: CertificateIdentity = bare.parse().unwrap();
        assert_eq!(colons.parse(), Ok(identity.clone()));
        assert_eq!(identity.to_string(), bare.to_lowercase());
        assert_eq!("dns:Avatar.Example.com".parse(), Ok(CertificateIdentity::Dns("avatar.example.com".to_owned())));
        assert_eq!("cn:渠道 一号".parse(), Ok(CertificateIdentity::CommonName("渠道 一号".to_owned())));
        assert_eq!("uri:spiffe://a/b".parse(), Ok(CertificateIdentity::Uri("spiffe://a/b".to_owned())));
    }

    #[test]
    fn what_names_no_one_certificate_is_refused() {
        let short = format!("sha256:{}", "0f".repeat(31));
        let no_digit = format!("sha256:{}", "0g".repeat(32));
        let odd_colons = format!("sha256:{}", "0f".repeat(47) + "0");
        for text in
            ["", "avatar.example.com", "dns:", "dns:*.example.com", "dns:a..b", "dns:a b", "cn: x", "uri:x", "ip:1"]
                .into_iter()
                .chain([short.as_str(), &no_digit, &odd_colons])
        {
            assert_eq!(text.parse::<CertificateIdentity>(), Err(InvalidCertificateIdentity), "{text:?}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_its_fingerprint_and_by_each_of_its_names() {
        let name = CertificateIdentity::Dns("a.example.com".to_owned());
        let certificate = ClientCertificate { sha256: [7; 32], names: vec![name.clone()] };
        assert!(certificate.is(&name) && certificate.is(&certificate.fingerprint()));
        assert!(!certificate.is(&CertificateIdentity::CommonName("a.example.com".to_owned())));
        assert!(!certificate.is(&CertificateIdentity::Sha256([8; 32])));
    }
}
