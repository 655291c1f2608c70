//! A table of addresses, with whether a tenant may have them.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;

#[test]
fn tenants_reach_public_addresses_and_what_they_are_given() {
    let mut networks = Networks::default();
    let mut cases = 0;
    for line in include_str!("addresses.txt").lines() {
        let line = line.split('#').next().unwrap().trim();
        if let Some(given) = line.strip_prefix("networks:") {
            networks = given.parse().unwrap();
        } else if !line.is_empty() {
            let (address, expected) = line.split_once(char::is_whitespace).unwrap();
            let allowed = networks.allow(address.parse().unwrap());
            let verdict = if allowed { "allowed" } else { "refused" };
            assert_eq!(verdict, expected.trim(), "{address} with {networks:?}");
            cases += 1;
        }
    }
    assert!(cases > 70, "the table was not read");
}

#[test]
fn networks_are_written_strictly() {
    for bad in
        ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0/8", "fd00::/129", "host", "010.0.0.0/8", "/8"]
    {
        let message = bad.parse::<Networks>().unwrap_err();
        assert!(message.contains(bad), "{message}");
    }
    assert_eq!("".parse::<Networks>().unwrap(), Networks::default());
    assert_eq!(" 10.0.0.0/8 , fd00::/8,".parse::<Networks>().unwrap().0.len(), 2);
    assert!("0.0.0.0/0".parse::<Networks>().unwrap().allow("127.0.0.1".parse().unwrap()));
    assert!("::/0".parse::<Networks>().unwrap().allow("::1".parse().unwrap()));
}
