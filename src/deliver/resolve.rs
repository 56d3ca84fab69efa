//! Where a channel with `block_private` may go: names are looked up once, and only the public addresses among
//! the answers are handed on to be connected to. So no answer that comes later can turn the connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use crate::deliver::nets::is_private;

/// Why a channel was not tried: none of its addresses is public. Names the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a public address, and the channel has block_private = true")]
pub(super) struct Blocked(IpAddr);

/// Looks names up and keeps the public addresses.
#[derive(Clone)]
pub(super) struct PublicOnly {
    names: Arc<dyn Resolve>,
    is_private: fn(IpAddr) -> bool,
}

/// As the machine is set up: `/etc/hosts`, its name servers, and whatever else it asks.
struct OfTheMachine;

impl PublicOnly {
    /// With the names of this machine.
    pub(super) fn new() -> Self {
        Self { names: Arc::new(OfTheMachine), is_private }
    }

    /// With names and a judgement of a test's own, since a test can reach no public address.
    #[cfg(test)]
    pub(super) fn told(names: Arc<dyn Resolve>, is_private: fn(IpAddr) -> bool) -> Self {
        Self { names, is_private }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { names, is_private } = self.clone();
        Box::pin(async move { Ok(public(names.resolve(name).await?, is_private)?) })
    }
}

impl Resolve for OfTheMachine {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect::<Vec<_>>();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// An address that is written in the URL itself is never looked up, so it is judged here. The URL has already
/// made `127.1`, `0x7f.1` and `2130706433` one thing.
pub(super) fn literal(url: &Url) -> Result<(), Blocked> {
    let address: IpAddr = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if is_private(address) { Err(Blocked(address)) } else { Ok(()) }
}

fn public(found: Addrs, is_private: fn(IpAddr) -> bool) -> Result<Addrs, Blocked> {
    let (private, public): (Vec<SocketAddr>, Vec<_>) = found.partition(|address| is_private(address.ip()));
    match private.first() {
        Some(first) if public.is_empty() => Err(Blocked(first.ip())),
        Some(_) | None => Ok(Box::new(public.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(found: &[&str]) -> Result<Vec<String>, Blocked> {
        let found: Vec<SocketAddr> =
            found.iter().map(|one| SocketAddr::new(one.parse().unwrap(), 0)).collect();
        let public = public(Box::new(found.into_iter()), is_private)?;
        Ok(public.map(|address| address.ip().to_string()).collect())
    }

    #[test]
    fn of_a_names_addresses_only_the_public_ones_are_kept_in_their_order() {
        let found = ["10.0.0.1", "2606:4700::1", "::1", "1.1.1.1", "169.254.169.254", "8.8.8.8"];
        assert_eq!(kept(&found), Ok(["2606:4700::1", "1.1.1.1", "8.8.8.8"].map(str::to_owned).to_vec()));
        assert_eq!(kept(&["fd00::1", "10.0.0.1"]), Err(Blocked("fd00::1".parse().unwrap())));
        assert_eq!(kept(&[]), Ok(vec![]), "no address at all is no private one");
    }

    #[test]
    fn an_address_in_the_url_is_judged_however_it_is_written() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1:8080/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "https://user:word@10.1.2.3/",
            "http://0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:169.254.169.254]/latest",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[fe80::1]:9/",
            "http://[fd00:ec2::254]/",
            "http:\\\\127.0.0.1\\",
            "http:127.0.0.1",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(literal(&url).is_err(), "{url}");
        }
        for url in [
            "http://1.1.1.1/127.0.0.1",
            "http://127.0.0.1@1.1.1.1/",
            "http://[2606:4700::1]/",
            "http://name/",
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(literal(&url), Ok(()), "{url}");
        }
    }
}
