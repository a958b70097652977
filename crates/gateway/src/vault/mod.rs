//! Personal data at rest: sealed, and found again without being opened.
//!
//! Parties, raw messages and documents pass through [`Vault`] on their way to the ledger and are [`Sealed`] there.
//! Sealing is XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived per message from a 24-byte
//! random nonce. Plain AES-256-GCM allows 2³² random nonces a key, which a busy gateway uses up within days; this
//! allows 2⁸⁰.

mod compression;
pub mod keyring;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use xaes_256_gcm::aead::{Aead, AeadInOut, Payload};
use xaes_256_gcm::{Key, Nonce, Xaes256Gcm};

use baoqiao_domain::idempotency::Fingerprint;
use baoqiao_domain::party::{PersonKey, PersonKeyKind};
use compression::Packing;
use keyring::{KeyId, Keyring};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Random bytes for nonces: the operating system's, or a test's.
pub type Entropy = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// What a sealed value is. It is bound to the ciphertext, so that one kind cannot be passed off as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A raw request.
    Request,
    /// A raw reply.
    Reply,
    /// The decoded business content of a message.
    Content,
    /// The answer that is kept for ever.
    Outcome,
    /// An electronic policy document.
    Document,
    /// A notice to be sent.
    Notice,
    /// What was answered to a notice.
    NoticeResponse,
    /// What an address of the console says to nobody else.
    Address,
    /// A sign-in under way, which a browser carries.
    SignIn,
    /// The mark by which a ledger knows its keys.
    KeyCheck,
}

impl Purpose {
    /// What the ciphertext is bound to.
    fn label(self, packing: Packing) -> Cow<'static, [u8]> {
        match packing {
            Packing::Plain => self.name().into(),
            Packing::Lz4 => [self.name(), b" lz4"].concat().into(),
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Request => b"baoqiao request",
            Self::Reply => b"baoqiao reply",
            Self::Content => b"baoqiao content",
            Self::Outcome => b"baoqiao outcome",
            Self::Document => b"baoqiao document",
            Self::Notice => b"baoqiao notice",
            Self::NoticeResponse => b"baoqiao notice response",
            Self::Address => b"baoqiao address",
            Self::SignIn => b"baoqiao sign-in",
            Self::KeyCheck => b"baoqiao key check",
        }
    }
}

/// A sealed value: how it was packed, key id, nonce, ciphertext with its tag.
///
/// Cheap to clone: a batch holds the same content in several rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Bytes);

impl Sealed {
    /// What the ledger stores.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the ledger has stored.
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Entropy(#[from] getrandom::Error),
    /// The value is too long for one message.
    #[error("a value of {0} bytes is too long to be sealed")]
    TooLong(usize),
    /// The stored bytes are not a sealed value of a known format.
    #[error("stored bytes are not a sealed value")]
    NotSealed,
    /// The key is not in the key file.
    #[error("the value was sealed with key {0:?}, which the key file does not have")]
    UnknownKey(String),
    /// The ciphertext was changed, or is of another purpose or key.
    #[error("a sealed value does not open: it was altered, or the key file is another ledger's")]
    Altered,
}

/// The keyed digest under which a person is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindIndex(pub [u8; 16]);

/// An address that is to be guessed by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A policy's document.
    Document,
    /// A policy's verification page.
    Verification,
}

impl Link {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Document => b"document",
            Self::Verification => b"verification",
        }
    }
}

/// HMAC fills a key that is shorter than its block with zeros.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new(&block.into())
}

/// Seals, opens and blinds with the keys of one ledger.
pub struct Vault {
    current: (KeyId, Xaes256Gcm),
    ciphers: Vec<(KeyId, Xaes256Gcm)>,
    /// Keyed once: each digest starts from a copy.
    index_mac: Hmac<Sha256>,
    link_mac: Hmac<Sha256>,
    entropy: Entropy,
}

impl Vault {
    /// A vault over these keys.
    pub fn new(keyring: &Keyring, entropy: Entropy) -> Self {
        let cipher = |key: &[u8; 32]| Xaes256Gcm::new(&Key::<Xaes256Gcm>::from(*key));
        let ciphers = keyring.sealing_keys().map(|(id, key)| (id.clone(), cipher(key))).collect();
        let (id, key) = keyring.current();
        Self {
            current: (id.clone(), cipher(key)),
            ciphers,
            index_mac: keyed(keyring.index_key()),
            link_mac: keyed(keyring.link_key()),
            entropy,
        }
    }

