//! A client for a benchmark.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Outside the range of which the system gives ports to clients: one that tries a port there until somebody
/// listens can be connected to itself.
pub(crate) fn free_port() -> u16 {
    let first = std::process::id() as u16 % 20_000;
    (0..20_000)
        .map(|next| 11_000 + (first + next) % 20_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// One connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Makes it.
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::with_capacity(64 * 1024, stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// The body of the answer, which must be 200.
    pub(crate) fn get(&mut self, path: &str) -> Vec<u8> {
        self.get_slowly(path).1
    }

    /// The same, and how long its first byte took.
    pub(crate) fn get_slowly(&mut self, path: &str) -> (Duration, Vec<u8>) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        let asked = Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap();
        assert!(!self.reader.fill_buf().unwrap().is_empty(), "{path}: no answer");
        let first_byte = asked.elapsed();
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
        let mut length = None;
        while line != "\r\n" {
            line.clear();
            self.reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
        let mut body = vec![0; length.unwrap()];
        self.reader.read_exact(&mut body).unwrap();
        (first_byte, body)
    }
}
