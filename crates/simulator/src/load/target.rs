//! Where a load goes: resolved once, so that what was checked is what is called.

use std::net::SocketAddr;

use http::{HeaderValue, Uri};

use super::plan::{LoadError, Plan};

/// The gateway under load.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// `Host` of the calls.
    pub(super) host: HeaderValue,
    pub(super) path: String,
}

impl Target {
    pub(super) async fn resolve(plan: &Plan) -> Result<Self, LoadError> {
        let bad = || LoadError::Url(plan.url.clone());
        let uri: Uri = plan.url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        if uri.scheme_str() != Some("http") || uri.query().is_some() {
            return Err(bad());
        }
        let host = authority.host();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(80);
        let unresolved = |cause: String| LoadError::Connect { url: plan.url.clone(), cause };
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host((name, port)).await.map_err(|error| unresolved(error.to_string()))?.collect();
        let remote = addresses.iter().find(|each| !each.ip().is_loopback());
        if let Some(address) = remote
            && !plan.allow_remote
        {
            return Err(LoadError::NotLoopback { host: host.to_owned(), address: *address });
        }
        let address = reachable(&addresses).await.map_err(|error| unresolved(error.to_string()))?;
        Ok(Self {
            address,
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?,
            path: uri.path().to_owned(),
        })
    }
}

/// The first address that answers: `localhost` is two of them, and a gateway may listen on one.
async fn reachable(addresses: &[SocketAddr]) -> std::io::Result<SocketAddr> {
    let stream = tokio::net::TcpStream::connect(addresses).await?;
    stream.peer_addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use baoqiao_channels::access::Secret;

    fn resolved(url: &str) -> Result<Target, LoadError> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(Target::resolve(&Plan::new(url, "k", Secret::new("s"))))
    }

    #[test]
    fn another_machine_is_not_loaded_unasked() {
        for url in ["http://192.0.2.1/qimen", "http://[2001:db8::1]:8080/", "http://0.0.0.0/"] {
            let error = resolved(url).unwrap_err();
            assert!(matches!(error, LoadError::NotLoopback { .. }), "{url}: {error}");
        }
    }

    #[test]
    fn only_plain_http_urls_are_loaded() {
        for url in ["https://127.0.0.1/", "127.0.0.1:80", "http://127.0.0.1/?a=1", "/q", ""] {
            let error = resolved(url).unwrap_err();
            assert!(matches!(error, LoadError::Url(_)), "{url}: {error}");
        }
    }

    #[test]
    fn a_listener_is_found_behind_a_name() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = resolved(&format!("http://localhost:{port}/qimen")).unwrap();
        assert_eq!(target.address, listener.local_addr().unwrap());
        assert_eq!(target.path, "/qimen");
    }

    #[test]
    fn a_port_without_a_listener_is_told() {
        // Bound, so that nobody else can listen there.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let refused = resolved(&format!("http://{}/qimen", held.local_addr().unwrap()));
        assert!(matches!(refused, Err(LoadError::Connect { .. })));
    }
}
