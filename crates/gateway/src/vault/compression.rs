//! Smaller before it is sealed: what is sealed no longer compresses, and it is most of what a ledger writes.
//!
//! A request and its content are text whose field names are longer than its values. As an LZ4 block over a dictionary
//! of these names they take some 40 % of their length; log, file and syncing shrink with them, for 2 µs each.
//! (`docs/performance.md` has what that brought.) The length of a sealed value tells a little more of its content
//! than before: how much it repeats itself and the dictionary. Nobody who sees lengths in the ledger can have a chosen text
//! put beside another's secret, which is what such lengths have been used for.

use std::borrow::Cow;

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

use super::Purpose;

/// What messages are likely to hold: field names of the issuing interface in its order, and the head of a request, no
/// values of anybody. It never changes, since what was sealed over it is opened over it; another one would get a
/// number of its own in [`Packing`].
const DICTIONARY_1: &[u8] = include_bytes!("dictionary-1.txt");
/// Shorter than this there is nothing to gain.
const WORTHWHILE_BYTES: usize = 512;

/// How a value lies inside its seal; its byte begins the sealed value and is bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Packing {
    /// As it is.
    Plain = 1,
    /// Its length in four bytes, the lowest first, and an LZ4 block over the first dictionary.
    Lz4 = 2,
}

impl Packing {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Plain, Self::Lz4].into_iter().find(|packing| *packing as u8 == byte)
    }

    /// The shorter of the forms that a value of this kind may take. Documents are compressed already.
    pub(super) fn pack(purpose: Purpose, plain: &[u8]) -> (Self, Cow<'_, [u8]>) {
        if plain.len() >= WORTHWHILE_BYTES && purpose != Purpose::Document && u32::try_from(plain.len()).is_ok() {
            let packed = compress_prepend_size_with_dict(plain, DICTIONARY_1);
            if packed.len() < plain.len() {
                return (Self::Lz4, packed.into());
            }
        }
        (Self::Plain, plain.into())
    }

    /// What was packed; `None` if it was not packed so.
    pub(super) fn unpack(self, packed: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Plain => Some(packed),
            Self::Lz4 => decompress_size_prepended_with_dict(&packed, DICTIONARY_1).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_dictionary_is_the_one_over_which_values_were_sealed() {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(DICTIONARY_1));
        assert_eq!(digest, "xQMHuXaILXOy_R5MJh6PX2JgESj3DOy9LY6i0TKzRq8");
    }

    /// An application of the issuing interface, made up.
    const MESSAGE: &[u8] = include_bytes!("message.json");

    #[test]
    fn a_message_gets_less_than_half_as_long_and_what_would_not_stays_as_it_is() {
        let (packing, packed) = Packing::pack(Purpose::Content, MESSAGE);
        assert_eq!(packing, Packing::Lz4);
        assert!(packed.len() * 2 < MESSAGE.len(), "{} of {}", packed.len(), MESSAGE.len());
        let mut rng = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(4_096).collect();
        let short = &MESSAGE[..WORTHWHILE_BYTES - 1];
        for (purpose, plain) in [(Purpose::Content, &noise[..]), (Purpose::Document, MESSAGE), (Purpose::Reply, short)]
        {
            assert_eq!(Packing::pack(purpose, plain), (Packing::Plain, plain.into()));
        }
    }

    #[test]
    fn what_was_packed_once_is_read_for_ever() {
        let packed =
            URL_SAFE_NO_PAD.decode("ZwAAABp7IQUaN2QEN1VTRBEAA2QEdzYuNDU5NCKiAA6JAPABMTYyODg3MDM5OTAwMCJ9fQ").unwrap();
        let message = r#"{"identifier":"7","currency":"USD","currencyRate":"6.4594","attrs":{"agreeOnSendTime":"1628870399000"}}"#;
        assert_eq!(Packing::Lz4.unpack(packed), Some(message.into()));
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(unit in proptest::collection::vec(any::<u8>(), 1..300), times in 1_usize..40) {
            let plain = unit.repeat(times);
            let (packing, packed) = Packing::pack(Purpose::Request, &plain);
            prop_assert_eq!(packing.unpack(packed.into_owned()), Some(plain));
        }

        #[test]
        fn other_bytes_are_refused_or_read_and_nothing_worse(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            // A length that the machine has memory for.
            bytes.splice(0..bytes.len().min(4), [200, 0, 0, 0]);
            let _ = Packing::Lz4.unpack(bytes);
        }
    }
}
