//! Our own places in the rings: taken when we are ready, given up when we go.

use super::{cluster::Cluster, departure::Departure};
use crate::target::{Role, Targets};
use hash_ring::{Disk, Lifecycler};
use ingester::Ingester;
use runtime::Supervisor;
use service_api::Error;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

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
    pub fn readiness(&self) -> Arc<dyn Fn() -> Result<(), String> + Send + Sync> {
        let ready = Arc::clone(&self.ready);
        Arc::new(move || match ready.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err("waiting for the ring: its store has not been reached yet".to_owned()),
        })
    }

    /// How our ingester goes for good, if there is one.
    pub fn departure(
        &self,
        ingester: Option<&Arc<Ingester>>,
        data: &Path,
        stop: &CancellationToken,
    ) -> Option<Arc<Departure>> {
        let (ingester, place) = (Arc::clone(ingester?), self.ingester.clone()?);
        Some(Arc::new(Departure::new(ingester, place, data, stop.clone())))
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
