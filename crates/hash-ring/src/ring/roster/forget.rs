//! Which dead members may be forgotten, and under which conditions.

use super::Roster;
use crate::{Guard, keys::Keys};
use service_api::{Code, Error, Result};
use std::{cmp::Reverse, sync::Arc, time::Duration};

impl Roster {
    /// A member that has been dead for so long that its peers must have flushed what it held.
    pub fn forgettable(&self, keys: &Keys, now: Duration) -> Option<(Arc<str>, Vec<Guard>)> {
        let long_dead = self
            .known
            .iter()
            .filter(|(_, known)| known.dead_since.is_some_and(|since| now >= since + self.forget_after));
        // All take the first by name: the next one only when they have seen this one go.
        let (id, _) = long_dead.into_iter().next()?;
        Some((id.clone(), self.guards_to_forget(id, keys).ok()?))
    }

    /// What must hold in the store when the member's record is deleted: it has not come back, and
    /// as many others as the replication factor are there. Those are named one by one, so that two
    /// who forget two members at once cannot go below it together.
    pub fn guards_to_forget(&self, id: &str, keys: &Keys) -> Result<Vec<Guard>> {
        let unsettled = !self.connected || self.known.values().any(|known| known.vanished());
        if unsettled {
            return Err(Error::unavailable("the ring's store cannot be relied on at present"));
        }
        let known = self.known.get(id);
        let known =
            known.ok_or_else(|| Error::new(Code::NotFound, format!("the ring has no member {id:?}")))?;
        if known.healthy || self.alive.contains(id) {
            return Err(Error::bad_request(format!("{id:?} lives: stop it first")));
        }
        let mut others: Vec<_> = self.counted().filter(|(other, _)| &***other != id).collect();
        if others.len() < self.replication_factor {
            return Err(Error::bad_request(format!(
                "without {id:?} there would be {} members, fewer than the replication factor of {}",
                others.len(),
                self.replication_factor
            )));
        }
        others.sort_by_key(|(other, known)| (Reverse(known.healthy), (*other).clone()));
        let others = others.into_iter().take(self.replication_factor);
        let others = others.map(|(id, known)| Guard { key: keys.record(id), mod_revision: known.revision });
        let own = [
            Guard { key: keys.record(id), mod_revision: known.revision },
            Guard { key: keys.heartbeat(id), mod_revision: 0 },
        ];
        Ok(own.into_iter().chain(others).collect())
    }
}
