//! Asks a running daemon over its API. Knows HTTP, the key, and what to say when there is no answer; never
//! knows what is asked.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::paint::plain;
use crate::cli::{complain, exit};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to ask.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// Where the daemon listens: http://host:port, or unix:/path of its socket
    #[arg(long, env = "OVERDUE_URL", default_value = "http://127.0.0.1:8080")]
    pub(super) url: String,
}

/// The daemon, to be asked; one client for all that is asked of it.
pub(super) struct Daemon {
    /// As people are told.
    url: String,
    /// As requests begin.
    base: String,
    /// The Unix socket, when it is asked over one.
    socket: Option<PathBuf>,
    key: Option<String>,
    client: Client,
    /// How another address is given.
    elsewhere: &'static str,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody answers there, or somebody else. What happened, and what to do.
    Unreachable(String),
    /// The daemon answered that it will not.
    Refused(Refusal),
}

/// The API's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) field: Option<String>,
    pub(super) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusal = match self {
            Self::Unreachable(text) => return f.write_str(text),
            Self::Refused(refusal) => refusal,
        };
        if let Some(field) = &refusal.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&refusal.message)?;
        match (refusal.status, refusal.code.as_str()) {
            (401 | 403, _) => f.write_str(" (An API key is taken from $OVERDUE_API_KEY.)"),
            (_, "declared_in_config") => f.write_str(" A saved file applies by itself."),
            (404, _) if refusal.message.contains("heartbeat") => {
                f.write_str(" (overdue status lists those that there are.)")
            }
            (_, _) => Ok(()),
        }
    }
}

impl Daemon {
    /// The daemon at this URL; `http://` may be left out.
    pub(super) fn at(url: &str) -> Result<Self, Fault> {
        // An error means that one is installed already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let (url, socket) = address(url)?;
        let mut client = Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            // A redirected POST would become a GET, and its answer be taken for that of the POST.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("overdue/", env!("CARGO_PKG_VERSION")));
        let mut base = url.clone();
        if let Some(path) = &socket {
            client = client.unix_socket(path.clone());
            // The daemon answers only who asks for it by a name of this machine.
            "http://localhost".clone_into(&mut base);
        }
        let client = client
            .build()
            .map_err(|error| Fault::Unreachable(format!("cannot make an HTTP client: {error}")))?;
        let key = std::env::var("OVERDUE_API_KEY").ok().filter(|key| !key.is_empty());
        Ok(Self { url, base, socket, key, client, elsewhere: "give --url or set OVERDUE_URL" })
    }

    /// The daemon at the URL that `--against` names.
    pub(super) fn against(url: &str) -> Result<Self, Fault> {
        Ok(Self { elsewhere: "give another --against", ..Self::at(url)? })
    }

    /// What a GET of this path under `/api/v1` answers.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let value = self.send(Method::GET, path, None).await?;
        self.read(&value)
    }

    /// What a request answers; null when it answers nothing.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Fault> {
        let mut request = self.client.request(method, format!("{}/api/v1/{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_redirection() {
            let to = answer.headers().get("Location").and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            return Err(Fault::Unreachable(format!(
                "{} sends us to {}: is that the right address? Then {}",
                self.url,
                plain(to),
                self.elsewhere,
            )));
        }
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body: Value = serde_json::from_slice(&bytes).map_err(|_| self.stranger(status))?;
        if status.is_success() {
            return Ok(body);
        }
        let error = &body["error"];
        let text = |key: &str| error[key].as_str().map(plain);
        Err(Fault::Refused(Refusal {
            status: status.as_u16(),
            code: text("code").ok_or_else(|| self.stranger(status))?,
            field: text("field"),
            message: text("message").unwrap_or_default(),
        }))
    }

    /// Takes an answer for what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self, value: &Value) -> Result<T, Fault> {
        T::deserialize(value).map_err(|error| {
            let error = plain(&error.to_string());
            Fault::Unreachable(format!("{} does not answer as overdue does: {error}", self.url))
        })
    }

    fn stranger(&self, status: StatusCode) -> Fault {
        Fault::Unreachable(format!(
            "{} answered {status}, and not as overdue does: is it the right address?",
            self.url
        ))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        if error.is_builder() {
            return Fault::Unreachable(format!(
                "cannot ask {}: the address or $OVERDUE_API_KEY is malformed",
                self.url
            ));
        }
        if error.is_timeout() {
            return self.silent(&format!("no answer within {} s", PATIENCE.as_secs()));
        }
        // The outer ones only say that sending failed.
        let innermost = std::iter::successors(error.source(), |&error| error.source()).last();
        let system = innermost.and_then(|error| error.downcast_ref::<io::Error>());
        if let (Some(_), true, Some(system)) = (&self.socket, error.is_connect(), system) {
            return Fault::Unreachable(no_socket(&self.url, system));
        }
        self.silent(&plain(&innermost.map_or_else(|| error.to_string(), ToString::to_string)))
    }

    fn silent(&self, why: &str) -> Fault {
        Fault::Unreachable(format!(
            "cannot ask {}: {why}. Is the daemon running (overdue serve)? Else {}",
            self.url, self.elsewhere
        ))
    }
}

