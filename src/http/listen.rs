//! The sockets that requests come in by: bound by us or passed by systemd, TCP or Unix. It knows
//! addresses and what each kind of socket means for trust, and nothing of what is said over them.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use http::uri::Authority;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// How many connections may wait to be accepted: cron fires for everybody at once.
const BACKLOG: u32 = 4096;

/// Where a request came from. It goes with every request as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address of the other end; a Unix socket has none.
    pub address: Option<IpAddr>,
    /// What it came in by.
    pub listening: Listening,
}

/// The host of a request whose URL was written in the absolute form, as to a proxy. An extension too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AbsoluteForm(pub Authority);

/// What kind of socket a request came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// TCP, reachable from this machine only.
    Loopback,
    /// TCP, reachable from elsewhere.
    Network,
    /// A Unix socket.
    Unix,
}

/// An open socket that takes connections.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// As the config names it, or as systemd bound it.
    name: String,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener, Listening),
    /// With the file to remove at the end, when we made it.
    Unix(UnixListener, Option<PathBuf>),
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Why we cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there already.
    #[error(
        "cannot listen on {address}: another process listens there already. Stop it, or set another server.listen"
    )]
    InUse {
        /// As the config names it.
        address: String,
    },
    /// The path of a Unix socket is taken by something that is none.
    #[error(
        "cannot listen on {address}: a file that is no socket stands there. Move it away, or set another server.listen"
    )]
    NoSocket {
        /// As the config names it.
        address: String,
    },
    /// It is no address, or the system refuses it.
    #[error("cannot listen on {address}: {source}. Set another server.listen")]
    Refused {
        /// As the config names it.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A socket of systemd is of a kind that we cannot use.
    #[error(
        "systemd passed socket number {number}, which cannot be used: {source}. Use ListenStream= in the socket unit"
    )]
    Passed {
        /// Counted from 0.
        number: usize,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl Listener {
    /// Opens `127.0.0.1:8080`, `[::]:8080`, `localhost:8080` or `unix:/path`. Within a runtime.
    ///
    /// # Errors
    /// When it is taken, is no address, or the system refuses it.
    pub fn bind(address: &str) -> Result<Self, ListenError> {
        let socket = match address.strip_prefix("unix:") {
            Some(path) => bind_unix(Path::new(path)),
            None => bind_tcp(address),
        };
        let taken =
            |path: &str| std::fs::symlink_metadata(path).is_ok_and(|file| !file.file_type().is_socket());
        match socket {
            Ok(socket) => Ok(Self { socket, name: address.to_owned() }),
            Err(source)
                if source.kind() == io::ErrorKind::AddrInUse
                    && address.strip_prefix("unix:").is_some_and(taken) =>
            {
                Err(ListenError::NoSocket { address: address.to_owned() })
            }
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                Err(ListenError::InUse { address: address.to_owned() })
            }
            Err(source) => Err(ListenError::Refused { address: address.to_owned(), source }),
        }
    }

    /// Takes the sockets that systemd passed; none when it passed none. Within a runtime, once, and before
    /// other threads look at the environment: it removes the variables that tell of the sockets, so that
    /// no child takes them for its own.
    ///
    /// # Errors
    /// When one is neither a TCP nor a Unix stream socket.
    pub fn passed() -> Result<Vec<Self>, ListenError> {
        let mut passed = ListenFd::from_env();
        (0..passed.len())
            .map(|number| take(&mut passed, number).map_err(|source| ListenError::Passed { number, source }))
            .collect()
    }

    /// As the config names it, or as systemd bound it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that TCP really has, when port 0 was asked for.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener, _) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }

    /// Takes the next connection.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        match &self.socket {
            Socket::Tcp(listener, listening) => listener.poll_accept(cx).map_ok(|(stream, from)| {
                let peer = Peer { address: Some(from.ip().to_canonical()), listening: *listening };
                (Stream::Tcp(stream), peer)
            }),
            Socket::Unix(listener, _) => listener.poll_accept(cx).map_ok(|(stream, _)| {
                (Stream::Unix(stream), Peer { address: None, listening: Listening::Unix })
            }),
        }
    }
}

/// The file of a socket that we made goes with it.
impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Unix(_, Some(path)) = &self.socket
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(path = %path.display(), %error, "the file of a socket could not be removed");
        }
    }
}

fn bind_tcp(address: &str) -> io::Result<Socket> {
    let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "it is no address of the form host:port");
    for candidate in address.to_socket_addrs()? {
        match listen_tcp(candidate) {
            Ok(listener) => return tcp(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of the process before us may still be in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn tcp(listener: TcpListener) -> io::Result<Socket> {
    let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    let listening = if loopback { Listening::Loopback } else { Listening::Network };
    Ok(Socket::Tcp(listener, listening))
}

/// A file that a killed process left behind is replaced; one that somebody listens on is not.
fn bind_unix(path: &Path) -> io::Result<Socket> {
    let bound = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && abandoned(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    };
    Ok(Socket::Unix(bound?, Some(path.to_owned())))
}

fn abandoned(path: &Path) -> bool {
    let socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    socket && std::os::unix::net::UnixStream::connect(path).is_err_and(|error| refused(&error))
}

fn take(passed: &mut ListenFd, number: usize) -> io::Result<Listener> {
    let gone = || io::Error::other("it was taken already");
    if let Ok(listener) = passed.take_tcp_listener(number) {
        let listener = listener.ok_or_else(gone)?;
        listener.set_nonblocking(true)?;
        let name = listener.local_addr()?.to_string();
        return Ok(Listener { socket: tcp(TcpListener::from_std(listener)?)?, name });
    }
    let listener = passed.take_unix_listener(number)?.ok_or_else(gone)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let name =
        address.as_pathname().map_or_else(|| "unix:".to_owned(), |path| format!("unix:{}", path.display()));
    Ok(Listener { socket: Socket::Unix(UnixListener::from_std(listener)?, None), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = Listener::bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap().to_string();
        let error = Listener::bind(&address).unwrap_err();
        assert!(matches!(&error, ListenError::InUse { address: named } if *named == address), "{error}");
        assert!(error.to_string().contains(&address));
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused_by_name() {
        for address in
            ["", "nonsense", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0", "unix:/nowhere/at/all.sock"]
        {
            let error = Listener::bind(address).unwrap_err();
            assert!(
                matches!(&error, ListenError::Refused { address: named, .. } if named == address),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_socket_file_left_behind_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overdue.sock");
        let address = format!("unix:{}", path.display());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the standard library leaves the file");
        let listener = Listener::bind(&address).unwrap();
        assert!(matches!(Listener::bind(&address), Err(ListenError::InUse { .. })));
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn an_ordinary_file_in_the_place_of_a_socket_is_told_as_one_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overdue.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = Listener::bind(&format!("unix:{}", path.display())).unwrap_err();
        assert!(matches!(error, ListenError::NoSocket { .. }), "{error}");
        assert!(error.to_string().contains("a file that is no socket stands there"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn only_a_loopback_address_counts_as_one() {
        for (address, kind) in [("127.0.0.1:0", Listening::Loopback), ("0.0.0.0:0", Listening::Network)] {
            let Socket::Tcp(_, listening) = &Listener::bind(address).unwrap().socket else { panic!() };
            assert_eq!(*listening, kind);
        }
    }
}
