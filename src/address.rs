//! Addresses: which belong to this machine, which to the public internet, and which to neither. Also which URLs belong
//! to a service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode;
use url::{Host, Url};

/// Where a URL leads, when it does not belong to the service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// To another origin, or it has no origin, such as a script.
    Origin,
    /// To the service, with credentials in the URL.
    Credentials,
    /// To a path of the service that is not below this base path.
    Path(String),
}

/// Checks that a URL from a service belongs to that service, as all its requests must: on its origin, below its base
/// path and without credentials. Every place that follows such a URL calls this.
///
/// # Errors
/// Where it leads instead.
pub(crate) fn must_be_own(url: &Url, base: &Url) -> Result<(), Elsewhere> {
    if url.origin() != base.origin() {
        return Err(Elsewhere::Origin);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Elsewhere::Credentials);
    }
    let below = base.path().trim_end_matches('/');
    match is_below(url.path(), below) {
        true => Ok(()),
        false => Err(Elsewhere::Path(below.to_owned())),
    }
}

/// How many times a path may be percent-encoded such that some server still decodes it.
const MOST_DECODED: usize = 4;

/// Whether a path is the base path or is below it. This must hold for all servers: some decode a path, once or more
/// often, before they split it, some take `\` for `/`, and some drop the part of a segment behind a `;`.
fn is_below(path: &str, base: &str) -> bool {
    let rest = path.strip_prefix(base);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && (base.is_empty() || !climbs(path))
}

fn climbs(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    for _ in 0..MOST_DECODED {
        let mut segments = path.split(|b| matches!(b, b'/' | b'\\'));
        if segments.any(|segment| segment == b".." || segment.starts_with(b"..;")) {
            return true;
        }
        if !path.contains(&b'%') {
            return false;
        }
        path = percent_decode(&path).collect();
    }
    false
}

/// A block of IPv4 addresses: its first address, the length of its prefix, and what it is.
type Block4 = (Ipv4Addr, u32, &'static str);
/// The same for IPv6.
type Block6 = (Ipv6Addr, u32, &'static str);

/// Blocks that are not public: the IANA IPv4 Special-Purpose Address Registry (RFC 6890), and the classes D and E.
const BLOCKS_4: [Block4; 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an address of this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "a shared address of a provider's own network",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "an address for protocols"),
    (
        Ipv4Addr::new(192, 0, 2, 0),
        24,
        "an address for documentation",
    ),
    (
        Ipv4Addr::new(192, 88, 99, 0),
        24,
        "an address of 6to4 relays",
    ),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (
        Ipv4Addr::new(198, 18, 0, 0),
        15,
        "an address for benchmarks",
    ),
    (
        Ipv4Addr::new(198, 51, 100, 0),
        24,
        "an address for documentation",
    ),
    (
        Ipv4Addr::new(203, 0, 113, 0),
        24,
        "an address for documentation",
    ),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::BROADCAST, 32, "the broadcast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// The same for IPv6: the IANA IPv6 Special-Purpose Address Registry, multicast, and forms that carry an IPv4 address.
/// The first block that holds an address names it.
const BLOCKS_6: [Block6; 22] = [
    (Ipv6Addr::UNSPECIFIED, 128, "the unspecified address"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
        96,
        "an IPv4-mapped address",
    ),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4-compatible address"),
    (NAT64, 96, "a NAT64 address"),
    (
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),
        48,
        "a local NAT64 address",
    ),
    (
        Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0),
        64,
        "a discard address",
    ),
    (
        Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0),
        64,
        "a dummy address",
    ),
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        32,
        "a Teredo address",
    ),
    (
        Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0),
        48,
        "an address for benchmarks",
    ),
    (
        Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0),
        28,
        "an ORCHID",
    ),
    (
        Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0),
        28,
        "an ORCHID",
    ),
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "an address for protocols",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "an address for documentation",
    ),
    (
        Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),
        16,
        "a 6to4 address",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "an address for documentation",
    ),
    (
        Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0),
        16,
        "an address for segment routing",
    ),
    (
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
        "a unique local address",
    ),
    (
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a link-local address",
    ),
    (
        Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a site-local address",
    ),
    (
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
        "a multicast address",
    ),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0),
        8,
        "a reserved address",
    ),
];

/// The prefix under which a network without IPv4 gives IPv4 services an IPv6 address (RFC 6052).
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// Public unicast addresses all come from 2000::/3.
const GLOBAL_UNICAST: (u16, u16) = (0xe000, 0x2000);

/// Whether the URL names this machine. A name such as `x.localhost` is only a claim: the client sends nothing unless
/// the name resolves to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_name(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a name is reserved for this machine (RFC 6761, section 6.3).
pub(crate) fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// What the URL's host is, if it is written as an address that is not public.
pub(crate) fn special_literal(url: &Url) -> Option<&'static str> {
    match url.host() {
        Some(Host::Ipv4(address)) => special(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => special(IpAddr::V6(address)),
        _ => None,
    }
}

