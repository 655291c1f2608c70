//! Ledgers that send all the time, whether anybody listens or not.

use crate::{http::Http, ledger::Ledger};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

#[derive(Debug)]
pub struct Senders {
    targets: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Ledger>>,
}

impl Senders {
    /// Each ledger is a sender of its own, which pauses so long after each answer. They send once
    /// [`Self::send_to`] has said where to.
    pub fn start(ledgers: Vec<Ledger>, pause: Duration) -> Self {
        let (targets, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let tasks = ledgers.into_iter().map(|mut ledger| {
            let (targets, stop, http) = (Arc::clone(&targets), Arc::clone(&stop), Http::default());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let to = targets.lock().unwrap().clone();
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
        Self { targets, stop, tasks }
    }

    /// Addresses that are all the same to the senders.
    pub fn send_to(&self, targets: &[String]) {
        *self.targets.lock().unwrap() = targets.to_owned();
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
