//! Ledgers that send all the time, whether anybody listens or not.

use crate::{balancer::Balancer, http::Http, ledger::Ledger};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

#[derive(Debug)]
pub struct Senders {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Ledger>>,
}

impl Senders {
    /// Each ledger is a sender of its own, which pauses so long after each answer. They send as soon as
    /// `balancer` has a server.
    pub fn start(ledgers: Vec<Ledger>, balancer: &Balancer, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = ledgers.into_iter().map(|mut ledger| {
            let (balancer, stop, http) = (balancer.clone(), Arc::clone(&stop), Http::default());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let to = balancer.all();
                    if to.is_empty() {
                        sleep(Duration::from_millis(10)).await;
                    } else {
                        ledger.send_to_one_of(&http, &to).await;
                        sleep(pause).await;
                    }
                }
                ledger
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    pub async fn finish(self) -> Vec<Ledger> {
        self.stop.store(true, Ordering::SeqCst);
        let mut ledgers = Vec::new();
        for task in self.tasks {
            ledgers.push(task.await.unwrap());
        }
        ledgers
    }
}
