//! Who may call: partners, their secrets and what each is allowed.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::origin::CertificateIdentity;
use crate::sign_method::SignMethod;

/// A shared secret, which no log or message ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes charge of a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for signing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A platform's application that calls us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its id in the configuration, stable while keys and secrets change.
    pub id: String,
    /// `app_key` of its calls.
    pub app_key: String,
    /// The live secrets: one, or two while they are rotated.
    pub secrets: Vec<Secret>,
    /// The signature methods it may use.
    pub sign_methods: Vec<SignMethod>,
    /// How far a call's `timestamp` may lie from now, in seconds.
    pub timestamp_window_s: i64,
}

/// Addresses that begin alike: `192.0.2.0/24`, `2001:db8::/32`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    prefix_bits: u32,
}

/// Text that is no [`AddressRange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a range of addresses in CIDR notation, without bits beyond its prefix")]
pub struct InvalidAddressRange;

/// The address as 128 bits at the top, and how many of them it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn beyond(address: IpAddr, prefix_bits: u32) -> u128 {
    bits(address).0.checked_shl(prefix_bits).unwrap_or(0)
}

impl FromStr for AddressRange {
    type Err = InvalidAddressRange;

    fn from_str(text: &str) -> Result<Self, InvalidAddressRange> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| InvalidAddressRange)?;
        let (_, length) = bits(first);
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let prefix_bits = match prefix {
            None => length,
            Some(text) => Some(text).filter(is_number).and_then(|text| text.parse().ok()).ok_or(InvalidAddressRange)?,
        };
        // Bits beyond the prefix are a slip: `10.1.2.3/8` was hardly meant to be 16 million addresses.
        let fits = prefix_bits <= length && beyond(first, prefix_bits) == 0;
        if fits { Ok(Self { first, prefix_bits }) } else { Err(InvalidAddressRange) }
    }
}

impl fmt::Display for AddressRange {
    /// As it is configured: `192.0.2.0/24`, or a single address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = bits(self.first).1 == self.prefix_bits;
        if whole { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.prefix_bits) }
    }
}

impl AddressRange {
    /// Whether every address of its kind lies in it.
    pub fn is_everything(self) -> bool {
        self.prefix_bits == 0
    }

    /// Whether the address lies in it. An IPv4 address that came through an IPv6 socket counts as what it is.
    pub fn contains(self, address: IpAddr) -> bool {
        let ((first, length), (address, other)) = (bits(self.first), bits(address.to_canonical()));
        length == other && (first ^ address).checked_shr(128 - self.prefix_bits).unwrap_or(0) == 0
    }
}

/// A policy source, 渠道: a caller without signatures, known by its code and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAccess {
    /// `policySource` of its calls.
    pub code: String,
    /// The addresses that it may call from.
    pub addresses: Vec<AddressRange>,
    /// The certificates of which it must show one; none where it need not.
    pub client_certificates: Vec<CertificateIdentity>,
    /// The live secrets of the HMAC header; none where the source sends no such header.
    pub hmac_secrets: Vec<Secret>,
}

/// All that the channels need to know about callers.
#[derive(Debug, Clone, Default)]
pub struct Access {
    partners: HashMap<String, Partner>,
    sources: HashMap<String, SourceAccess>,
    methods: HashMap<String, &'static str>,
}

impl Access {
    /// Access for these partners; `methods` maps the method names on the wire to interface names.
    pub fn new(partners: impl IntoIterator<Item = Partner>, methods: HashMap<String, &'static str>) -> Self {
        let partners = partners.into_iter().map(|partner| (partner.app_key.clone(), partner)).collect();
        Self { partners, sources: HashMap::new(), methods }
    }

    /// The access where these policy sources may call too.
    #[must_use]
    pub fn with_sources(mut self, sources: impl IntoIterator<Item = SourceAccess>) -> Self {
        self.sources = sources.into_iter().map(|source| (source.code.clone(), source)).collect();
        self
    }

    /// The policy source of that code.
    pub fn source(&self, code: &str) -> Option<&SourceAccess> {
        self.sources.get(code)
    }

    /// The partner with that `app_key`.
    pub fn partner(&self, app_key: &str) -> Option<&Partner> {
        self.partners.get(app_key)
    }

    /// Every partner, by their ids.
    pub fn partners(&self) -> Vec<&Partner> {
        let mut partners: Vec<&Partner> = self.partners.values().collect();
        partners.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        partners
    }

    /// Every policy source, by their codes.
    pub fn sources(&self) -> Vec<&SourceAccess> {
        let mut sources: Vec<&SourceAccess> = self.sources.values().collect();
        sources.sort_unstable_by(|a, b| a.code.cmp(&b.code));
        sources
    }

    /// The method name that stands for an interface, by its scope.
    pub fn method_of(&self, scope: &str) -> Option<&str> {
        self.methods.iter().find(|(_, known)| **known == scope).map(|(method, _)| method.as_str())
    }

    /// The interface that a method name stands for.
    pub fn interface_of_method(&self, method: &str) -> Option<&'static str> {
        self.methods.get(method).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_alike() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("127.0.0.0/8", "127.1.2.3", true),
        ];
        for (range, address, expected) in cases {
            let written = range;
            let range: AddressRange = range.parse().unwrap();
            assert_eq!(range.to_string(), written);
            assert_eq!(range.contains(address.parse().unwrap()), expected, "{range:?} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "localhost",
            "10.1.2.3/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0/8",
            " 10.0.0.1",
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(InvalidAddressRange), "{text:?}");
        }
    }
}
