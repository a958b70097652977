//! The way to the database, which may be cut at any byte, or fall silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// They arrive.
    Open,
    /// Each connection breaks after a number of bytes, in either direction, of which this is the highest.
    Breaking(u64),
    /// Nothing arrives, and nobody is told.
    Silent,
}

/// A listener that hands everything on to the database. It ends, with all connections, when dropped.
pub(crate) struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    cuts: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// Listens on a port of its own, before the database's.
    pub(crate) async fn start(database_port: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, cuts) = (watch::Sender::new(Way::Open), Arc::new(AtomicU64::new(0)));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, database_port, way.subscribe(), Arc::clone(&cuts), seed));
        Self { port, way, cuts, _accepting: accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How many connections it has cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, database_port: u16, way: watch::Receiver<Way>, cuts: Arc<AtomicU64>, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else { continue };
        let (way, cuts, rng) = (way.clone(), Arc::clone(&cuts), rng.fork());
        connections.spawn(async move {
            // A database that is down is one that refuses: the client's connection ends.
            let Ok(server) = TcpStream::connect(("127.0.0.1", database_port)).await else { return };
            for stream in [&client, &server] {
                let _ = stream.set_nodelay(true);
            }
            if carry(client, server, way, rng).await {
                cuts.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// Carries both directions until one ends; whether it was cut.
async fn carry(client: TcpStream, server: TcpStream, way: watch::Receiver<Way>, mut rng: Rng) -> bool {
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let (up, down) = (rng.fork(), rng.fork());
    tokio::select! {
        cut = carry_one_way(client_reads, server_writes, way.clone(), up) => cut,
        cut = carry_one_way(server_reads, client_writes, way, down) => cut,
    }
}

async fn carry_one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    mut rng: Rng,
) -> bool {
    let mut buffer = vec![0; 16 << 10];
    // What may still pass, since the way was last said to be breaking.
    let mut left = None;
    loop {
        let now = *way.borrow_and_update();
        left = match now {
            Way::Breaking(highest) => left.or_else(|| Some(rng.u64(..highest))),
            Way::Open | Way::Silent => None,
        };
        let read = tokio::select! {
            biased;
            changed = way.changed() => if changed.is_ok() { continue } else { return false },
            read = from.read(&mut buffer), if now != Way::Silent => read,
        };
        let Ok(count @ 1..) = read else { return false };
        let passing = left.map_or(count, |left| count.min(usize::try_from(left).unwrap()));
        if to.write_all(&buffer[..passing]).await.is_err() {
            return false;
        }
        left = left.map(|left| left - u64::try_from(passing).unwrap());
        if passing < count {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that gives back what comes, and a connection to it through a proxy.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut reads, mut writes) = stream.split();
            let _ = tokio::io::copy(&mut reads, &mut writes).await;
        });
        let proxy = Proxy::start(port, 1).await;
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        (proxy, stream)
    }

    #[tokio::test]
    async fn an_open_way_carries_everything_and_a_breaking_one_a_part() {
        let (proxy, mut stream) = echo().await;
        let mut back = [0; 4];
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!((&back, proxy.cuts()), (b"ping", 0));
        proxy.set(Way::Breaking(1_000));
        let sent = vec![7; 100_000];
        let mut received = Vec::new();
        let (mut reads, mut writes) = stream.split();
        let (_, _) = tokio::join!(writes.write_all(&sent), reads.read_to_end(&mut received));
        assert!(received.len() < 1_000, "{}", received.len());
        assert_eq!(proxy.cuts(), 1);
    }

    #[tokio::test]
    async fn a_silent_way_carries_on_when_it_is_open_again() {
        let (proxy, mut stream) = echo().await;
        proxy.set(Way::Silent);
        stream.write_all(b"ping").await.unwrap();
        let mut back = [0; 4];
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), stream.read_exact(&mut back));
        assert!(early.await.is_err());
        proxy.set(Way::Open);
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"ping");
    }
}
