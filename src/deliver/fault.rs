//! What went wrong on the way to a receiver, in plain words and without the address: of a URL only the
//! host and port may be said. Never knows deliveries.

use std::error::Error;
use std::io;

use reqwest::Url;

use crate::deliver::resolve::Blocked;

/// The only part of an address that may be shown.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("no host");
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A few words on why no answer came. `has_roots` is whether the machine has any CA certificate.
pub(super) fn words(error: &reqwest::Error, has_roots: bool) -> String {
    if let Some(blocked) = blocked(error) {
        return blocked.to_string();
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(words) = tls(error, has_roots).or_else(|| http(error)) {
            return words;
        }
        // hyper-util keeps the type of its connect errors to itself; their text is stable.
        if error.to_string() == "dns error" {
            return "name not resolved".to_owned();
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.get_ref() {
                Some(inner) => {
                    next = Some(inner);
                    continue;
                }
                None => return kind(error.kind()),
            }
        }
        next = error.source();
    }
    if error.is_builder() {
        return "the request could not be made; look at the channel's url and headers".to_owned();
    }
    "no answer came".to_owned()
}

/// Looked for before all else, since it comes as the cause of an error of the names.
fn blocked(error: &reqwest::Error) -> Option<Blocked> {
    let first: &(dyn Error + 'static) = error;
    let mut chain = std::iter::successors(Some(first), |&error| error.source());
    chain.find_map(|error| error.downcast_ref().copied())
}

fn tls(error: &(dyn Error + 'static), has_roots: bool) -> Option<String> {
    let error = error.downcast_ref::<rustls::Error>()?;
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let hint = if *error == unknown && !has_roots {
        "; this machine has no CA certificates: install them (the package ca-certificates) and restart"
    } else {
        ""
    };
    Some(format!("TLS: {error}{hint}"))
}

fn http(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<hyper::Error>()?;
    let words = if error.is_incomplete_message() {
        "connection closed before an answer came"
    } else if error.is_parse_too_large() {
        "the head of the answer is too large"
    } else if error.is_parse() {
        "the answer is not HTTP"
    } else {
        return None;
    };
    Some(words.to_owned())
}

fn kind(kind: io::ErrorKind) -> String {
    if matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) {
        return "connection closed before an answer came".to_owned();
    }
    // The standard library's words are plain: "connection refused", "host unreachable".
    kind.to_string()
}
