//! Which addresses may be connected to on a tenant's behalf.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Networks in CIDR form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    length: u32,
}

/// Of IPv4, what no public server has: <https://www.iana.org/assignments/iana-ipv4-special-registry>.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Of IPv6's global addresses, those that are special: assignments of protocols (Teredo is one), documentation.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
const SIX_TO_FOUR: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

impl Networks {
    /// Whether a tenant may have this address connected to: it is a public one, or in one of these networks.
    pub fn allow(&self, address: IpAddr) -> bool {
        // The system connects to an IPv4 address that is written as an IPv6 one as to the former.
        let address = address.to_canonical();
        if self.0.iter().any(|network| network.contains(address)) {
            return true;
        }
        match address {
            IpAddr::V4(address) => !SPECIAL_V4.iter().any(|&(base, length)| in_v4(base, length, address)),
            IpAddr::V6(address) => match embedded(address) {
                Some(behind) => self.allow(IpAddr::V4(behind)),
                None => {
                    in_v6(GLOBAL_V6.0, GLOBAL_V6.1, address)
                        && !SPECIAL_V6.iter().any(|&(base, length)| in_v6(base, length, address))
                }
            },
        }
    }
}

/// The IPv4 address to which a gateway passes on what is sent to this one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    if in_v6(NAT64.0, NAT64.1, address) {
        Some(Ipv4Addr::from_bits(bits as u32))
    } else if in_v6(SIX_TO_FOUR.0, SIX_TO_FOUR.1, address) {
        Some(Ipv4Addr::from_bits((bits >> 80) as u32))
    } else {
        None
    }
}

fn in_v4(base: Ipv4Addr, length: u32, address: Ipv4Addr) -> bool {
    (base.to_bits() ^ address.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0
}

fn in_v6(base: Ipv6Addr, length: u32, address: Ipv6Addr) -> bool {
    (base.to_bits() ^ address.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => in_v4(base, self.length, address),
            (IpAddr::V6(base), IpAddr::V6(address)) => in_v6(base, self.length, address),
            _ => false,
        }
    }
}

impl FromStr for Networks {
    type Err = String;

    /// Networks such as `10.1.0.0/16` or `fd00::/8`, separated by commas; an address alone is one too.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<Network, String> {
    let wrong = || format!("{text:?} is no network: write it as 10.1.0.0/16 or fd00::/8");
    let (base, length) = match text.split_once('/') {
        Some((base, length)) => (base, Some(length)),
        None => (text, None),
    };
    let base: IpAddr = base.parse().map_err(|_| wrong())?;
    let most = if base.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => most,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|length| *length <= most).ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    Ok(Network { base, length })
}

#[cfg(test)]
mod tests;
