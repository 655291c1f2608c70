//! The ring's store in etcd.

use super::{Batch, Change, Event, Guard, KeyValue, Kv, KvError, LeaseId, Listing, Watch};
use crate::EtcdConfig;
use async_trait::async_trait;
use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, DeleteOptions, EventType, GetOptions, Identity,
    PutOptions, TlsOptions, Txn, TxnOp, WatchOptions, WatchStream,
};
use futures::{StreamExt, stream};
use std::{
    fmt,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::sync::OnceCell;

/// How long a call may take. The client itself would wait for a connection without end.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which nothing comes back is given up after twice this, so that a watch does not
/// hang on a dead one.
const PING: Duration = Duration::from_secs(5);

/// How long it may take to reach one of several endpoints.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects when it is first used, and again by itself.
///
/// Each endpoint has a client of its own, and one is used until a call to it fails. A client of all of them spreads
/// calls by how many wait at each, and sends most to the one that is down: there none waits.
pub struct EtcdKv {
    endpoints: Vec<Endpoint>,
    options: ConnectOptions,
    /// The one that is used.
    current: AtomicUsize,
}

struct Endpoint {
    url: String,
    client: OnceCell<Client>,
}

impl EtcdKv {
    /// # Errors
    /// A certificate or key file that cannot be read.
    pub fn new(config: &EtcdConfig) -> service_api::Result<Self> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(CALL_TIMEOUT)
            .with_keep_alive(PING, PING)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(password) = &config.password {
            options = options.with_user(&config.username, password.reveal());
        }
        let tls = &config.tls;
        if tls.ca_file.is_some() || tls.cert_file.is_some() {
            let mut tls_options = TlsOptions::new();
            if let Some(file) = &tls.ca_file {
                tls_options = tls_options.ca_certificate(Certificate::from_pem(read("ca_file", file)?));
            }
            if let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) {
                let identity = Identity::from_pem(read("cert_file", cert)?, read("key_file", key)?);
                tls_options = tls_options.identity(identity);
            }
            options = options.with_tls(tls_options);
        }
        let endpoint = |url: &str| Endpoint { url: url.to_owned(), client: OnceCell::new() };
        let endpoints = config.endpoints().into_iter().map(endpoint).collect();
        Ok(Self { endpoints, options, current: AtomicUsize::new(0) })
    }

    /// Makes a call at the endpoint that is used, and if that cannot be reached once at each of the others. For
    /// calls that may be made twice.
    async fn call<T, F>(&self, call: impl Fn(Client) -> F) -> Result<T, KvError>
    where
        F: Future<Output = Result<T, KvError>>,
    {
        let mut tries = self.endpoints.len().max(1);
        loop {
            tries -= 1;
            match self.call_once(&call).await {
                Err(KvError::Unavailable(_)) if tries > 0 => {}
                answer => return answer,
            }
        }
    }

    /// Makes a call at the endpoint that is used. If it cannot be reached, the next one is from then on.
    async fn call_once<T, F>(&self, call: impl Fn(Client) -> F) -> Result<T, KvError>
    where
        F: Future<Output = Result<T, KvError>>,
    {
        let at = self.current.load(Ordering::Relaxed);
        let count = self.endpoints.len().max(1);
        let Some(Endpoint { url, client }) = self.endpoints.get(at % count) else {
            return Err(KvError::Unavailable("no endpoint is known".into()));
        };
        let connect = || Client::connect([url], Some(self.options.clone()));
        let answer = match within(client.get_or_try_init(connect)).await {
            Ok(client) => call(client.clone()).await,
            Err(error) => Err(error),
        };
        if matches!(answer, Err(KvError::Unavailable(_))) {
            // Unless somebody else has been there before.
            let _ =
                self.current.compare_exchange(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        answer
    }
}

fn read(key: &str, file: &Path) -> service_api::Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        service_api::Error::bad_request(format!(
            "ring.etcd.tls.{key}: cannot read {}: {error}",
            file.display()
        ))
    })
}

async fn within<T>(call: impl Future<Output = Result<T, etcd_client::Error>>) -> Result<T, KvError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(result) => result.map_err(|error| unavailable(&error)),
        Err(_) => Err(KvError::Unavailable("no answer in time".into())),
    }
}

fn unavailable(error: &etcd_client::Error) -> KvError {
    KvError::Unavailable(error.to_string())
}

#[async_trait]
impl Kv for EtcdKv {
    async fn get(&self, key: &str) -> Result<Option<KeyValue>, KvError> {
        let answer = self.call(move |mut client| async move { within(client.get(key, None)).await }).await?;
        Ok(answer.kvs().first().map(key_value))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        let list = move |mut client: Client| async move {
            within(client.get(prefix, Some(GetOptions::new().with_prefix()))).await
        };
        let answer = self.call(list).await?;
        let header = answer.header();
        Ok(Listing {
            entries: answer.kvs().iter().map(key_value).collect(),
            revision: header.map_or(0, |header| header.revision()),
            cluster: header.map_or(0, |header| header.cluster_id()),
        })
    }

