//! A sign-in under way: what the browser carries, under the ledger's seal, while its person is at the provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::vault::{Entropy, Purpose, Sealed, Vault, VaultError};

/// How long somebody may take at the provider.
const TAKES_AT_MOST: SignedDuration = SignedDuration::from_mins(10);
/// How long the use of a sign-in is remembered: as long as it could be tried again, whichever gateway's clock counts.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_mins(60);
/// The longest address to go back to, in bytes: all of it has to fit a cookie.
const MAX_BACK_BYTES: usize = 1_024;

/// A sign-in under way. Its state, nonce and verifier are 256 random bits each.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    back: String,
    until: Timestamp,
}

fn random(entropy: Entropy) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    entropy(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Pending {
    /// A new one, which leads back to that address within the console.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(back: &str, now: Timestamp, entropy: Entropy) -> Result<Self, getrandom::Error> {
        let back = if back.len() <= MAX_BACK_BYTES { back } else { "/console" };
        Ok(Self {
            state: random(entropy)?,
            nonce: random(entropy)?,
            verifier: random(entropy)?,
            back: back.to_owned(),
            until: now + TAKES_AT_MOST,
        })
    }

    /// The cookie's value.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn seal(&self, vault: &Vault) -> Result<String, VaultError> {
        // A struct of texts has no key that JSON could not write.
        let plain = serde_json::to_vec(self).unwrap_or_default();
        Ok(URL_SAFE_NO_PAD.encode(vault.seal(Purpose::SignIn, &plain)?.as_bytes()))
    }

    /// Reads a cookie; `None` for what no gateway of this ledger has written, and for what is over.
    pub fn open(text: &str, vault: &Vault, now: Timestamp) -> Option<Self> {
        let sealed = Sealed::from_stored(URL_SAFE_NO_PAD.decode(text).ok()?);
        let pending: Self = serde_json::from_slice(&vault.open(Purpose::SignIn, &sealed).ok()?).ok()?;
        (now < pending.until).then_some(pending)
    }

    /// Whether an answer is to this sign-in, compared in constant time.
    pub fn is_answered_by(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// Where to go when it is done.
    pub fn back(&self) -> &str {
        &self.back
    }

    /// What is remembered of its use, and until when.
    pub fn spent(&self) -> ([u8; 32], Timestamp) {
        (Sha256::digest(&self.nonce).into(), self.until + REMEMBERED_FOR)
    }

    /// The parameters of the address at the provider that are this sign-in's own.
    pub(super) fn asks(&self) -> [(&'static str, String); 4] {
        [
            ("state", self.state.clone()),
            ("nonce", self.nonce.clone()),
            ("code_challenge", URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))),
            ("code_challenge_method", "S256".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::keyring::Keyring;
    use crate::vault::tests::vault;

    #[test]
    fn whichever_gateway_of_the_ledger_somebody_comes_back_to_goes_on_and_nobody_else() {
        let keyring = Keyring::generate(getrandom::fill).unwrap();
        let gateway = || Vault::new(&keyring, getrandom::fill);
        let now = Timestamp::UNIX_EPOCH;
        let pending = Pending::new("/console/messages", now, getrandom::fill).unwrap();
        let text = pending.seal(&gateway()).unwrap();
        let opened = Pending::open(&text, &gateway(), now).unwrap();
        assert!(opened == pending && opened.back() == "/console/messages");
        assert!(opened.is_answered_by(&pending.state) && !opened.is_answered_by(&pending.nonce));
        assert!(!opened.is_answered_by(""));
        assert!(Pending::open(&text, &vault(), now).is_none(), "another ledger's keys");
        assert!(Pending::open(&text, &gateway(), now + TAKES_AT_MOST).is_none());
        assert!(Pending::open(text.trim_end_matches(char::is_alphanumeric), &gateway(), now).is_none());
        let plain = serde_json::to_vec(&pending).unwrap();
        let other = URL_SAFE_NO_PAD.encode(gateway().seal(Purpose::Address, &plain).unwrap().as_bytes());
        assert!(Pending::open(&other, &gateway(), now).is_none(), "sealed for another purpose");
    }

    #[test]
    fn a_challenge_is_the_digest_of_its_verifier() {
        let mut pending = Pending::new("/console", Timestamp::UNIX_EPOCH, getrandom::fill).unwrap();
        // RFC 7636, appendix B.
        pending.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let challenge = ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        assert!(pending.asks().contains(&challenge));
    }
}
