//! Ports of a page's own behind those that it names, so that pages run beside each other and beside
//! whatever else is on the machine.

use crate::process::lasting_port;
use std::{collections::BTreeMap, net::Ipv4Addr};

/// Hosts that mean this machine.
const HERE: &[&str] = &["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]"];

/// From the port that a page names to its own one.
#[derive(Debug, Default)]
pub struct Ports(BTreeMap<u16, u16>);

impl Ports {
    /// The port that stands for `named`.
    pub fn own(&mut self, named: u16) -> u16 {
        *self.0.entry(named).or_insert_with(|| lasting_port(Ipv4Addr::LOCALHOST.into()))
    }

    /// A page's text as it is run: `127.0.0.1:9009` and its like with the page's own ports.
    pub fn there(&mut self, text: &str) -> String {
        with_ports(text, |before, port| is_here(before).then(|| self.own(port)))
    }

    /// What has come, with the ports that the page names: behind a host, and in messages such as curl's.
    pub fn back(&self, text: &str) -> String {
        let named = self.0.iter().fold(text.to_owned(), |text, (named, own)| {
            text.replace(&format!("port {own} "), &format!("port {named} "))
        });
        let name_of = |port| self.0.iter().find(|(_, own)| **own == port).map(|(named, _)| *named);
        with_ports(&named, |_, port| name_of(port))
    }

    /// The first port of this machine that a text names.
    pub fn first(text: &str) -> Option<u16> {
        let mut colons = text.match_indices(':');
        colons.find_map(|(place, _)| {
            let (port, _) = port(&text[place + 1..])?;
            is_here(&text[..place]).then_some(port)
        })
    }
}

/// The text with other ports behind its colons, where `other` has one for what stands before the colon and the port.
fn with_ports(text: &str, mut other: impl FnMut(&str, u16) -> Option<u16>) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        kept.push_str(&rest[..=colon]);
        rest = &rest[colon + 1..];
        if let Some((port, length)) = port(rest)
            && let Some(port) = other(&kept[..kept.len() - 1], port)
        {
            kept.push_str(&port.to_string());
            rest = &rest[length..];
        }
    }
    kept + rest
}

/// The port at the beginning of a text and how long it is written. Those below 1024 stay what they are.
fn port(text: &str) -> Option<(u16, usize)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let port = text[..length].parse().ok().filter(|port| *port >= 1024)?;
    Some((port, length))
}

fn is_here(before: &str) -> bool {
    let host = HERE.iter().find_map(|host| before.strip_suffix(host));
    host.is_some_and(|before| {
        !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
    })
}
