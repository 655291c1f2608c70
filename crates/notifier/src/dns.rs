//! Looking names up.

use crate::host::{Host, HostPort};
use async_trait::async_trait;
use hickory_resolver::{TokioResolver, config::LookupIpStrategy, net::NetError, proto::rr::RData};
use std::{collections::BTreeSet, net::IpAddr};
use tokio::sync::OnceCell;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
    Any,
}

/// Answers from the DNS. A test has its own.
#[async_trait]
pub(crate) trait Lookup: Send + Sync {
    /// No addresses if the name has none; an error, which is a sentence, if nobody could tell.
    async fn addresses(&self, name: &str, family: Family) -> Result<BTreeSet<IpAddr>, String>;

    /// The targets of SRV records.
    async fn services(&self, name: &str) -> Result<BTreeSet<HostPort>, String>;
}

/// As the system is set up: `resolv.conf` and the file of hosts.
#[derive(Default)]
pub(crate) struct SystemLookup {
    resolver: OnceCell<TokioResolver>,
}

impl SystemLookup {
    async fn resolver(&self) -> Result<&TokioResolver, String> {
        let make = async || {
            let mut builder = TokioResolver::builder_tokio()?;
            builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        };
        self.resolver.get_or_try_init(make).await.map_err(|e| format!("DNS cannot be used here: {e}"))
    }
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str, family: Family) -> Result<BTreeSet<IpAddr>, String> {
        let wanted = |address: &IpAddr| match family {
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
            Family::Any => true,
        };
        let resolver = self.resolver().await?;
        let of_records = |answers: &[hickory_resolver::proto::rr::Record]| {
            let addresses = answers.iter().filter_map(|record| record.data.ip_addr());
            addresses.filter(wanted).collect()
        };
        let found = match family {
            Family::Any => resolver.lookup_ip(name).await.map(|found| found.iter().collect()),
            Family::V4 => resolver.ipv4_lookup(name).await.map(|found| of_records(found.answers())),
            Family::V6 => resolver.ipv6_lookup(name).await.map(|found| of_records(found.answers())),
        };
        found.or_else(|e| nothing(name, e))
    }

    async fn services(&self, name: &str) -> Result<BTreeSet<HostPort>, String> {
        let found = match self.resolver().await?.srv_lookup(name).await {
            Ok(found) => found,
            Err(e) => return nothing(name, e),
        };
        let mut services = BTreeSet::new();
        for record in found.answers() {
            // A target of "." says that there is no such service.
            if let RData::SRV(service) = &record.data
                && service.port > 0
                && let Ok(host) = service.target.to_ascii().parse::<Host>()
            {
                services.insert(HostPort { host, port: Some(service.port) });
            }
        }
        Ok(services)
    }
}

fn nothing<T: Default>(name: &str, error: NetError) -> Result<T, String> {
    if error.is_no_records_found() {
        return Ok(T::default());
    }
    Err(format!("{name} could not be looked up: {error}"))
}

#[cfg(test)]
mod tests;
