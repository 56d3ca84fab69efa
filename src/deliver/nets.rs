//! Which addresses lead into a network of one's own, or nowhere: those that `block_private` refuses. Knows
//! the registries of special addresses; never asks for a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// The nets of <https://www.iana.org/assignments/iana-ipv4-special-registry> that are not global, those for
/// many receivers, and one that only looks global.
const V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),        // this host
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // a provider's own, behind its address translation
    v4([127, 0, 0, 0], 8),      // loopback
    v4([168, 63, 129, 16], 32), // what Azure gives each of its machines to talk to its host
    v4([169, 254, 0, 0], 16),   // link-local, the clouds' 169.254.169.254 too
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocols
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // relays of 6to4, given up
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarks
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 4),      // multicast
    v4([240, 0, 0, 0], 4),      // reserved, and the broadcast
];

/// The only IPv6 net from which global addresses are given. What is outside of it (loopback, unique local,
/// link-local, multicast, IPv4-compatible and what is not yet anything) needs no list.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// The nets within it that are not global.
const V6: [Ipv6Net; 3] = [
    v6([0x2001, 0, 0], 23),     // protocols: Teredo, benchmarks, overlays
    v6([0x2001, 0xdb8, 0], 32), // documentation
    v6([0x3fff, 0, 0], 20),     // documentation
];

/// Whether an address is anything but a global one of a single machine.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => match stands_for(address) {
            Some(address) => is_private(address.into()),
            None => !GLOBAL_V6.contains(&address) || V6.iter().any(|net| net.contains(&address)),
        },
    }
}

/// The IPv4 address where a packet to this one ends: mapped, behind a NAT64 or by 6to4.
fn stands_for(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c]: [u16; 3], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, private: bool) {
        assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
    }

    /// First and last of each net, and the addresses just outside of it; `-` where another net begins.
    const V4_TABLE: [[&str; 4]; 16] = [
        ["-", "0.0.0.0", "0.255.255.255", "1.0.0.0"],
        ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
        ["100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
        ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
        ["168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"],
        ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
        ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
        ["191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"],
        ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
        ["192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"],
        ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
        ["198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"],
        ["198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"],
        ["203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"],
        ["223.255.255.255", "224.0.0.0", "239.255.255.255", "-"],
        ["-", "240.0.0.0", "255.255.255.255", "-"],
    ];

    #[test]
    fn each_special_net_of_ipv4_is_private_and_its_neighbours_are_not() {
        for (net, [before, first, last, after]) in V4.iter().zip(V4_TABLE) {
            assert_eq!(
                (net.network().to_string().as_str(), net.broadcast().to_string().as_str()),
                (first, last)
            );
            for (address, private) in [(before, false), (first, true), (last, true), (after, false)] {
                if address == "-" {
                    continue;
                }
                check(address, private);
                // Whatever stands for it is judged as it is.
                check(&format!("::ffff:{address}"), private);
                check(&format!("64:ff9b::{address}"), private);
                let bits = address.parse::<Ipv4Addr>().unwrap().to_bits();
                check(&format!("2002:{:x}:{:x}::1", bits >> 16, bits & 0xffff), private);
            }
        }
        for address in ["169.254.169.254", "100.100.100.200", "192.0.0.192", "127.0.0.1", "0.0.0.0"] {
            check(address, true);
        }
        for address in ["1.1.1.1", "8.8.8.8", "93.184.215.14", "140.82.112.3"] {
            check(address, false);
        }
    }

    #[test]
    fn of_ipv6_only_global_addresses_are_not_private() {
        let ends = |net: &str| [net.to_owned(), net.replace("::", ":ffff:ffff:ffff:ffff:ffff:ffff:ffff")];
        for (address, private) in [
            ("::", true),
            ("::1", true),
            ("::2", true),
            // IPv4-compatible: given up, so nobody public is there.
            ("::127.0.0.1", true),
            ("::8.8.8.8", true),
            ("::ffff:0:127.0.0.1", true),
            ("::fffe:8.8.8.8", true),
            ("64:ff9a:ffff:ffff:ffff:ffff:808:808", true),
            ("64:ff9b::1:808:808", true),
            ("64:ff9b:1::808:808", true),
            ("100::1", true),
            ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2000::", false),
            ("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2001::", true),
            ("2001:2::1", true),
            ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:200::", false),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2001:db8::", true),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db9::", false),
            ("2001:4860:4860::8888", false),
            ("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2003::", false),
            ("2606:4700::6810:84e5", false),
            ("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("3fff::", true),
            ("3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("3fff:1000::", false),
            ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("4000::", true),
            ("5f00::1", true),
            ("fd00:ec2::254", true),
        ] {
            check(address, private);
        }
        // Unique local, link-local, site-local, multicast: the first and the last block of each.
        for block in ["fc00::", "fdff::", "fe80::", "febf::", "fec0::", "feff::", "ff00::", "ffff::"] {
            for address in ends(block) {
                check(&address, true);
            }
        }
    }
}
