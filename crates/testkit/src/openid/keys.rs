//! The provider's keys, and tokens signed with them, rightly and wrongly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use serde_json::{Map, Value, json};

/// Two keys that protect nothing: ring makes none of RSA.
const RSA: [&[u8]; 2] = [include_bytes!("rsa-1.pk8"), include_bytes!("rsa-2.pk8")];

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// RSA as in PKCS#1.
    Rs256,
    /// RSA-PSS.
    Ps256,
    /// ECDSA over P-256.
    Es256,
    /// Not at all: `alg` is `none`.
    Unsigned,
    /// With HMAC, under the public key that everybody has.
    Hs256,
    /// With a key of somebody else, under the right key's name.
    Stranger,
    /// With the right key, and then changed.
    Changed,
}

pub(super) struct SigningKeys {
    rsa: Vec<RsaKeyPair>,
    curve: EcdsaKeyPair,
    /// Which of the RSA keys is published and signs.
    current: usize,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKeys {
    pub(super) fn new() -> Self {
        let rsa = RSA.map(|key| RsaKeyPair::from_pkcs8(key).unwrap());
        let random = SystemRandom::new();
        let curve = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let curve = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, curve.as_ref(), &random).unwrap();
        Self { rsa: rsa.into(), curve, current: 0 }
    }

    pub(super) fn rotate(&mut self) {
        self.current = 1 - self.current;
    }

    fn rsa_id(&self) -> String {
        format!("rsa-{}", self.current)
    }

    /// The key set, with two that are for nothing here.
    pub(super) fn published(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.rsa[self.current].public().into();
        let point = self.curve.public_key().as_ref();
        json!({"keys": [
            {"kty": "oct", "kid": "oct", "k": "AAAA"},
            {"kty": "RSA", "kid": self.rsa_id(), "use": "enc", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "kid": self.rsa_id(), "use": "sig", "n": encode(public.n), "e": encode(public.e)},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])},
        ]})
    }

    /// A token that says that.
    pub(super) fn token(&self, claims: &Map<String, Value>, signing: Signing) -> String {
        let (algorithm, key) = match signing {
            Signing::Rs256 | Signing::Stranger | Signing::Changed => ("RS256", self.rsa_id()),
            Signing::Ps256 => ("PS256", self.rsa_id()),
            Signing::Es256 => ("ES256", "ec".to_owned()),
            Signing::Unsigned => ("none", self.rsa_id()),
            Signing::Hs256 => ("HS256", self.rsa_id()),
        };
        let header = json!({"alg": algorithm, "kid": key, "typ": "JWT"});
        let payload = encode(Value::Object(claims.clone()).to_string());
        let message = format!("{}.{payload}", encode(header.to_string()));
        let signature = self.signature(message.as_bytes(), signing);
        if signing == Signing::Changed {
            let mut claims = claims.clone();
            claims.insert("groups".to_owned(), json!(["keepers"]));
            let payload = encode(Value::Object(claims).to_string());
            return format!("{}.{payload}.{}", encode(header.to_string()), encode(signature));
        }
        format!("{message}.{}", encode(signature))
    }

    fn signature(&self, message: &[u8], signing: Signing) -> Vec<u8> {
        let rsa = |key: usize, padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa[key].public().modulus_len()];
            self.rsa[key].sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        };
        match signing {
            Signing::Rs256 | Signing::Changed => rsa(self.current, &RSA_PKCS1_SHA256),
            Signing::Ps256 => rsa(self.current, &RSA_PSS_SHA256),
            Signing::Stranger => rsa(1 - self.current, &RSA_PKCS1_SHA256),
            Signing::Es256 => self.curve.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Signing::Unsigned => Vec::new(),
            Signing::Hs256 => {
                let public = self.rsa[self.current].public().as_ref();
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), message).as_ref().to_vec()
            }
        }
    }
}