/// The address as people are told, and the path of its Unix socket when it is one: `unix:/path`, as the config
/// writes it, or `unix:///path`.
fn address(url: &str) -> Result<(String, Option<PathBuf>), Fault> {
    let url = url.trim_end_matches('/');
    let Some(path) = url.strip_prefix("unix:") else {
        if url.starts_with('/') {
            return Err(Fault::Unreachable(format!("{url} is no URL: a Unix socket is written unix:{url}")));
        }
        if let Some((daemon, _)) = url.split_once("/api/v1") {
            return Err(Fault::Unreachable(format!(
                "{url} names a path of the API: leave it out, as {daemon}"
            )));
        }
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        return Ok((url, None));
    };
    if path.is_empty() {
        return Err(Fault::Unreachable(
            "unix: names no socket: write its path after it, such as unix:/run/overdue/overdue.sock"
                .to_owned(),
        ));
    }
    // To the system several slashes are one.
    let path = match path.trim_start_matches('/') {
        relative if relative.len() == path.len() => path.to_owned(),
        rest => format!("/{rest}"),
    };
    Ok((format!("unix:{path}"), Some(PathBuf::from(path))))
}

/// Why a Unix socket cannot be opened, and what to do.
fn no_socket(url: &str, error: &io::Error) -> String {
    let known = [
        (
            io::ErrorKind::NotFound,
            "Is the daemon running, and does its [server] listen (or overdue.socket) name this path?",
        ),
        (
            io::ErrorKind::ConnectionRefused,
            "Nobody listens there any more, or it is no socket. Is the daemon running (overdue serve)?",
        ),
        (
            io::ErrorKind::PermissionDenied,
            "Ask as a user who may write to it (sudo), let SocketMode= in overdue.socket admit this one, or \
             give an address with a port by --url",
        ),
    ];
    let todo = known.iter().find(|(kind, _)| *kind == error.kind());
    let todo = todo.map_or("Give the right path by --url or OVERDUE_URL", |(_, todo)| *todo);
    format!("cannot ask {url}: {}. {todo}", plain(&error.to_string()))
}

/// Runs what asks, on a runtime of its own. The exit code.
pub(super) fn run(asks: impl Future<Output = u8>) -> u8 {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(asks),
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            exit::INTERNAL
        }
    }
}

/// Complains when a text can be neither slug nor UUID, and so has no place in a URL.
pub(super) fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let good = !text.is_empty() && text.bytes().all(inner);
    if !good {
        complain(&format!("{text:?} is not a slug or UUID: they are made of letters, digits, '-' and '_'"));
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_or_the_path_of_a_socket() {
        for (given, told, socket) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080", None),
            ("https://overdue.example.org/", "https://overdue.example.org", None),
            ("unix:/run/overdue.sock", "unix:/run/overdue.sock", Some("/run/overdue.sock")),
            ("unix:///run/overdue.sock", "unix:/run/overdue.sock", Some("/run/overdue.sock")),
            ("unix://run/overdue.sock", "unix:/run/overdue.sock", Some("/run/overdue.sock")),
            ("unix:overdue.sock", "unix:overdue.sock", Some("overdue.sock")),
        ] {
            assert_eq!(address(given), Ok((told.to_owned(), socket.map(PathBuf::from))), "{given}");
        }
        for (given, part) in [
            ("unix:", "names no socket"),
            ("unix:///", "names no socket"),
            ("/run/x.sock", "unix:/run/x.sock"),
        ] {
            let fault = address(given).unwrap_err().to_string();
            assert!(fault.contains(part), "{given}: {fault}");
        }
    }

    #[test]
    fn a_socket_that_cannot_be_opened_is_named_with_what_to_do() {
        for (kind, part) in [
            (io::ErrorKind::NotFound, "[server] listen"),
            (io::ErrorKind::ConnectionRefused, "overdue serve"),
            (io::ErrorKind::PermissionDenied, "sudo"),
            (io::ErrorKind::InvalidInput, "--url"),
        ] {
            let told = no_socket("unix:/run/x.sock", &io::Error::from(kind));
            assert!(told.starts_with("cannot ask unix:/run/x.sock: ") && told.contains(part), "{told}");
        }
    }
}
