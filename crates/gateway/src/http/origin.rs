//! Which address a call comes from, where proxies stand before the gateway.

use std::net::{IpAddr, SocketAddr};

use baoqiao_channels::access::AddressRange;
use http::HeaderMap;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The caller's address. A trusted proxy's word is taken for whom it was called by, and nobody else's: each proxy
/// adds the address that it saw at the right, so the rightmost that is no trusted proxy's is the last that is known
/// for sure, whatever the caller has written to its left. `None` where a trusted proxy passes on what is no address.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[AddressRange]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return Some(nearest);
    }
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    for line in lines.into_iter().rev() {
        for entry in line.to_str().ok()?.rsplit(',') {
            nearest = address(entry.trim())?;
            if !is_trusted(nearest) {
                return Some(nearest);
            }
        }
    }
    Some(nearest)
}

/// An address, with or without a port and the brackets of IPv6, as proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, lines: &[&str]) -> Option<String> {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|range| range.parse().unwrap());
        let headers = lines.iter().map(|line| (http::HeaderName::from_static(X_FORWARDED_FOR), line.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        client_address(peer.parse().unwrap(), &map, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_for_what_it_saw() {
        for (peer, lines, expected) in [
            ("192.0.2.1", &["203.0.113.9"][..], Some("192.0.2.1")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["203.0.113.9"], Some("203.0.113.9")),
            ("::ffff:10.0.0.1", &["203.0.113.9"], Some("203.0.113.9")),
            // What a caller writes itself stands to the left of what the proxies add.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], Some("203.0.113.9")),
            ("10.0.0.1", &["127.0.0.1", "203.0.113.9 ,10.0.0.2"], Some("203.0.113.9")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("2001:db8::1", &["[2001:db9::7]:4711"], Some("2001:db9::7")),
            ("10.0.0.1", &["203.0.113.9:80"], Some("203.0.113.9")),
            ("10.0.0.1", &["[::1]"], Some("::1")),
            ("10.0.0.1", &["203.0.113.9, unknown"], None),
            ("10.0.0.1", &["203.0.113.9,"], None),
            ("10.0.0.1", &["203.0.113.9, 张三"], None),
        ] {
            assert_eq!(told(peer, lines).as_deref(), expected, "{peer} {lines:?}");
        }
    }
}
