//! A plain GET, for what no simulator sends: a customer's browser, a core system.

use std::error::Error;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

/// Status, headers and body of the answer.
pub type Answer = (u16, HeaderMap, Vec<u8>);

/// Gets `url`, which must be of plain HTTP.
///
/// # Errors
/// Where there is no whole answer.
pub async fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let uri: http::Uri = url.parse()?;
    let stream = tokio::net::TcpStream::connect(uri.authority().ok_or("no authority")?.as_str()).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = http::Request::get(uri.path_and_query().ok_or("no path")?.as_str()).header("host", "gateway");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let (head, body) = response.into_parts();
    Ok((head.status.as_u16(), head.headers, body.collect().await?.to_bytes().to_vec()))
}
