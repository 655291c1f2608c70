//! The resolver against a server of names on the loopback interface.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::{Message, OpCode, ResponseCode},
        rr::{Name, Record, RecordType, rdata::SRV},
    },
};
use std::{net::Ipv4Addr, str::FromStr};
use tokio::net::UdpSocket;

/// Knows `am.example` and its services; others do not exist.
async fn serve(socket: UdpSocket) {
    let mut bytes = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
        let asked = Message::from_vec(&bytes[..length]).unwrap();
        let query = asked.queries[0].clone();
        let id = asked.metadata.id;
        let mut answer = Message::response(id, OpCode::Query);
        let name = query.name().clone();
        let mut add = |data: RData| {
            answer.add_answer(Record::from_rdata(name.clone(), 60, data));
        };
        match (query.name().to_ascii().as_str(), query.query_type()) {
            ("am.example.", RecordType::A) => {
                add(RData::A("10.0.0.1".parse::<Ipv4Addr>().unwrap().into()));
                add(RData::A("10.0.0.2".parse::<Ipv4Addr>().unwrap().into()));
            }
            ("am.example.", RecordType::AAAA) => {
                add(RData::AAAA("fd00::1".parse::<std::net::Ipv6Addr>().unwrap().into()));
            }
            ("_am._tcp.example.", RecordType::SRV) => {
                let target = |name: &str| Name::from_str(name).unwrap();
                add(RData::SRV(SRV::new(0, 0, 9093, target("AM-1.example."))));
                add(RData::SRV(SRV::new(0, 0, 9094, target("am-2.example."))));
                add(RData::SRV(SRV::new(0, 0, 0, target("."))));
            }
            _ => answer = Message::error_msg(id, OpCode::Query, ResponseCode::NXDomain),
        }
        answer.add_query(query);
        socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
    }
}

async fn lookup() -> SystemLookup {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut connection = ConnectionConfig::udp();
    let address = socket.local_addr().unwrap();
    connection.port = address.port();
    tokio::spawn(serve(socket));
    let servers = vec![NameServerConfig::new(address.ip(), true, vec![connection])];
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let resolver =
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap();
    SystemLookup { resolver: OnceCell::new_with(Some(resolver)) }
}

#[tokio::test]
async fn addresses_and_services_are_looked_up() {
    let lookup = lookup().await;
    let addresses = async |name: &str, family| {
        let found = lookup.addresses(name, family).await.unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(addresses("am.example", Family::V4).await, "10.0.0.1 10.0.0.2");
    assert_eq!(addresses("am.example", Family::V6).await, "fd00::1");
    assert!(addresses("am.example", Family::Any).await.starts_with("10.0.0.1 10.0.0.2"));
    assert_eq!(addresses("none.example", Family::Any).await, "");
    let services = lookup.services("_am._tcp.example").await.unwrap();
    let services: Vec<String> = services.iter().map(ToString::to_string).collect();
    assert_eq!(services.join(" "), "am-1.example:9093 am-2.example:9094");
    assert!(lookup.services("_none._tcp.example").await.unwrap().is_empty());
}