    async fn watch(&self, prefix: &str, from: i64) -> Result<Watch, KvError> {
        let watch = move |mut client: Client| async move {
            let options = WatchOptions::new().with_prefix().with_start_revision(from);
            within(client.watch(prefix, Some(options))).await
        };
        let watch = self.call(watch).await?;
        let batches = stream::unfold(Some(watch), async |state| {
            let mut watch = state?;
            match next(&mut watch).await {
                Ok(batch) => Some((Ok(batch), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(batches.boxed())
    }

    async fn commit(&self, guards: &[Guard], change: Change) -> Result<Option<i64>, KvError> {
        let change = &change;
        let commit = move |mut client: Client| async move {
            let call = client.txn(transaction(guards, change));
            let answer = match tokio::time::timeout(CALL_TIMEOUT, call).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) if error.to_string().contains("requested lease not found") => {
                    return Err(KvError::LeaseGone);
                }
                Ok(Err(error)) => return Err(unavailable(&error)),
                Err(_) => return Err(KvError::Unavailable("no answer in time".into())),
            };
            let revision = answer.header().map_or(0, |header| header.revision());
            Ok(answer.succeeded().then_some(revision))
        };
        // Whose answer was lost may have been made, and its guards would not hold any more.
        if guards.is_empty() { self.call(commit).await } else { self.call_once(commit).await }
    }

    async fn grant(&self, ttl: Duration) -> Result<LeaseId, KvError> {
        let ttl = ttl.as_secs().max(1) as i64;
        let grant = move |mut client: Client| async move { within(client.lease_grant(ttl, None)).await };
        Ok(self.call(grant).await?.id())
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), KvError> {
        // One request and one answer; a stream of them would have to be made anew at each failure.
        let keep = move |mut client: Client| async move {
            match tokio::time::timeout(CALL_TIMEOUT, client.lease_keep_alive(lease)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(etcd_client::Error::LeaseKeepAliveError(_))) => Err(KvError::LeaseGone),
                Ok(Err(error)) => Err(unavailable(&error)),
                Err(_) => Err(KvError::Unavailable("no answer in time".into())),
            }
        };
        self.call(keep).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), KvError> {
        let revoke = move |mut client: Client| async move {
            match tokio::time::timeout(CALL_TIMEOUT, client.lease_revoke(lease)).await {
                Ok(Err(error)) if !error.to_string().contains("requested lease not found") => {
                    Err(unavailable(&error))
                }
                Ok(_) => Ok(()),
                Err(_) => Err(KvError::Unavailable("no answer in time".into())),
            }
        };
        self.call(revoke).await
    }
}

fn transaction(guards: &[Guard], change: &Change) -> Txn {
    let guard =
        |guard: &Guard| Compare::mod_revision(guard.key.as_str(), CompareOp::Equal, guard.mod_revision);
    let operation = match change {
        Change::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease));
            TxnOp::put(key.as_str(), value.as_slice(), options)
        }
        Change::Delete { key } => TxnOp::delete(key.as_str(), None::<DeleteOptions>),
    };
    Txn::new().when(guards.iter().map(guard).collect::<Vec<_>>()).and_then([operation])
}

/// The next answer that holds events.
async fn next(watch: &mut WatchStream) -> Result<Batch, KvError> {
    loop {
        let answer = watch.message().await.map_err(|error| unavailable(&error))?;
        let answer = answer.ok_or_else(|| KvError::Unavailable("the watch ended".into()))?;
        if answer.compact_revision() > 0 {
            return Err(KvError::Compacted(answer.compact_revision()));
        }
        if answer.canceled() {
            return Err(KvError::Unavailable(format!("the watch was ended: {}", answer.cancel_reason())));
        }
        let events: Vec<_> = answer.events().iter().filter_map(event).collect();
        if !events.is_empty() {
            let revision = answer.header().map_or(0, |header| header.revision());
            return Ok(Batch { revision, events });
        }
    }
}

fn event(event: &etcd_client::Event) -> Option<Event> {
    let entry = event.kv()?;
    let KeyValue { key, value, mod_revision } = key_value(entry);
    let value = (event.event_type() == EventType::Put).then_some(value);
    Some(Event { key, value, mod_revision })
}

fn key_value(entry: &etcd_client::KeyValue) -> KeyValue {
    KeyValue {
        // Keys are ours and plain ASCII; one that is not is nobody's and is skipped by its name.
        key: String::from_utf8_lossy(entry.key()).into_owned(),
        value: entry.value().to_vec(),
        mod_revision: entry.mod_revision(),
    }
}

impl fmt::Debug for EtcdKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.endpoints.iter().map(|endpoint| &endpoint.url).collect();
        f.debug_struct("EtcdKv").field("endpoints", &urls).finish_non_exhaustive()
    }
}
