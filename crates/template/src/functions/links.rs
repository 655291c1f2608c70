//! Links, and parts of addresses, for alerts.

use super::{Function, Kind, escape, part_of, str_arg};
use crate::value::Value;
use std::net::IpAddr;

const ONE: &[Kind] = &[Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::new("graphLink", ONE, |_, args| Ok(link(str_arg(args, 0), 0))),
    Function::new("tableLink", ONE, |_, args| Ok(link(str_arg(args, 0), 1))),
    Function::new("urlQueryEscape", ONE, |_, args| Ok(Value::str(escape::url(str_arg(args, 0))))),
    Function::new("externalURL", &[], |call, _| Ok(Value::str(call.env.external_url))),
    Function::new("pathPrefix", &[], |call, _| {
        escape::unescape_path(path(call.env.external_url)).map(Value::str)
    }),
    Function::new("stripPort", ONE, |_, args| {
        Ok(part_of(args, 0, |text| split_port(text).map_or(text, |(host, _)| host)))
    }),
    Function::new("stripDomain", ONE, |_, args| Ok(Value::str(without_domain(str_arg(args, 0))))),
];

fn link<'a>(expr: &str, tab: u8) -> Value<'a> {
    Value::str(format!("/graph?g0.expr={}&g0.tab={tab}", escape::url(expr)))
}

/// The path of a URL, without what follows it.
fn path(url: &str) -> &str {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    match url.split_once("//") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    }
}

/// Host and port, as Go's `net.SplitHostPort` takes them apart; `None` where it fails.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inner) => {
            let inner = inner.strip_suffix(']')?;
            (!inner.contains(['[', ']']) && !port.contains(['[', ']'])).then_some((inner, port))
        }
        None => (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port)),
    }
}

fn without_domain(text: &str) -> String {
    let (host, port) = split_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or_default();
    match port {
        "" => name.to_owned(),
        port if name.contains(':') => format!("[{name}]:{port}"),
        port => format!("{name}:{port}"),
    }
}
