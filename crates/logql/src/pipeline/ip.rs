//! IP addresses anywhere in a text.

use crate::ast::IpSet;
use std::net::IpAddr;

/// Whether the text has an address of the set in it. What looks like the beginning of an
/// address is taken as far as there are characters of addresses, and then must be one: that is
/// how Loki finds them.
pub fn has_address(text: &[u8], set: &IpSet) -> bool {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = if starts_like_v4(rest) {
            span(rest, |b| b.is_ascii_digit() || b == b'.')
        } else if starts_like_v6(rest) {
            span(rest, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
        } else {
            at += 1;
            continue;
        };
        if address(&rest[..length]).is_some_and(|address| set.contains(address)) {
            return true;
        }
        at += length + 1;
    }
    false
}

/// No address is longer, in characters.
const MAX_LENGTH: usize = 45;

fn address(text: &[u8]) -> Option<IpAddr> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

fn span(text: &[u8], inside: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|b| !inside(*b)).unwrap_or(text.len())
}

/// A digit, and a dot within three characters.
fn starts_like_v4(text: &[u8]) -> bool {
    text.len() > 3 && text[0].is_ascii_digit() && text[1..4].contains(&b'.')
}

/// One to four hexadecimal digits and a colon, or two colons and a digit.
fn starts_like_v6(text: &[u8]) -> bool {
    let digits = text.iter().take(5).take_while(|b| b.is_ascii_hexdigit()).count();
    match digits {
        0 => text.starts_with(b"::") && text.get(2).is_some_and(u8::is_ascii_hexdigit),
        1..=4 => text.get(digits) == Some(&b':'),
        _ => false,
    }
}
