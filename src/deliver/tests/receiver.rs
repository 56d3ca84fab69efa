//! A receiver on this machine for tests: keeps what it got, and answers as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().unwrap()
    }
}

/// What the receiver answers.
pub(crate) enum Answer {
    Says(u16, Vec<(&'static str, String)>, String),
    Hangs,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Says(status, Vec::new(), String::new())
    }
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Received>,
}

impl Receiver {
    pub(crate) async fn start(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    /// At a place of the test's choice.
    pub(crate) fn start_at(
        listener: TcpListener,
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (keep, requests) = mpsc::unbounded_channel();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (keep, answer) = (keep.clone(), Arc::clone(&answer));
                let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let (keep, answer) = (keep.clone(), Arc::clone(&answer));
                    async move {
                        let (head, body) = request.into_parts();
                        let received = Received {
                            method: head.method,
                            path: head.uri.to_string(),
                            headers: head.headers,
                            body: body.collect().await?.to_bytes(),
                        };
                        let answer = answer(&received);
                        keep.send(received).ok();
                        let Answer::Says(status, headers, body) = answer else {
                            return std::future::pending().await;
                        };
                        let mut response = hyper::Response::builder().status(status);
                        for (name, value) in headers {
                            response = response.header(name, value);
                        }
                        Ok::<_, hyper::Error>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request; fails the test when none comes.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(Duration::from_secs(20), self.requests.recv()).await.expect("a request").unwrap()
    }

    /// What came and was not yet looked at.
    pub(crate) fn rest(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}
