//! Passwords: Argon2id, and what is asked of one.
//!
//! 19 MiB, three passes, one lane: one pass more than the least that OWASP's password storage cheat sheet recommends for
//! this memory, some 60 ms of a core. Hashes carry their parameters, so that they can be raised: [`Checked::Outdated`]
//! says that a hash was made with others.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::vault::Entropy;

const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// The shortest password, in characters.
pub const MIN_CHARS: usize = 12;
/// The longest password, in bytes: what is hashed is bounded.
pub const MAX_BYTES: usize = 1_024;

/// A password as it was typed; it shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is wrong with a password that somebody wants to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Too short.
    #[error("it has fewer than {MIN_CHARS} characters")]
    Short,
    /// Too long to be hashed.
    #[error("it has more than {MAX_BYTES} bytes")]
    Long,
    /// The user's name, or one character over and over.
    #[error("it is the user's name, or one character repeated")]
    Obvious,
}

/// Why a password cannot be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a password cannot be hashed: {0}")]
pub struct HashError(String);

/// What came of checking a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is another.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, and its hash was made with other parameters than today's.
    Outdated,
}

impl Password {
    /// A password as it came. One that is too long fits no hash.
    pub fn typed(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A password that a user of that name wants to have.
    ///
    /// # Errors
    /// When it is no good.
    pub fn chosen(text: impl Into<String>, user: &str) -> Result<Self, Weakness> {
        let text = text.into();
        if text.len() > MAX_BYTES {
            return Err(Weakness::Long);
        }
        if text.chars().count() < MIN_CHARS {
            return Err(Weakness::Short);
        }
        let mut chars = text.chars();
        let first = chars.next();
        if text.eq_ignore_ascii_case(user) || chars.all(|c| Some(c) == first) {
            return Err(Weakness::Obvious);
        }
        Ok(Self(text))
    }

    /// Its hash as a PHC string, with a salt of its own.
    ///
    /// # Errors
    /// When there are no random bytes for the salt.
    pub fn hash(&self, entropy: Entropy) -> Result<String, HashError> {
        let mut salt = [0; SALT_BYTES];
        entropy(&mut salt).map_err(|error| HashError(error.to_string()))?;
        let hashed = hasher()?.hash_password_with_salt(self.0.as_bytes(), &salt);
        hashed.map(|hash| hash.to_string()).map_err(|error| HashError(error.to_string()))
    }

    /// Whether it is the password of that hash.
    pub fn check(&self, hash: &str) -> Checked {
        let (Ok(hash), Ok(hasher)) = (PasswordHash::new(hash), hasher()) else { return Checked::Wrong };
        if self.0.len() > MAX_BYTES || hasher.verify_password(self.0.as_bytes(), &hash).is_err() {
            return Checked::Wrong;
        }
        let made_with = Params::try_from(&hash).ok();
        let is_current =
            made_with.is_some_and(|made| (made.m_cost(), made.t_cost(), made.p_cost()) == (MEMORY_KIB, PASSES, LANES));
        if is_current { Checked::Right } else { Checked::Outdated }
    }

    /// Takes as long as checking a password does: a name that nobody has answers no sooner than one that somebody has.
    pub fn check_nothing(&self) {
        let spent = hasher().and_then(|hasher| {
            let mut out = [0; 32];
            let typed = self.0.as_bytes().get(..self.0.len().min(MAX_BYTES)).unwrap_or_default();
            let hashed = hasher.hash_password_into(typed, &[0; SALT_BYTES], &mut out);
            hashed.map_err(|error| HashError(error.to_string()))
        });
        // The answer is the same whatever came of it.
        drop(std::hint::black_box(spent));
    }
}

fn hasher() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_alone() {
        let password = Password::chosen("correct horse 电池", "li").unwrap();
        let hash = password.hash(getrandom::fill).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{hash}");
        assert_eq!(password.check(&hash), Checked::Right);
        assert_eq!(Password::typed("correct horse 电").check(&hash), Checked::Wrong);
        assert_eq!(password.check("$argon2id$nonsense"), Checked::Wrong);
        assert_ne!(password.hash(getrandom::fill).unwrap(), hash, "each hash has a salt of its own");
        assert!(!format!("{password:?}").contains("horse"));
    }

    #[test]
    fn a_hash_of_other_parameters_is_right_and_outdated() {
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let hash = hasher.hash_password_with_salt(b"correct horse battery", &[7; 16]).unwrap().to_string();
        assert_eq!(Password::typed("correct horse battery").check(&hash), Checked::Outdated);
    }

    #[test]
    fn what_is_no_good_is_told() {
        assert_eq!(Password::chosen("elevenchars", "li"), Err(Weakness::Short));
        assert_eq!(Password::chosen("十二个字十二个字十二个字", "li").map(|_| ()), Ok(()));
        assert_eq!(Password::chosen("x".repeat(12), "li"), Err(Weakness::Obvious));
        assert_eq!(Password::chosen("Administrator", "administrator"), Err(Weakness::Obvious));
        assert_eq!(Password::chosen("xy".repeat(600), "li"), Err(Weakness::Long));
        Password::typed("x".repeat(5_000)).check_nothing();
    }
}
