//! A receiver of alerts on this machine: takes all that come, over connections that are kept, and notes when.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// An alert, and when its head had been read.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    /// Milliseconds since 1970, with their fraction.
    pub(crate) wall: f64,
    pub(crate) body: Vec<u8>,
}

/// Begins to receive; where, and what comes.
pub(crate) fn receive() -> (u16, Receiver<Arrival>) {
    let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let (send, arrivals) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::task::spawn_local(take(stream, send.clone()));
            }
        });
    });
    (port, arrivals)
}

/// Takes what comes over one connection, until it is closed.
async fn take(mut stream: TcpStream, send: Sender<Arrival>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut read = Vec::with_capacity(8_192);
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            stream.read_buf(&mut read).await.ok().filter(|more| *more > 0)?;
        };
        let (at, wall) = (Instant::now(), wall());
        let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
        let end = head + length.trim().parse::<usize>().ok()?;
        while read.len() < end {
            stream.read_buf(&mut read).await.ok().filter(|more| *more > 0)?;
        }
        let body = read[head..end].to_vec();
        read.drain(..end);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.ok()?;
        send.send(Arrival { at, wall, body }).ok()?;
    }
}

/// What the clock on the wall says: milliseconds since 1970, with their fraction.
pub(crate) fn wall() -> f64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}
