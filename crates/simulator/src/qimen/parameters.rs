//! `a=1&b=2`, both ways, in the charset of the call.

use baoqiao_channels::qimen::parameters::pairs;
use encoding_rs::Encoding;

use super::charset::{Charset, NotInCharset};

/// A parameter as text: name and value.
pub type Parameter = (String, String);

/// The pairs in their order, percent-decoded, `+` as a space; a name without `=` has an empty value.
pub(crate) fn decoded_pairs(encoded: &[u8], charset: &'static Encoding) -> Vec<Parameter> {
    let text = |piece: &[u8]| charset.decode_without_bom_handling(piece).0.into_owned();
    pairs(encoded).map(|(name, value)| (text(&name), text(&value))).collect()
}

/// A query's parameters as text, percent-decoded.
pub fn decode_query(encoded: &str, charset: Charset) -> Vec<Parameter> {
    decoded_pairs(encoded.as_bytes(), charset.encoding())
}

/// The pairs as the platform's SDK writes them: a space as `+`, all but letters, digits and `*-._` as `%XX`.
///
/// # Errors
/// The first character that the charset lacks.
pub fn encode_query<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    charset: Charset,
) -> Result<String, NotInCharset> {
    let mut encoded = String::new();
    for (name, value) in pairs {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        encoded.extend(form_urlencoded::byte_serialize(&charset.encode(name)?));
        encoded.push('=');
        encoded.extend(form_urlencoded::byte_serialize(&charset.encode(value)?));
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes(pairs in prop::collection::vec(("[a-z张]{1,4}", "[ -~张三]{0,8}"), 0..6), charset in prop::sample::select(&[Charset::Utf8, Charset::Gbk])) {
            let encoded = encode_query(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())), charset).unwrap();
            prop_assert_eq!(decoded_pairs(encoded.as_bytes(), charset.encoding()), pairs);
        }
    }
}
