//! Where a server is: `host:port`, taken strictly.

use std::{fmt, net::IpAddr};

/// Names are in lower case, without the dot at their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct HostPort {
    pub host: Host,
    /// None for the scheme's own.
    pub port: Option<u16>,
}

impl HostPort {
    /// Takes `host`, `host:port`, `10.0.0.1:9093` or `[::1]:9093`, and nothing that different programs
    /// read differently: no user, no path, no address that is written in octal, hexadecimal or as one number.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            // It may be a password.
            return Err("a target must be host:port, without a user: there is basic_auth for that".into());
        }
        if text.contains("://") || text.contains('/') {
            return Err(format!("target {text:?} must be host:port, without scheme and path"));
        }
        let wrong = || format!("target {text:?} must be host:port, such as alertmanager:9093");
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, after) = rest.split_once(']').ok_or_else(wrong)?;
            let address = address.parse().map_err(|_| wrong())?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or_else(wrong)?),
            };
            (Host::Ip(IpAddr::V6(address)), port)
        } else {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            if port.is_some_and(|port| port.contains(':')) {
                return Err(format!("target {text:?}: an IPv6 address stands in brackets, [::1]:9093"));
            }
            (host.parse()?, port)
        };
        Ok(Self { host, port: port.map(parse_port).transpose().map_err(|()| wrong())? })
    }
}

fn parse_port(text: &str) -> Result<u16, ()> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or(())
}

impl std::str::FromStr for Host {
    type Err = String;

    /// An IPv4 address with four decimal numbers, or a name.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err(format!(
                "host {text:?} is no name: letters, digits and '-' between dots are allowed, others as Punycode"
            ));
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
            return Err(format!("host {text:?} is no address: write four decimal numbers, as in 192.0.2.1"));
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]

    use super::*;

    #[test]
    fn what_programs_read_differently_is_refused() {
        for bad in [
            "",
            ":9093",
            "am:",
            "am:0",
            "am:65536",
            "am:+1",
            "am:9093:1",
            "::1",
            "[::1",
            "[::1]9093",
            "[::1%eth0]:1",
            "[127.0.0.1]:1",
            "a@b",
            "user:pass@am:1",
            "http://am",
            "am/path",
            "am\\b",
            "a b",
            "a\tb",
            "a\0b",
            "ä.de",
            "a..b",
            ".a",
            "127.1",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "127.0.0.0x1",
            "2130706433",
            "0x7f000001",
            "127.0.0.1.:1",
            "127.0.0.01",
            "1.2.3.4.5",
            "%31.1.1.1",
            "a%2e",
            "am?x",
            "am#x",
            "①②⑦.0.0.1",
        ] {
            assert!(HostPort::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_and_addresses_are_taken() {
        for (text, printed) in [
            ("am", "am"),
            ("AM.Example.org.:9093", "am.example.org:9093"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:9093", "[::1]:9093"),
            ("[fd00::0:1]", "[fd00::1]"),
            ("_http._tcp.am.example:80", "_http._tcp.am.example:80"),
        ] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), printed);
        }
    }
}
