//! The accept loop: sockets in, HTTP/1 connections to the routes, a bound on how many there are and on
//! how long a head may take. It knows connections and nothing of what is asked over them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service;
use warp::reply::Response;

use crate::http::crowd::Crowd;
use crate::http::fairness::{HOLD, Held};
use crate::http::headtime::HeadTimer;
use crate::http::limit::owner;
use crate::http::listen::Stream;
pub use crate::http::listen::{ListenError, Listener, Listening, Peer};
use crate::http::patience::Patient;
use crate::http::seats::{Seat, Seats};
use crate::http::streams::Endless;

/// How long a request head may take, and how long a connection may be idle.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of a head that are taken, and of a body that are held at once.
const BUFFER: usize = 64 * 1024;
/// How long requests may take to end when the daemon stops.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long a stream may take for its last word when the daemon stops: one that nobody reads has none.
const STREAM_STOP_LIMIT: Duration = Duration::from_millis(500);
/// How long nothing is accepted after the system had no room for a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two lines of the log that say so.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What answers the requests of a connection.
pub(crate) trait Routes:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + Unpin>
    + Clone
    + Send
    + 'static
{
}

impl<S> Routes for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + Unpin>
        + Clone
        + Send
        + 'static
{
}

/// Answers requests until `stop`; then lets those under way end, for five seconds at most. In `open` it says how many
/// connections there are.
pub(crate) async fn run<S: Routes>(
    listeners: Vec<Listener>,
    routes: impl Fn(Peer) -> S,
    max_connections: usize,
    open: &AtomicUsize,
    crowd: &Arc<Crowd>,
    stop: impl Future<Output = ()>,
) {
    let seats = Seats::new(max_connections);
    let http = builder();
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let mut turn = 0;
    let mut told: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listeners, &mut turn) => accepted,
            Some(ended) = connections.join_next() => {
                report(ended);
                open.store(connections.len(), Ordering::Relaxed);
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if of_one_connection(&error) => continue,
            Err(error) => {
                // No files or memory left: one that is idle goes, and the loop waits instead of spinning.
                if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                    told = Some(Instant::now());
                    tracing::warn!(%error, "a connection could not be accepted; the longest idle one is closed. Raise LimitNOFILE");
                }
                yield_now().await;
                seats.make_room();
                tokio::select! {
                    () = &mut stop => break,
                    () = sleep(PAUSE) => continue,
                }
            }
        };
        if peer.address.is_some_and(|address| crowd.is_full(address)) {
            continue;
        }
        if seats.are_full() {
            // All that lies in their sockets is read first, and answers that are there are written: then it shows who
            // is idle, and no ping goes with whoever leaves.
            yield_now().await;
        }
        let seat = Arc::new(seats.take(peer.address.map(owner)));
        let connection = Connection {
            http: http.clone(),
            seat: Arc::clone(&seat),
            crowd: Arc::clone(crowd),
            routes: routes(peer),
        };
        let task = match stream {
            Stream::Tcp(stream) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                connections.spawn(connection.run(stream, stopped.clone()))
            }
            Stream::Unix(stream) => connections.spawn(connection.run(stream, stopped.clone())),
        };
        seat.belongs_to(task);
        open.store(connections.len(), Ordering::Relaxed);
    }
    drop((listeners, stopped));
    stopping.send_replace(());
    let rest = async { while connections.join_next().await.is_some() {} };
    if timeout(STOP_LIMIT, rest).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were still open after 5 s and were closed");
    }
}

fn builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(HEAD_LIMIT)
        .max_buf_size(BUFFER)
        .writev(false)
        // A client that has said all may close its half and still read the answer (`nc -N`).
        .half_close(true);
    http
}

/// The next connection of any listener; each in turn, so that a busy one starves no other.
async fn accept(listeners: &[Listener], turn: &mut usize) -> io::Result<(Stream, Peer)> {
    poll_fn(|cx| {
        for n in 0..listeners.len() {
            let at = (*turn + n) % listeners.len();
            if let Poll::Ready(accepted) = listeners[at].poll_accept(cx) {
                *turn = at + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// An error of the connection that was about to come, not of the listener.
fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    // One that left for another was cancelled.
    if let Err(error) = ended
        && !error.is_cancelled()
    {
        tracing::error!(%error, "a connection ended by a fault of the daemon");
    }
}

struct Connection<S> {
    http: http1::Builder,
    seat: Arc<Seat>,
    crowd: Arc<Crowd>,
    routes: S,
}

impl<S: Routes> Connection<S> {
    async fn run<I>(self, stream: I, mut stopped: watch::Receiver<()>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { mut http, seat, crowd, routes } = self;
        http.timer(HeadTimer::default());
        let answered = Arc::clone(&seat);
        let endless = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&endless);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (seat, begun, crowd) = (Arc::clone(&answered), Arc::clone(&begun), Arc::clone(&crowd));
            seat.begin();
            let mut routes = routes.clone();
            // `CONNECT host:port` has no path, and warp's path filters panic without one. There is nothing at this one either.
            if request.uri().path_and_query().is_none() {
                *request.uri_mut() = Uri::from_static("/no-path");
            }
            let mut answer = routes.call(request);
            // Polled here once, so that a ping is in the mailbox as soon as its head has been read: hyper
            // drops an answer that was never polled when it sees at the same time that the client has gone.
            let first = Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop()));
            async move {
                let answer = match first {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => answer.await,
                };
                let held = answer.as_ref().ok().and_then(|answer| answer.extensions().get::<Held>().copied());
                if let Some(Held { of }) = held {
                    let _waiting = of.map(|address| crowd.wait(address));
                    seat.refused();
                    sleep(HOLD).await;
                }
                // An answer without an end keeps its seat busy until its connection ends with it.
                if answer.as_ref().is_ok_and(|answer| answer.extensions().get::<Endless>().is_some()) {
                    begun.store(true, Ordering::Relaxed);
                } else {
                    seat.end();
                }
                answer
            }
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(Patient::new(stream)), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                if endless.load(Ordering::Relaxed) {
                    timeout(STREAM_STOP_LIMIT, connection).await.unwrap_or(Ok(()))
                } else {
                    connection.await
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended in the middle");
        }
    }
}