    /// Seals a value.
    ///
    /// # Errors
    /// [`VaultError::Entropy`] and [`VaultError::TooLong`].
    pub fn seal(&self, purpose: Purpose, plain: &[u8]) -> Result<Sealed, VaultError> {
        let (id, cipher) = &self.current;
        let mut nonce = [0; NONCE_BYTES];
        (self.entropy)(&mut nonce)?;
        let too_long = || VaultError::TooLong(plain.len());
        let (packing, packed) = Packing::pack(purpose, plain);
        let id = id.as_str().as_bytes();
        // Sealed where it is to lie: a message is copied once.
        let head_bytes = 2 + id.len() + NONCE_BYTES;
        let mut bytes = Vec::with_capacity(head_bytes + packed.len() + TAG_BYTES);
        bytes.push(packing as u8);
        bytes.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&packed);
        let place = bytes.get_mut(head_bytes..).unwrap_or_default();
        let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), &purpose.label(packing), place.into());
        bytes.extend_from_slice(&tag.map_err(|_| too_long())?);
        Ok(Sealed(bytes.into()))
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`VaultError::NotSealed`], [`VaultError::UnknownKey`] and [`VaultError::Altered`].
    pub fn open(&self, purpose: Purpose, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        let [packing, id_length, rest @ ..] = &*sealed.0 else { return Err(VaultError::NotSealed) };
        let packing = Packing::from_byte(*packing).ok_or(VaultError::NotSealed)?;
        let (id, rest) = rest.split_at_checked(usize::from(*id_length)).ok_or(VaultError::NotSealed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::NotSealed)?;
        let known = self.ciphers.iter().find(|(known, _)| known.as_str().as_bytes() == id);
        let (_, cipher) = known.ok_or_else(|| VaultError::UnknownKey(String::from_utf8_lossy(id).into_owned()))?;
        let payload = Payload { msg: ciphertext, aad: &purpose.label(packing) };
        let packed = cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::Altered)?;
        packing.unpack(packed).ok_or(VaultError::NotSealed)
    }

    fn keyed_digest(keyed: &Hmac<Sha256>, pieces: &[&[u8]]) -> [u8; 32] {
        let mut mac = keyed.clone();
        for piece in pieces {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            mac.update(&u64::try_from(piece.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(piece);
        }
        mac.finalize().into_bytes().into()
    }

    /// The digest by which two messages with the same content are known. Keyed, since contents hold ID numbers,
    /// which a plain digest lets anyone who has the ledger guess.
    pub fn fingerprint(&self, content: &[u8]) -> Fingerprint {
        Fingerprint(Self::keyed_digest(&self.index_mac, &[b"fingerprint", content]))
    }

    /// The digest by which a person is found.
    pub fn blind_index(&self, key: &PersonKey) -> BlindIndex {
        let kind: &[u8] = match key.kind {
            PersonKeyKind::LicenseNo => b"license-no",
            PersonKeyKind::Phone => b"phone",
            PersonKeyKind::Name => b"name",
        };
        let digest = Self::keyed_digest(&self.index_mac, &[b"person", kind, key.value.as_bytes()]);
        let mut short = [0; 16];
        short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        BlindIndex(short)
    }

    /// The token that makes an address unguessable: 128 bits, 22 characters.
    pub fn link_token(&self, link: Link, subject: &str) -> String {
        let digest = Self::keyed_digest(&self.link_mac, &[link.label(), subject.as_bytes()]);
        URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
    }

    /// Whether a token is the right one, compared in constant time.
    pub fn is_link_token(&self, link: Link, subject: &str, token: &str) -> bool {
        self.link_token(link, subject).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn vault() -> Vault {
        Vault::new(&Keyring::generate(getrandom::fill).unwrap(), getrandom::fill)
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        let vault = vault();
        let plain = "张三 3321231232312342432".as_bytes();
        let sealed = vault.seal(Purpose::Content, plain).unwrap();
        assert!(!sealed.as_bytes().windows(6).any(|window| window == "张三".as_bytes()));
        assert_eq!(vault.open(Purpose::Content, &sealed).unwrap(), plain);
        assert_ne!(vault.seal(Purpose::Content, plain).unwrap(), sealed);
    }

    #[test]
    fn a_changed_byte_another_purpose_and_another_key_do_not_open() {
        let vault = vault();
        for plain in ["x".to_owned(), "long enough to be packed ".repeat(40)] {
            let sealed = vault.seal(Purpose::Content, plain.as_bytes()).unwrap();
            for at in 0..sealed.as_bytes().len() {
                for bits in [1, 2, 3] {
                    let mut bytes = sealed.as_bytes().to_vec();
                    bytes[at] ^= bits;
                    assert!(vault.open(Purpose::Content, &Sealed::from_stored(bytes)).is_err(), "byte {at} by {bits}");
                }
            }
        }
        let sealed = vault.seal(Purpose::Content, b"x").unwrap();
        for length in 0..sealed.as_bytes().len() {
            let cut = Sealed::from_stored(sealed.as_bytes()[..length].to_vec());
            assert!(vault.open(Purpose::Content, &cut).is_err());
        }
        assert!(matches!(vault.open(Purpose::Request, &sealed), Err(VaultError::Altered)));
        assert!(matches!(tests::vault().open(Purpose::Content, &sealed), Err(VaultError::Altered)));
    }

    #[test]
    fn an_older_key_still_opens_what_it_sealed() {
        let mut keyring = Keyring::generate(getrandom::fill).unwrap();
        let sealed = Vault::new(&keyring, getrandom::fill).seal(Purpose::Reply, b"x").unwrap();
        let added = keyring.add(getrandom::fill).unwrap();
        assert!(keyring.choose(&added));
        let rotated = Vault::new(&keyring, getrandom::fill);
        assert_eq!(rotated.open(Purpose::Reply, &sealed).unwrap(), b"x");
        assert_ne!(rotated.seal(Purpose::Reply, b"x").unwrap().as_bytes()[2..4], sealed.as_bytes()[2..4]);
    }

    #[test]
    fn tokens_and_indexes_depend_on_key_kind_and_subject() {
        let vault = vault();
        let token = vault.link_token(Link::Document, "P1");
        assert_eq!(token.len(), 22);
        assert!(vault.is_link_token(Link::Document, "P1", &token));
        assert!(!vault.is_link_token(Link::Verification, "P1", &token));
        assert!(!vault.is_link_token(Link::Document, "P2", &token));
        let phone = PersonKey::phone("13912312323").unwrap();
        let license = PersonKey::license_no("13912312323").unwrap();
        assert_eq!(vault.blind_index(&phone), vault.blind_index(&phone));
        assert_ne!(vault.blind_index(&phone), vault.blind_index(&license));
    }
}
