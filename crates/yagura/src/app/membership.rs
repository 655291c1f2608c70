//! Our own places in the rings: taken when we are ready, given up when we go.

use super::cluster::Cluster;
use crate::target::{Role, Targets};
use hash_ring::{Disk, Lifecycler, State};
use http_api::Action;
use ingester::Ingester;
use runtime::Supervisor;
use service_api::{Error, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long the ring's store may take to note that we leave.
const NOTED_WITHIN: Duration = Duration::from_secs(30);

/// Our places, one a role.
pub struct Memberships {
    /// Of roles that hold nothing: they leave when they stop.
    light: Vec<(Role, Lifecycler)>,
    ingester: Option<Lifecycler>,
    ready: Arc<AtomicBool>,
}

impl Memberships {
    pub fn new(cluster: &Cluster, targets: Targets, ingester: Option<&Ingester>) -> Self {
        let light = Role::ALL.into_iter().filter(|role| *role != Role::Ingester && targets.has(*role));
        let light = light.filter_map(|role| Some((role, cluster.membership(role, Disk::default())?)));
        let disk = |ingester: &Ingester| Disk { id: ingester.disk_id().to_string(), holds_data: true };
        Self {
            light: light.collect(),
            ingester: ingester.and_then(|i| cluster.membership(Role::Ingester, disk(i))),
            ready: Arc::default(),
        }
    }

    /// Ready, or what is still missing.
    pub fn readiness(&self) -> Arc<dyn Fn() -> std::result::Result<(), String> + Send + Sync> {
        let ready = Arc::clone(&self.ready);
        Arc::new(move || match ready.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err("waiting for the ring: its store has not been reached yet".to_owned()),
        })
    }

    /// For an ingester that goes for good: everything into blocks, out of the ring, then `stop`. `lists_within`
    /// is how old the lists of blocks may be that queriers read by.
    pub fn leave(
        &self,
        ingester: Option<&Arc<Ingester>>,
        lists_within: Duration,
        stop: &CancellationToken,
    ) -> Option<Action> {
        let (ingester, place) = (Arc::clone(ingester?), self.ingester.clone()?);
        let stop = stop.clone();
        Some(Arc::new(move || {
            let (ingester, place, stop) = (Arc::clone(&ingester), place.clone(), stop.clone());
            // A task of its own: whoever asked may go away, what was begun goes on.
            let leaving = tokio::spawn(async move {
                leave(&ingester, &place, lists_within).await?;
                stop.cancel();
                Ok(())
            });
            Box::pin(async move { leaving.await.map_err(|e| Error::internal(e.to_string()))? })
        }))
    }

    /// Takes our places. By then our server has to answer.
    pub fn spawn(self, cluster: &Cluster, services: &mut Supervisor) {
        let places: Vec<Lifecycler> =
            self.light.iter().map(|(_, place)| place).chain(&self.ingester).cloned().collect();
        for place in &places {
            place.activate();
        }
        if let Some(place) = self.ingester {
            services.spawn(membership_service(Role::Ingester), |drain| async move { place.run(drain).await });
        }
        for (role, place) in self.light {
            services.spawn(membership_service(role), |drain| async move {
                place.run(drain.clone()).await?;
                if let Err(error) = place.leave(true).await {
                    tracing::warn!(%error, "our place in the ring was not given up; it will be forgotten");
                }
                Ok::<(), Error>(())
            });
        }
        let (rings, ready) = (cluster.rings().map(|(_, ring)| ring.clone()), self.ready);
        tokio::spawn(async move {
            for ring in &rings {
                ring.listed().await;
            }
            for place in &places {
                place.written().await;
            }
            ready.store(true, Ordering::Release);
        });
    }
}

fn membership_service(role: Role) -> &'static str {
    match role {
        Role::Ingester => "membership-ingester",
        Role::Distributor => "membership-distributor",
        Role::Querier => "membership-querier",
        Role::Compactor => "membership-compactor",
        Role::Ruler => "membership-ruler",
    }
}

async fn leave(ingester: &Arc<Ingester>, place: &Lifecycler, lists_within: Duration) -> Result<()> {
    tracing::info!("leaving the ring: everything goes to the bucket");
    place.set_state(State::Leaving);
    let noted = tokio::time::timeout(NOTED_WITHIN, place.written()).await;
    noted.map_err(|_| {
        Error::unavailable("the ring's store does not answer: nobody would know that we leave")
    })?;
    ingester.leave().await?;
    // Until then somebody may still read by a list that has not all of our blocks, and must find us.
    tokio::time::sleep(lists_within).await;
    place.leave(true).await?;
    tracing::info!("left the ring");
    Ok(())
}
