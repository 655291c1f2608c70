//! Our own membership: a record of who we are, and a heartbeat while we live.

mod disk;

use crate::{
    Kv, KvError, LeaseId, RingConfig, RingMetrics, State, backoff::backoff, keys::Keys, member::Record,
    metrics::RoleMetrics,
};
use runtime::Clock;
use std::{fmt, sync::Arc};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

pub use disk::Disk;

/// Keeps this instance in the ring of one role. Clones are handles to the same membership.
///
/// It starts as joining. To restart, drain `run`: the record stays. To go for good: state
/// [`State::Leaving`], hand over what is held, [`Lifecycler::leave`] with `remove`.
#[derive(Clone)]
pub struct Lifecycler {
    shared: Arc<Shared>,
}

struct Shared {
    kv: Arc<dyn Kv>,
    keys: Keys,
    config: RingConfig,
    disk: Disk,
    clock: Arc<dyn Clock>,
    metrics: RoleMetrics,
    wanted: watch::Sender<State>,
    /// The state in which the store has us; none before we have registered.
    written: watch::Sender<Option<State>>,
    own: Mutex<Own>,
}

/// What we have put into the store.
#[derive(Default)]
struct Own {
    record: Option<Record>,
    lease: Option<LeaseId>,
    /// At which the heartbeat was written; none before it has been.
    heartbeat_revision: Option<i64>,
    /// We have left: nothing is written any more.
    left: bool,
}

impl Lifecycler {
    /// For the instance that `config` names; `instance_id` and `advertise` must be filled in.
    pub fn new(
        kv: Arc<dyn Kv>,
        role: &str,
        config: &RingConfig,
        disk: Disk,
        clock: Arc<dyn Clock>,
        metrics: &RingMetrics,
    ) -> Self {
        let shared = Shared {
            kv,
            keys: Keys::new(&config.etcd.prefix, role),
            config: config.clone(),
            disk,
            clock,
            metrics: metrics.of(role),
            wanted: watch::Sender::new(State::Joining),
            written: watch::Sender::new(None),
            own: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Registers and keeps the heartbeat until drained, then gives the heartbeat up, so that
    /// others need not wait for it to end. A store that is away is tried again for ever; nobody has to wait
    /// for it.
    pub async fn run(&self, drain: CancellationToken) -> service_api::Result<()> {
        let Shared { config, metrics, wanted, .. } = &*self.shared;
        let mut wanted = wanted.subscribe();
        let mut failures = 0;
        while !drain.is_cancelled() {
            wanted.borrow_and_update();
            let refreshed = async { self.shared.refresh(&mut *self.shared.own.lock().await).await };
            let pause = match drain.run_until_cancelled(refreshed).await {
                None => break,
                Some(Ok(())) => {
                    failures = 0;
                    config.heartbeat_timeout() / 3
                }
                Some(Err(error)) => {
                    metrics.kv_error(&error);
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(id = config.instance_id, %error, "our heartbeat could not be kept");
                    }
                    backoff(&config.instance_id, failures).min(config.heartbeat_timeout() / 3)
                }
            };
            tokio::select! {
                biased;
                () = drain.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                // It cannot be closed: we hold the sender.
                _ = wanted.changed() => {}
            }
        }
        if let Err(error) = self.leave(false).await {
            tracing::warn!(id = config.instance_id, %error, "our heartbeat was left to end by itself");
        }
        Ok(())
    }

    /// Takes writes from now on.
    pub fn activate(&self) {
        self.set_state(State::Active);
    }

    /// The state that others shall see. They do as soon as the store can be reached.
    pub fn set_state(&self, state: State) {
        self.shared.wanted.send_replace(state);
    }

    pub fn state(&self) -> State {
        *self.shared.wanted.borrow()
    }

    /// Waits until the store has us in the state that was set last.
    pub async fn written(&self) {
        let mut written = self.shared.written.subscribe();
        // It cannot be closed: we hold the sender.
        let _ = written.wait_for(|written| *written == Some(self.state())).await;
    }

    /// Ends the heartbeat, and if `remove` also the record: for those whose data is elsewhere.
    /// Nothing is written after that.
    ///
    /// # Errors
    /// The store could not be reached. The heartbeat then ends by itself; a record that was to go
    /// stays until this is called again or the others forget it.
    pub async fn leave(&self, remove: bool) -> service_api::Result<()> {
        let Shared { kv, keys, config, .. } = &*self.shared;
        let mut own = self.shared.own.lock().await;
        own.left = true;
        if remove {
            kv.delete(&keys.record(&config.instance_id)).await?;
        }
        if let Some(lease) = own.lease {
            kv.revoke(lease).await?;
            own.lease = None;
        }
        Ok(())
    }
}

impl Shared {
    /// One heartbeat: keeps the lease, and writes again what is gone or is not as we left it.
    async fn refresh(&self, own: &mut Own) -> Result<(), KvError> {
        if own.left {
            return Ok(());
        }
        let stored = self.kv.get(&self.keys.record(&self.config.instance_id)).await?;
        let stored = stored.and_then(|entry| Record::parse(&self.config.instance_id, &entry.value));
        let beat = self.kv.get(&self.keys.heartbeat(&self.config.instance_id)).await?;
        if own.record.is_none() {
            self.refuse_a_double(stored.as_ref(), beat.is_some())?;
        }
        // The heartbeat comes first, so that nobody sees a record without one.
        self.beat(own, beat.map(|entry| entry.mod_revision)).await?;
        self.write_record(own, stored).await
    }

