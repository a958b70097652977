//! How the traffic record keeps a request: request line, headers and body, in the bytes in which they came.
//!
//! Credentials of other schemes than signatures are left out. What is written here is what an explanation of a signature
//! starts from, so nothing else is changed.

use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::explain::{Evidence, Kept};
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

const VERSION: &[u8] = b" HTTP/1.1";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// The request as it is kept, with as much of its body.
pub(crate) fn write(path: &str, raw: &RawRequest, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512 + body.len());
    bytes.extend_from_slice(b"POST ");
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(b'?');
    bytes.extend_from_slice(&raw.query);
    bytes.extend_from_slice(VERSION);
    for (name, value) in &raw.headers {
        if *name != AUTHORIZATION && *name != COOKIE {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
        }
    }
    bytes.extend_from_slice(HEAD_END);
    bytes.extend_from_slice(body);
    bytes
}

/// The request that was kept. `body_bytes` is how long its body was, where only its beginning may have been kept; `peer`
/// is the address that it came from, as the record has it.
pub fn read(kept: &[u8], body_bytes: Option<usize>, peer: &str) -> Evidence {
    let head_end = kept.windows(HEAD_END.len()).position(|window| window == HEAD_END);
    let (head, body) = match head_end.and_then(|at| kept.split_at_checked(at)) {
        Some((head, rest)) => (head, rest.get(HEAD_END.len()..)),
        None => (kept, None),
    };
    let (path, query, headers) = read_head(head);
    let state = match (body, body_bytes) {
        (None, _) => Kept::HeadCut,
        (Some(body), Some(body_bytes)) if body.len() < body_bytes => Kept::BodyCut { body_bytes },
        _ => Kept::Whole,
    };
    let body = Bytes::copy_from_slice(body.unwrap_or_default());
    let raw = RawRequest { query: Bytes::copy_from_slice(query), headers, body };
    Evidence { path, raw, kept: state, peer: peer.parse().ok() }
}

fn read_head(head: &[u8]) -> (String, &[u8], HeaderMap) {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.next().unwrap_or_default();
    let target = line.strip_prefix(b"POST ").unwrap_or(line);
    let target = target.strip_suffix(VERSION).unwrap_or(target);
    let at = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at_checked(at).unwrap_or((target, &[]));
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at_checked(at).unwrap_or((line, &[]));
        let value = value.get(1..).unwrap_or_default();
        let value = HeaderValue::from_bytes(value.strip_prefix(b" ").unwrap_or(value));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    (String::from_utf8_lossy(path).into_owned(), query.get(1..).unwrap_or_default(), headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, Vec<u8>)]) -> HeaderMap {
        let value = |value: &Vec<u8>| HeaderValue::from_bytes(value).unwrap();
        pairs.iter().map(|(name, bytes)| (HeaderName::from_static(name), value(bytes))).collect()
    }

    #[test]
    fn credentials_of_other_schemes_are_left_out() {
        let headers =
            headers(&[("authorization", b"Basic x".to_vec()), ("cookie", b"a=b".to_vec()), ("x", b"1".to_vec())]);
        let raw = RawRequest { query: "a=1".into(), headers, body: "{}".into() };
        assert_eq!(write("/qimen", &raw, b"{}"), b"POST /qimen?a=1 HTTP/1.1\r\nx: 1\r\n\r\n{}");
    }

    #[test]
    fn what_was_cut_is_known_to_be() {
        let raw =
            RawRequest { query: "a=1".into(), headers: headers(&[("x", b"1".to_vec())]), body: "{\"a\":1}".into() };
        let written = write("/qimen", &raw, b"{\"a\"");
        assert_eq!(read(&written, Some(7), "").kept, Kept::BodyCut { body_bytes: 7 });
        assert_eq!(read(&written, Some(4), "").kept, Kept::Whole);
        assert_eq!(read(&written, None, "192.0.2.1").peer, "192.0.2.1".parse().ok());
        let cut = read(&written[..18], Some(7), "");
        assert_eq!((cut.kept, cut.path.as_str(), &cut.raw.query[..]), (Kept::HeadCut, "/qimen", &b"a=1 HT"[..]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(query in "[!-~]{0,30}", first in prop::collection::vec(0x20_u8..=0x7e, 0..12), second in prop::collection::vec(0x80_u8..=0xff, 0..12), body in prop::collection::vec(any::<u8>(), 0..60)) {
            // Blanks at the ends of a value are no part of it: HTTP strips them.
            let headers = headers(&[("x-a", first.trim_ascii().to_vec()), ("x-a", second), ("x-b", Vec::new())]);
            let raw = RawRequest { query: query.into(), headers, body: body.into() };
            let read = read(&write("/p", &raw, &raw.body), None, "");
            prop_assert_eq!(read.kept, Kept::Whole);
            prop_assert_eq!(read.path, "/p");
            prop_assert_eq!((read.raw.query, read.raw.headers, read.raw.body), (raw.query, raw.headers, raw.body));
        }

        #[test]
        fn reading_never_panics(kept in prop::collection::vec(any::<u8>(), 0..80), body_bytes in any::<Option<usize>>()) {
            let _ = read(&kept, body_bytes, "x");
        }
    }
}
