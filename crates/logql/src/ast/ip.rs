//! Sets of IP addresses, as `ip("…")` names them.

use model::quote;
use std::{fmt, net::IpAddr};

/// One address, a range `first-last`, or a prefix `address/bits`. IPv4 addresses are not
/// found in IPv6 sets, nor the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpSet {
    text: String,
    first: IpAddr,
    last: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ip: invalid pattern: {}", quote(.0))]
pub struct InvalidIpSet(pub String);

impl IpSet {
    pub fn new(text: &str) -> Result<Self, InvalidIpSet> {
        let (first, last) = bounds(text).ok_or_else(|| InvalidIpSet(text.to_owned()))?;
        Ok(Self { text: text.to_owned(), first, last })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        // IPv4 sorts below IPv6, and both ends are of one kind.
        (self.first..=self.last).contains(&address)
    }
}

impl fmt::Display for IpSet {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bounds(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(address) = text.parse() {
        return Some((address, address));
    }
    if let Some((address, bits)) = text.split_once('/') {
        return prefix(address.parse().ok()?, bits);
    }
    let (first, last) = text.split_once('-')?;
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
}

fn prefix(address: IpAddr, bits: &str) -> Option<(IpAddr, IpAddr)> {
    // Go takes no sign and no leading zero.
    if !bits.bytes().all(|b| b.is_ascii_digit()) || (bits.len() > 1 && bits.starts_with('0')) {
        return None;
    }
    let bits: u32 = bits.parse().ok()?;
    match address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let first = address.to_bits() & !host;
            (bits <= 32).then(|| (IpAddr::V4(first.into()), IpAddr::V4((first | host).into())))
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            let first = address.to_bits() & !host;
            (bits <= 128).then(|| (IpAddr::V6(first.into()), IpAddr::V6((first | host).into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_name() {
        for (set, address, expected) in [
            ("192.168.4.5", "192.168.4.5", true),
            ("192.168.4.5", "192.168.4.6", false),
            ("192.168.4.5/16", "192.168.255.255", true),
            ("192.168.4.5/16", "192.169.0.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("10.0.0.5-10.0.1.1", "10.0.1.0", true),
            ("10.0.0.5-10.0.1.1", "10.0.0.4", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "10.0.0.1", false),
        ] {
            let holds = IpSet::new(set).unwrap().contains(address.parse().unwrap());
            assert_eq!(holds, expected, "{set} {address}");
        }
    }

    #[test]
    fn bad_sets_are_refused() {
        for text in
            ["", "hello", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.2-10.0.0.1", "10.0.0.1-::1"]
        {
            assert_eq!(IpSet::new(text), Err(InvalidIpSet(text.to_owned())));
        }
    }
}