/// What an address is, if it is not public, such as "a private address"; `None` for a public one.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => BLOCKS_4
            .iter()
            .find(|(block, prefix, _)| {
                same(u32::from(v4).into(), u32::from(*block).into(), 32 - prefix)
            })
            .map(|(.., what)| *what),
        IpAddr::V6(v6) => {
            let block = BLOCKS_6
                .iter()
                .find(|(block, prefix, _)| same(u128::from(v6), u128::from(*block), 128 - prefix));
            let (mask, unicast) = GLOBAL_UNICAST;
            match block {
                Some((.., what)) => Some(what),
                None if v6.segments()[0] & mask == unicast => None,
                None => Some("an unassigned address"),
            }
        }
    }
}

/// What an address is that a name resolves to, if it is not public. Behind the well-known NAT64 prefix is an IPv4
/// address, and that one counts: a network without IPv4 reaches every IPv4 service this way.
pub(crate) fn special_resolved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V6(v6) if same(u128::from(v6), u128::from(NAT64), 32) => {
            let [.., a, b, c, d] = v6.octets();
            special(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        other => special(other),
    }
}

/// Whether two addresses are equal, apart from their last `free` bits.
fn same(one: u128, other: u128, free: u32) -> bool {
    let differing = one ^ other;
    differing.checked_shr(free).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn special_addresses_are_named() {
        for (addresses, expected) in [
            ("0.0.0.0 0.1.2.3", "this network"),
            (
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1",
                "a private",
            ),
            ("100.64.0.0 100.127.255.255", "shared"),
            ("127.0.0.1 127.255.0.1 ::1", "loopback"),
            ("169.254.169.254 fe80::1 febf::1", "link-local"),
            (
                "192.0.0.0 192.0.0.8 192.0.0.255 2001:1::1 2001:1ff::1",
                "protocols",
            ),
            (
                "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1 3fff:fff::1",
                "documentation",
            ),
            ("192.88.99.1 2002:a00:1::1 2002:808:808::1", "6to4"),
            (
                "198.18.0.0 198.19.255.255 2001:2::1 2001:2:0:ffff::1",
                "benchmarks",
            ),
            ("224.0.0.1 239.255.255.255 ff02::1 ffff::1", "multicast"),
            ("240.0.0.1 255.255.255.254", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            (
                "::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8",
                "IPv4-mapped",
            ),
            ("::2 ::10.0.0.1 ::127.0.0.1 ::8.8.8.8", "IPv4-compatible"),
            ("64:ff9b::a00:1 64:ff9b::808:808", "NAT64"),
            ("64:ff9b:1::1 64:ff9b:1:ffff::1", "local NAT64"),
            ("100::1 100::ffff:ffff:ffff:ffff", "discard"),
            ("100:0:0:1::1", "dummy"),
            ("2001::1 2001:0:a00:1::", "Teredo"),
            ("2001:10::1 2001:1f::1 2001:20::1 2001:2f::1", "ORCHID"),
            ("fc00::1 fdff::1", "unique local"),
            ("fec0::1 feff::1", "site-local"),
            ("5f00::1", "segment routing"),
            ("::1:0:0:0:1 ff::1", "reserved"),
            ("100:0:0:2::1 4000::1 8000::1 1000::1 fe00::1", "unassigned"),
        ] {
            for address in addresses.split(' ') {
                let found = special(address.parse().unwrap());
                assert!(
                    found.is_some_and(|found| found.contains(expected)),
                    "{address}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn the_neighbours_of_special_addresses_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1111",
            "3ffe::1",
            "3fff:1000::1",
            "2000::1",
        ] {
            assert_eq!(special(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn behind_nat64_the_ipv4_address_counts() {
        for (address, expected) in [
            ("64:ff9b::808:808", None),
            ("64:ff9b::a00:1", Some("a private address")),
            ("64:ff9b::7f00:1", Some("a loopback address")),
            ("64:ff9b::a9fe:a9fe", Some("a link-local address")),
            ("64:ff9b:1::808:808", Some("a local NAT64 address")),
            ("2002:a00:1::1", Some("a 6to4 address")),
            ("2606:4700::1111", None),
            ("10.0.0.1", Some("a private address")),
        ] {
            assert_eq!(
                special_resolved(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn loopback_is_written() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://x.localhost", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost.test", false),
            ("http://xlocalhost", false),
            ("http://localhost.", false),
            ("http://10.0.0.1", false),
            ("http://[::ffff:127.0.0.1]", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
