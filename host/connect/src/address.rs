//! Which addresses an event may be sent to.
//!
//! A name that the operator wrote may lead anywhere: to a service inside of the network, or to the one that hands out the
//! machine's own credentials. So what counts is the address that is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// A host of the internet.
    Public,
    /// This machine or a network of somebody's own: only where the operator says so.
    Private,
    /// Nothing an event is ever for: addresses of one link, of clouds' own services, of groups and of nobody.
    Never,
}

/// Addresses at which clouds hand out credentials of the machine, outside of the ranges that are refused anyway.
const CLOUD_SERVICES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// How far an address reaches, whatever its notation hides.
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    if CLOUD_SERVICES.contains(&address) {
        return Reach::Never;
    }
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => reach(IpAddr::V4(inner)),
            None => reach_v6(address),
        },
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    if address.is_link_local() || address.is_multicast() || address.is_broadcast() || a == 0 || a >= 240 {
        return Reach::Never;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    match (a, b, c) {
        (192, 0, 0) => Reach::Never,
        _ if address.is_loopback() || address.is_private() || shared || benchmark || address.is_documentation() => {
            Reach::Private
        }
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let [first, second, third, ..] = address.segments();
    if address.is_unspecified() || address.is_multicast() || first & 0xffc0 == 0xfe80 {
        return Reach::Never;
    }
    let unique_local = first & 0xfe00 == 0xfc00;
    let site_local = first & 0xffc0 == 0xfec0;
    let local_translation = (first, second, third) == (0x64, 0xff9b, 1);
    let documentation = (first, second) == (0x2001, 0xdb8) || first == 0x3fff;
    if address.is_loopback() || unique_local || site_local || local_translation || documentation {
        return Reach::Private;
    }
    // Everything that is assigned lies in 2000::/3.
    if first & 0xe000 == 0x2000 { Reach::Public } else { Reach::Never }
}

/// The IPv4 address that an IPv6 address stands for.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        // Mapped, and the old form without a mark; `::` and `::1` are addresses of their own.
        (0, 0, 0, 0, 0, 0xffff) => Some(of(g, h)),
        (0, 0, 0, 0, 0, 0) if (g, h) != (0, 0) && (g, h) != (0, 1) => Some(of(g, h)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(of(g, h)),
        (0x2002, ..) => Some(of(b, c)),
        // Teredo: the client's address, inverted.
        (0x2001, 0, ..) => Some(of(!g, !h)),
        _ => None,
    }
}

/// The host that the operator named, and what he allows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// As it stands in the address.
    pub host: Host<String>,
    /// The host may lie in a network of one's own.
    pub private: bool,
}

impl Grant {
    /// A connection to this address is what the operator asked for. An address that he wrote down himself, and this
    /// machine by its name, may be private; a name that leads there may not, unless he says so.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        match reach(address) {
            Reach::Public => true,
            Reach::Private => self.private || self.names(address),
            Reach::Never => false,
        }
    }

    fn names(&self, address: IpAddr) -> bool {
        match &self.host {
            Host::Domain(name) => name.eq_ignore_ascii_case("localhost") && address.is_loopback(),
            Host::Ipv4(named) => address == IpAddr::V4(*named),
            Host::Ipv6(named) => address == IpAddr::V6(*named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_reach_as_far_as_they_do() {
        for (address, expected) in [
            ("8.8.8.8", Reach::Public),
            ("127.0.0.1", Reach::Private),
            ("10.1.2.3", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("100.128.0.1", Reach::Public),
            ("100.100.100.200", Reach::Never),
            ("168.63.129.16", Reach::Never),
            ("169.254.169.254", Reach::Never),
            ("192.0.0.192", Reach::Never),
            ("0.0.0.0", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("2606:4700::1111", Reach::Public),
            ("::1", Reach::Private),
            ("::", Reach::Never),
            ("fe80::1", Reach::Never),
            ("fd12::1", Reach::Private),
            ("fd00:ec2::254", Reach::Never),
            ("ff02::1", Reach::Never),
            ("::ffff:127.0.0.1", Reach::Private),
            ("::ffff:169.254.169.254", Reach::Never),
            ("::10.0.0.1", Reach::Private),
            ("64:ff9b::10.0.0.1", Reach::Private),
            ("64:ff9b::169.254.169.254", Reach::Never),
            ("64:ff9b::8.8.8.8", Reach::Public),
            ("64:ff9b:1::1", Reach::Private),
            ("2002:a9fe:a9fe::1", Reach::Never),
            ("2002:0a00:0001::1", Reach::Private),
            ("4000::1", Reach::Never),
        ] {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_name_does_not_lead_into_the_network() {
        let named = |host: &str| Grant { host: Host::parse(host).unwrap(), private: false };
        let to = |address: &str| address.parse::<IpAddr>().unwrap();
        assert!(named("127.0.0.1").permits(to("127.0.0.1")) && named("localhost").permits(to("::1")));
        assert!(named("[::1]").permits(to("::1")) && named("10.0.0.1").permits(to("10.0.0.1")));
        assert!(!named("10.0.0.1").permits(to("10.0.0.2")) && !named("localhost").permits(to("10.0.0.1")));
        assert!(!named("splunk.example").permits(to("10.0.0.1")) && named("splunk.example").permits(to("8.8.8.8")));
        let granted = Grant { private: true, ..named("splunk.example") };
        assert!(granted.permits(to("10.0.0.1")) && !granted.permits(to("169.254.169.254")));
        assert!(!named("169.254.169.254").permits(to("169.254.169.254")));
    }

    proptest! {
        /// An address inside of another reaches no farther than by itself.
        #[test]
        fn no_notation_opens_anything(bits in any::<u32>()) {
            let plain = Ipv4Addr::from(bits);
            let [a, b, c, d] = plain.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let hidden = [
                plain.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 1, 1, 1, 1, !high, !low),
            ];
            for address in hidden {
                prop_assert!(reach(IpAddr::V6(address)) >= reach(IpAddr::V4(plain)), "{}", address);
            }
        }
    }
}
