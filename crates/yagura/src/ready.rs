//! `yagura ready`: asks a running process whether it can do its work, for health checks where there is no curl.

use anyhow::{Context, bail};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

/// For connecting, and then for each step of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reasons are a few lines.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// How a server that speaks TLS begins its answer to what is not TLS: the type of an alert.
const TLS_ALERT: u8 = 0x15;

/// Prints what the process that listens at `address` says, and succeeds if that is 200.
pub fn ask(address: &str) -> anyhow::Result<()> {
    let answer = get(connect(address)?, address).with_context(|| format!("{address} does not answer"))?;
    if answer.first() == Some(&TLS_ALERT) {
        // Its certificate is for another name, and it may want one of ours.
        println!("{address} speaks TLS; nothing more is asked");
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&answer);
    let nonsense = || format!("{address} does not answer: what came is not HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").with_context(nonsense)?;
    let (status, reason) = (head.split(' ').nth(1).with_context(nonsense)?, body.trim());
    if status != "200" {
        bail!("{address} is not ready ({status}): {reason}");
    }
    println!("{reason}");
    Ok(())
}

fn connect(address: &str) -> anyhow::Result<TcpStream> {
    let found = address.to_socket_addrs().with_context(|| format!("{address:?} is no HOST:PORT"))?;
    let mut failure = None;
    for found in found.map(reachable) {
        match TcpStream::connect_timeout(&found, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error).with_context(|| format!("nobody answers at {address}")),
        None => bail!("{address:?} has no address"),
    }
}

/// Who listens on all interfaces listens on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// HTTP/1.0, so that the answer ends with the connection and comes in one piece.
fn get(mut stream: TcpStream, host: &str) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /ready HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
