//! Signed tokens: JSON Web Signature in its compact form (RFC 7515), checked with the keys that a provider publishes
//! (RFC 7517).
//!
//! Only what a public key can check is known here: `none` and HMAC are nothing, whatever a header says. A key counts for
//! algorithms of its own kind alone, so that no header makes it mean another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// The most keys of a provider that are looked at: each may have to be tried.
const MAX_KEYS: usize = 32;

/// How a signature is checked.
enum Check {
    Rsa(&'static RsaParameters),
    Curve(&'static str, &'static EcdsaVerificationAlgorithm),
}

fn check_of(algorithm: &str) -> Option<Check> {
    Some(match algorithm {
        "RS256" => Check::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Check::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Check::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Check::Rsa(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Check::Rsa(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Check::Rsa(&RSA_PSS_2048_8192_SHA512),
        "ES256" => Check::Curve("P-256", &ECDSA_P256_SHA256_FIXED),
        "ES384" => Check::Curve("P-384", &ECDSA_P384_SHA384_FIXED),
        _ => return None,
    })
}

/// Why a token's signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsFault {
    /// It is not three parts of base64url, or its header does not read.
    #[error("it is no signed token")]
    Malformed,
    /// It is signed by an algorithm that no public key checks, or not at all.
    #[error("its algorithm {0:?} is not accepted")]
    Algorithm(String),
    /// It demands something that is not known here.
    #[error("its header has critical extensions, which are not known here")]
    Critical,
    /// None of the keys is the one that it names.
    #[error("it is signed with a key that the provider does not publish")]
    UnknownKey,
    /// The signature is not one of the key.
    #[error("its signature is wrong")]
    Signature,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// A key as it is published; what is not said of it is `None`.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A curve's name, and a point on it, uncompressed.
    Point(String, Vec<u8>),
}

struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

/// The keys that a provider signs with.
pub(super) struct Keys(Vec<Key>);

fn decoded(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// A number, big-endian, as ring wants it: without zeros in front.
fn number(text: Option<&String>) -> Option<Vec<u8>> {
    let bytes = decoded(text)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

impl Key {
    /// A published key that signatures can be checked with.
    fn read(published: Published) -> Option<Self> {
        if published.usage.as_ref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let material = match published.kty.as_str() {
            "RSA" => Material::Rsa(RsaPublicKeyComponents {
                n: number(published.n.as_ref())?,
                e: number(published.e.as_ref())?,
            }),
            "EC" => {
                let (x, y) = (decoded(published.x.as_ref())?, decoded(published.y.as_ref())?);
                Material::Point(published.crv?, [&[4][..], &x, &y].concat())
            }
            _ => return None,
        };
        Some(Self { id: published.kid, algorithm: published.alg, material })
    }

    /// Whether the signature is this key's; `None` where the key is not of the algorithm's kind.
    fn verifies(&self, check: &Check, message: &[u8], signature: &[u8]) -> Option<bool> {
        let verified = match (&self.material, check) {
            (Material::Rsa(components), Check::Rsa(parameters)) => components.verify(parameters, message, signature),
            (Material::Point(curve, point), Check::Curve(wanted, algorithm)) if curve == wanted => {
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature)
            }
            _ => return None,
        };
        Some(verified.is_ok())
    }
}

impl Keys {
    /// Reads a JSON Web Key Set. Keys that are for something else, or of kinds that are not known here, are passed over.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|error| format!("its keys do not read: {error}"))?;
        let published = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<Key> = published.filter_map(Key::read).take(MAX_KEYS).collect();
        if keys.is_empty() {
            Err("it publishes no key that signatures can be checked with".to_owned())
        } else {
            Ok(Self(keys))
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// What the token says, where one of these keys has signed it.
    pub(super) fn verify(&self, token: &str) -> Result<Vec<u8>, JwsFault> {
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsFault::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsFault::Malformed)?;
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsFault::Malformed);
        let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| JwsFault::Malformed)?;
        if header.crit.is_some() {
            return Err(JwsFault::Critical);
        }
        let algorithm = header.alg;
        let Some(check) = check_of(&algorithm) else {
            return Err(JwsFault::Algorithm(algorithm.chars().take(16).collect()));
        };
        let is_meant = |key: &&Key| {
            (header.kid.is_none() || header.kid == key.id)
                && key.algorithm.as_ref().is_none_or(|stated| *stated == algorithm)
        };
        let tried =
            self.0.iter().filter(is_meant).filter_map(|key| key.verifies(&check, signed.as_bytes(), &signature));
        // None that could have signed it, or one that has.
        match tried.reduce(|one, other| one || other) {
            None => Err(JwsFault::UnknownKey),
            Some(false) => Err(JwsFault::Signature),
            Some(true) => Ok(payload),
        }
    }
}
