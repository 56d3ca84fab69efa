//! Where a ping came from: the other end of its connection, or what a trusted proxy says of it. Pure.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The address that a request came from. `X-Forwarded-For` counts only as far as each hop is a trusted
/// proxy, from the right: what stands left of the first other address was written by nobody we know.
pub(crate) fn origin(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let believed = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut nearest = peer?;
    let lists: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().map(|list| list.to_str().unwrap_or("?")).collect();
    for hop in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        if !believed(nearest) {
            break;
        }
        let Some(address) = hop_address(hop.trim()) else { break };
        nearest = address;
    }
    Some(nearest)
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, lists: &[&str], trusted: &[&str]) -> String {
        let headers = lists
            .iter()
            .map(|list| (http::HeaderName::from_static("x-forwarded-for"), list.parse().unwrap()))
            .collect();
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        origin(Some(peer.parse().unwrap()), &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        assert_eq!(from("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(from("203.0.113.9", &["198.51.100.1"], &["127.0.0.1/32"]), "203.0.113.9");
        assert_eq!(from("127.0.0.1", &["198.51.100.1"], &["127.0.0.1/32"]), "198.51.100.1");
        assert_eq!(from("127.0.0.1", &[], &["127.0.0.1/32"]), "127.0.0.1");
    }

    #[test]
    fn of_a_chain_the_rightmost_hop_that_is_no_proxy_of_ours_counts() {
        let ours = ["127.0.0.1/32", "10.0.0.0/8"];
        assert_eq!(from("127.0.0.1", &["6.6.6.6, 198.51.100.1, 10.1.1.1"], &ours), "198.51.100.1");
        assert_eq!(from("127.0.0.1", &["6.6.6.6", "198.51.100.1,10.1.1.1"], &ours), "198.51.100.1");
        assert_eq!(from("127.0.0.1", &["10.2.2.2, 10.1.1.1"], &ours), "10.2.2.2", "all are ours");
        assert_eq!(from("127.0.0.1", &["6.6.6.6, rubbish, 10.1.1.1"], &ours), "10.1.1.1");
        assert_eq!(from("127.0.0.1", &[""], &ours), "127.0.0.1");
    }

    #[test]
    fn addresses_may_carry_a_port_or_brackets() {
        for (hop, address) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(from("127.0.0.1", &[hop], &["127.0.0.1/32"]), address);
        }
    }

    #[test]
    fn a_unix_socket_has_no_address() {
        assert_eq!(origin(None, &HeaderMap::new(), &[]), None);
    }
}
