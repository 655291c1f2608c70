//! A health check against servers that say yes, no, and nothing that can be understood.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use std::{net::TcpListener, thread};

/// The verdict on a server that answers everything with `answer`; it listens on all interfaces.
fn verdict(answer: &'static str) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("0.0.0.0:{}", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let verdict = ask(&address).map_err(|error| format!("{error:#}"));
    assert!(server.join().unwrap().starts_with("GET /ready HTTP/1.0\r\nHost: "));
    verdict.map_err(|error| error.replace(&address, "ADDRESS"))
}

#[test]
fn only_a_200_is_ready() {
    assert_eq!(verdict("HTTP/1.0 200 OK\r\n\r\nready\n"), Ok(()));
    let starting = verdict("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\r\nstarting\n");
    assert_eq!(starting, Err("ADDRESS is not ready (503): starting".into()));
    let nonsense = "ADDRESS does not answer: what came is not HTTP";
    assert_eq!(verdict("\u{16}\u{3}"), Err(nonsense.into()));
    assert_eq!(verdict(""), Err(nonsense.into()));
}

#[test]
fn who_is_not_there_is_not_ready() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = ask(&address).unwrap_err();
    assert!(format!("{error:#}").starts_with(&format!("nobody answers at {address}: ")), "{error:#}");
    let error = ask("nowhere").unwrap_err();
    assert!(format!("{error:#}").starts_with("\"nowhere\" is no HOST:PORT: "), "{error:#}");
}

#[test]
fn with_tls_it_is_enough_to_speak_it() {
    assert_eq!(verdict("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{32}"), Ok(()));
}
