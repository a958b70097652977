//! Parts of pages that the server keeps up to date, by server-sent events.
//!
//! A part is rendered again about once a second and sent where it has changed, so that what is shown is always what the
//! ledger says, whatever was missed in between. A stream ends after a while, and the browser asks again; it ends with its
//! session, too.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, HeaderName};
use hyper::body::Frame;
use maud::Markup;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Console;
use super::failure::Failure;
use super::view::View;
use crate::ledger::feed::Waiter;

/// How many parts are kept up to date at once; each costs a query a second.
pub(super) const LIVE_AT_ONCE: usize = 64;
/// How long between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a stream lasts.
const LASTS: Duration = Duration::from_mins(5);
/// After how long of nothing new something is sent that is none, so that proxies keep the connection.
const SILENCE: Duration = Duration::from_secs(15);

/// What was rendered, on its way.
struct Parts(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The stream of what `render` makes for whoever looks, at each moment.
///
/// # Errors
/// When too many parts are kept up to date already.
pub(super) fn live(
    console: &Arc<Console>,
    view: View,
    render: impl Fn(&Console, &View) -> Result<Markup, Failure> + Clone + Send + Sync + 'static,
) -> Result<Response, Failure> {
    let permit = Arc::clone(&console.live).try_acquire_owned().map_err(|_| Failure::Busy)?;
    let (sender, parts) = mpsc::channel(1);
    let console = Arc::clone(console);
    tokio::spawn(async move {
        keep_up_to_date(&console, &view, &sender, render).await;
        drop(permit);
    });
    let mut response = Response::new(Body::new(Parts(parts)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that waits until it has enough shows nothing for long.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// What `render` makes now; nothing where the session was ended meanwhile.
fn part(
    console: &Console,
    view: View,
    render: impl Fn(&Console, &View) -> Result<Markup, Failure>,
) -> Result<Option<Markup>, Failure> {
    if let Some(user) = &view.user
        && console.store.session(&user.session)?.is_none()
    {
        return Ok(None);
    }
    render(console, &View { now: console.clock.now(), ..view }).map(Some)
}

async fn keep_up_to_date(
    console: &Arc<Console>,
    view: &View,
    sender: &mpsc::Sender<Bytes>,
    render: impl Fn(&Console, &View) -> Result<Markup, Failure> + Clone + Send + Sync + 'static,
) {
    let mut waiter = console.feed.waiter();
    let (started, mut last, mut sent_at) = (Instant::now(), None, Instant::now());
    while started.elapsed() < LASTS {
        let (view, render) = (view.clone(), render.clone());
        // What cannot be read now may be in a moment; the browser asks again.
        let Ok(Some(part)) = console.read(move |console| part(console, view, render)).await else { return };
        let part = part.into_string();
        let news = if last.as_ref() == Some(&part) {
            (sent_at.elapsed() >= SILENCE).then(|| Bytes::from_static(b":\n\n"))
        } else {
            let event = event(&part);
            last = Some(part);
            Some(event)
        };
        if let Some(news) = news {
            sent_at = Instant::now();
            if sender.send(news).await.is_err() {
                return;
            }
        }
        if !next_look(&mut waiter, sender).await {
            return;
        }
    }
}

/// Waits for the next look; `false` when nobody looks any more, or the gateway is about to stop.
async fn next_look(waiter: &mut Waiter, sender: &mpsc::Sender<Bytes>) -> bool {
    let at = Instant::now() + INTERVAL;
    loop {
        tokio::select! {
            () = sleep_until(at) => return true,
            () = sender.closed() => return false,
            goes_on = waiter.wait() => {
                if !goes_on {
                    return false;
                }
            }
        }
    }
}

/// One event: a line of the part is a line of data.
fn event(part: &str) -> Bytes {
    let mut text = "event: part\n".to_owned();
    for line in part.split('\n') {
        text.push_str("data: ");
        text.push_str(line.trim_end_matches('\r'));
        text.push('\n');
    }
    text.push('\n');
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_part_cannot_end_an_event() {
        assert_eq!(
            &event("<p>\nevent: x\n\n</p>")[..],
            b"event: part\ndata: <p>\ndata: event: x\ndata: \ndata: </p>\n\n"
        );
    }
}
