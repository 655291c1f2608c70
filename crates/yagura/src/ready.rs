//! `yagura ready`: asks a running process whether it can do its work, for health checks where there is no curl.

use crate::config::HttpConfig;
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

/// Prints what the process says and succeeds if that is 200. `address` is where `http.listen` cannot be reached
/// from here.
pub fn ask(config: &HttpConfig, address: Option<&str>) -> anyhow::Result<()> {
    let address = address.unwrap_or(&config.listen);
    let stream = connect(address)?;
    if !config.tls.cert_file.as_os_str().is_empty() {
        // Its certificate is for another name, and it may want one of ours.
        println!("listens on {address}; with http.tls nothing more is asked");
        return Ok(());
    }
    let (status, reason) = get(stream, address).with_context(|| format!("{address} does not answer"))?;
    if status != "200" {
        bail!("{address} is not ready ({status}): {}", reason.trim());
    }
    println!("{}", reason.trim());
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

/// Status and body. HTTP/1.0, so that the answer ends with the connection and comes in one piece.
fn get(mut stream: TcpStream, host: &str) -> anyhow::Result<(String, String)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /ready HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("what came is not HTTP")?;
    let status = head.split(' ').nth(1).context("what came is not HTTP")?;
    Ok((status.to_owned(), body.to_owned()))
}

#[cfg(test)]
mod tests;