    /// Another process that lives under our name, on another disk, keeps it. One that has died
    /// is gone when its heartbeat ends.
    fn refuse_a_double(&self, stored: Option<&Record>, alive: bool) -> Result<(), KvError> {
        match stored {
            Some(other) if alive && other.disk != self.disk.id => Err(KvError::Unavailable(format!(
                "another instance with the id {:?} is alive, or was a moment ago",
                other.id
            ))),
            _ => Ok(()),
        }
    }

    async fn beat(&self, own: &mut Own, seen: Option<i64>) -> Result<(), KvError> {
        if let Some(lease) = own.lease {
            match self.kv.keep_alive(lease).await {
                Ok(()) if seen.is_some() && seen == own.heartbeat_revision => return Ok(()),
                Ok(()) => {}
                Err(KvError::LeaseGone) => own.lease = None,
                Err(error) => return Err(error),
            }
        }
        let lease = match own.lease {
            Some(lease) => lease,
            None => self.kv.grant(self.config.heartbeat_timeout()).await?,
        };
        own.lease = Some(lease);
        let key = self.keys.heartbeat(&self.config.instance_id);
        let put = self.kv.put(&key, self.disk.id.clone().into_bytes(), Some(lease)).await;
        if put == Err(KvError::LeaseGone) {
            own.lease = None;
        }
        own.heartbeat_revision = Some(put?);
        Ok(())
    }

    async fn write_record(&self, own: &mut Own, stored: Option<Record>) -> Result<(), KvError> {
        let state = *self.wanted.borrow();
        let last = own.record.as_ref();
        let mut record = last.cloned().unwrap_or_else(|| self.first_record(stored.as_ref()));
        record.state = state;
        record.holds_data |= state != State::Joining;
        let unchanged = last == Some(&record) && stored == own.record;
        if !unchanged {
            if let (Some(last), Some(other)) = (last, &stored)
                && other.generation > last.generation
            {
                tracing::error!(
                    id = &*record.id,
                    address = other.address,
                    "another instance writes our record"
                );
            }
            let newest = record.generation.max(stored.map_or(0, |stored| stored.generation));
            record.generation = self.clock.now_ms().max(newest + 1);
            self.kv.put(&self.keys.record(&record.id), record.to_bytes(), None).await?;
            own.record = Some(record);
        }
        self.written.send_if_modified(|written| written.replace(state) != Some(state));
        Ok(())
    }

    /// What we start as, given the record of our life before this one.
    fn first_record(&self, earlier: Option<&Record>) -> Record {
        let now_ms = self.clock.now_ms();
        let mut lost_until_ms = earlier.map_or(0, |e| e.lost_until_ms).max(0);
        if lost_until_ms <= now_ms {
            lost_until_ms = 0;
        }
        let mut holds_data = self.disk.holds_data;
        match earlier {
            Some(earlier) if earlier.disk == self.disk.id => holds_data = true,
            Some(earlier) if earlier.holds_data => {
                lost_until_ms = now_ms + self.config.forget_after().as_millis() as i64;
                tracing::warn!(
                    id = self.config.instance_id,
                    disk = earlier.disk,
                    "the data of our last run is lost: until its peers have flushed it, reads reckon with that"
                );
            }
            _ => {}
        }
        Record {
            version: Record::VERSION,
            id: self.config.instance_id.as_str().into(),
            address: self.config.advertise.clone(),
            zone: self.config.zone.clone(),
            state: State::Joining,
            disk: self.disk.id.clone(),
            holds_data,
            lost_until_ms,
            generation: 0,
        }
    }
}

impl fmt::Debug for Lifecycler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycler").field("id", &self.shared.config.instance_id).finish_non_exhaustive()
    }
}
