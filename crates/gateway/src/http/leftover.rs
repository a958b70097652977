//! What is left of a body when its call is answered.
//!
//! Who is still sending when the connection is closed may be told of a broken connection and never see the answer
//! (RFC 9112, section 9.6). So an answer that did not need the body waits for the rest of it, within bounds; after that, the
//! connection serves the next call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How much is read of what is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of more nothing is read: the connection is closed on it.
    pub(super) bytes: u64,
    /// How long a body may take, from its call on.
    pub(super) time: Duration,
}

/// A request's body in the hands of its handler. Dropped before its end, it goes back to where it came from.
pub(super) struct Lent<B: Body> {
    body: Option<B>,
    back: Option<oneshot::Sender<B>>,
    /// Its sender waits until it is read from, and sends nothing where it is not.
    held: bool,
}

/// Where the rest of a body arrives that was lent, and when its call came; nothing where there is no body.
pub(super) struct Rest<B>(Option<(oneshot::Receiver<B>, Instant)>);

/// Lends the body of a request to its handler.
pub(super) fn lend<B: Body>(request: Request<B>) -> (Request<Lent<B>>, Rest<B>) {
    let (head, body) = request.into_parts();
    let (back, rest) = if body.is_end_stream() { (None, None) } else { Some(oneshot::channel()).unzip() };
    let lent = Lent { body: Some(body), back, held: waits_to_be_asked(&head.headers) };
    (Request::from_parts(head, lent), Rest(rest.map(|rest| (rest, Instant::now()))))
}

fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl<B: Body<Data = Bytes> + Unpin> Body for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        this.held = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            this.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

impl<B: Body> Drop for Lent<B> {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !self.held && !body.is_end_stream());
        if let (Some(body), Some(back)) = (left, self.back.take()) {
            // Where nobody waits for it any more, the connection is gone.
            drop(back.send(body));
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Rest<B> {
    /// Reads what the handler left. Who was too slow already is not waited for once more.
    pub(super) async fn read(self, bounds: Bounds) {
        let Some((mut rest, begun)) = self.0 else { return };
        if let Ok(body) = rest.try_recv()
            && body.size_hint().lower() <= bounds.bytes
        {
            // Read or not, the answer goes out.
            let _ = tokio::time::timeout_at(begun + bounds.time, discard(body, bounds.bytes)).await;
        }
    }
}

async fn discard<B: Body<Data = Bytes> + Unpin>(mut body: B, mut room_bytes: u64) {
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Buf::remaining);
        let Some(room) = u64::try_from(bytes).ok().and_then(|bytes| room_bytes.checked_sub(bytes)) else { return };
        room_bytes = room;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Sends nothing and has no end, or so many bytes more in pieces of 1 MiB.
    struct Sender {
        declared_bytes: u64,
        left: Option<usize>,
    }

    impl Body for Sender {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let this = self.get_mut();
            let Some(left) = &mut this.left else { return Poll::Pending };
            let piece = (*left).min(1 << 20);
            *left -= piece;
            Poll::Ready((piece > 0).then(|| Ok(Frame::data(Bytes::from(vec![0; piece])))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.declared_bytes)
        }
    }

    const BOUNDS: Bounds = Bounds { bytes: 8 << 20, time: Duration::from_secs(3) };

    /// How long the rest was waited for that a handler left who read `frames` of the body.
    async fn waited(expect: Option<&'static str>, declared_bytes: u64, frames: usize) -> Duration {
        let mut request = Request::new(Sender { declared_bytes, left: (frames > 0).then_some(frames << 20) });
        if let Some(expect) = expect {
            request.headers_mut().insert(header::EXPECT, HeaderValue::from_static(expect));
        }
        let (request, rest) = lend(request);
        let mut lent = request.into_body();
        for _ in 0..frames {
            assert!(lent.frame().await.unwrap().is_ok());
        }
        if let Some(body) = &mut lent.body {
            body.left = None;
        }
        drop(lent);
        let begun = Instant::now();
        rest.read(BOUNDS).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_waited_for_as_long_as_patience_lasts_and_only_where_it_can_be_under_way() {
        let Bounds { bytes, time } = BOUNDS;
        assert_eq!(waited(None, 1_000, 0).await, time);
        assert_eq!(waited(None, bytes, 1).await, time);
        assert_eq!(waited(None, bytes + 1, 1).await, Duration::ZERO);
        // Who was never asked for the body does not send it; who was, does.
        assert_eq!(waited(Some("100-Continue"), 1_000, 0).await, Duration::ZERO);
        assert_eq!(waited(Some("100-continue"), 1_000, 1).await, time);
        assert_eq!(waited(Some("tea"), 1_000, 0).await, time);
    }

    #[tokio::test]
    async fn of_a_rest_without_a_length_no_more_is_read_than_the_bound() {
        let endless = usize::MAX;
        let mut body = Sender { declared_bytes: 0, left: Some(endless) };
        discard(&mut body, BOUNDS.bytes).await;
        assert_eq!(body.left, Some(endless - (9 << 20)));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_body_that_was_read_nothing_is_left() {
        let (request, rest) = lend(Request::new(Sender { declared_bytes: 2 << 20, left: Some(2 << 20) }));
        assert_eq!(request.body().size_hint().exact(), Some(2 << 20));
        let read = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read.len(), 2 << 20);
        assert!(rest.0.unwrap().0.await.is_err(), "nothing comes back");
        let (request, rest) = lend(Request::new(http_body_util::Empty::<Bytes>::new()));
        assert!(request.body().is_end_stream() && rest.0.is_none());
    }
}
