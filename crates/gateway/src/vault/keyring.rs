//! The key file: made once by `baoqiao init`, kept outside the ledger, never changed but by adding keys.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Entropy;

/// A key's name, which stands beside every ciphertext: 1 to 32 letters, digits or hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!("key id {text:?} is not 1 to 32 letters, digits or hyphens"))
        }
    }
}

/// 32 secret bytes, written in base64.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct SecretKey([u8; 32]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl From<SecretKey> for String {
    fn from(key: SecretKey) -> Self {
        STANDARD.encode(key.0)
    }
}

impl TryFrom<String> for SecretKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bytes = STANDARD.decode(&text).map_err(|_| "a key is not base64".to_owned())?;
        let length = bytes.len();
        bytes.try_into().map(Self).map_err(|_| format!("a key has {length} bytes, 32 are expected"))
    }
}

/// The key file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    current: KeyId,
    index: SecretKey,
    links: SecretKey,
    seal: BTreeMap<KeyId, SecretKey>,
}

/// All keys of one ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    current: (KeyId, SecretKey),
    index: SecretKey,
    links: SecretKey,
    /// Every sealing key, the current one among them.
    seal: BTreeMap<KeyId, SecretKey>,
}

/// Why a key file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read.
    #[error(
        "key file {path}: {source}; restore it from its backup: no other opens this ledger (`baoqiao init` makes one for a new ledger)"
    )]
    Unreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not a key file.
    #[error("key file {path}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any key.
        reason: String,
    },
}

const HEADER: &str = "\
# 密封密钥：台账中的个人信息以此加密，检索索引与保单下载地址也由此派生。
# 请与台账的备份分开保管；遗失后台账中的个人信息无法恢复。
# Keys of the ledger: personal data is sealed with them, and indexes and document addresses derive from them.
# Keep a copy apart from the ledger's backups; without it no personal data can be read again.
# To rotate: `baoqiao keys add`, restart every gateway, `baoqiao keys use`, restart them again. Never remove a key.
";

impl Keyring {
    /// New random keys.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(entropy: Entropy) -> Result<Self, getrandom::Error> {
        let current = (KeyId("k1".to_owned()), random_key(entropy)?);
        let seal = BTreeMap::from([current.clone()]);
        Ok(Self { current, index: random_key(entropy)?, links: random_key(entropy)?, seal })
    }

    /// Adds a sealing key, which opens from now on, and seals once it is [chosen](Self::choose). Its name is returned.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn add(&mut self, entropy: Entropy) -> Result<KeyId, getrandom::Error> {
        let mut number = self.seal.len() + 1;
        while self.seal.contains_key(&KeyId(format!("k{number}"))) {
            number += 1;
        }
        let id = KeyId(format!("k{number}"));
        self.seal.insert(id.clone(), random_key(entropy)?);
        Ok(id)
    }

    /// Seals with that key from now on, while the others go on opening what they sealed; `false` where there is no such
    /// key.
    pub fn choose(&mut self, id: &KeyId) -> bool {
        let key = self.seal.get(id).cloned();
        let is_known = key.is_some();
        if let Some(key) = key {
            self.current = (id.clone(), key);
        }
        is_known
    }

    /// The names of the sealing keys, each with whether it is the one that seals.
    pub fn names(&self) -> impl Iterator<Item = (&KeyId, bool)> {
        self.seal.keys().map(|id| (id, *id == self.current.0))
    }

    /// The key file's text.
    pub fn to_toml(&self) -> String {
        let line = |name: &str, key: &SecretKey| format!("{name} = \"{}\"\n", String::from(key.clone()));
        let sealing: String = self.seal.iter().map(|(id, key)| line(id.as_str(), key)).collect();
        let (index, links) = (line("index", &self.index), line("links", &self.links));
        format!("{HEADER}\ncurrent = \"{}\"\n{index}{links}\n[seal]\n{sealing}", self.current.0.as_str())
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it cannot be read, is no key file, or lacks the key it names as current.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        let unreadable = |source| KeyringError::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|reason| KeyringError::Broken { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The parser's own display quotes the line, which may hold a key: only its message is passed on.
        let KeyFile { current, index, links, seal } =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let missing = || format!("`current` names {:?}, which is not under [seal]", current.as_str());
        let key = seal.get(&current).ok_or_else(missing)?.clone();
        Ok(Self { current: (current, key), index, links, seal })
    }

    pub(super) fn current(&self) -> (&KeyId, &[u8; 32]) {
        (&self.current.0, &self.current.1.0)
    }

    pub(super) fn sealing_keys(&self) -> impl Iterator<Item = (&KeyId, &[u8; 32])> {
        self.seal.iter().map(|(id, key)| (id, &key.0))
    }

    pub(super) fn index_key(&self) -> &[u8; 32] {
        &self.index.0
    }

    pub(super) fn link_key(&self) -> &[u8; 32] {
        &self.links.0
    }
}

fn random_key(entropy: Entropy) -> Result<SecretKey, getrandom::Error> {
    let mut bytes = [0; 32];
    entropy(&mut bytes)?;
    Ok(SecretKey(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_reads_back() {
        let mut keyring = Keyring::generate(getrandom::fill).unwrap();
        let added = keyring.add(getrandom::fill).unwrap();
        assert!(keyring.to_toml().contains("current = \"k1\""));
        assert!(keyring.choose(&added) && !keyring.choose(&KeyId("k3".to_owned())));
        assert_eq!(Keyring::parse(&keyring.to_toml()).unwrap(), keyring);
        assert!(keyring.to_toml().contains("current = \"k2\""));
    }

    #[test]
    fn a_broken_key_file_says_what_is_wrong_and_tells_no_key() {
        let text = Keyring::generate(getrandom::fill).unwrap().to_toml();
        let secret = text.lines().find_map(|line| line.strip_prefix("index = ")).unwrap().trim_matches('"').to_owned();
        for (broken, expected) in [
            (text.replace("current = \"k1\"", "current = \"k9\""), "`current` names \"k9\", which is not under [seal]"),
            (text.replace("current =", "curent ="), "unknown field `curent`"),
            (text.replace("index = \"", "index = \"AAAA"), "a key"),
            (text.replace(&secret, "AAAA"), "a key has 3 bytes, 32 are expected"),
        ] {
            let reason = Keyring::parse(&broken).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
            assert!(!reason.contains(&secret), "{reason}");
        }
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let keyring = Keyring::generate(getrandom::fill).unwrap();
        let shown = format!("{keyring:?}");
        assert!(!shown.contains(&STANDARD.encode(keyring.index.0)), "{shown}");
    }
}
