//! A load balancer as those who write and read see it.

use std::sync::{Arc, Mutex};

/// The servers that were ready when they were last looked at. That one has died since is found out by
/// who connects to it.
#[derive(Clone, Debug, Default)]
pub struct Balancer(Arc<Mutex<Vec<String>>>);

impl Balancer {
    /// A server at `base` is ready.
    pub fn add(&self, base: &str) {
        let mut all = self.0.lock().unwrap();
        if !all.iter().any(|other| other == base) {
            all.push(base.to_owned());
        }
    }

    /// It is known not to be ready.
    pub fn remove(&self, base: &str) {
        self.0.lock().unwrap().retain(|other| other != base);
    }

    /// This server and no other one.
    pub fn set(&self, base: &str) {
        *self.0.lock().unwrap() = vec![base.to_owned()];
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
