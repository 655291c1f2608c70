//! The applier: tells the records, in log order, while the writer is at the next group.

use std::sync::mpsc::Receiver;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Position, Record, WalError};

/// What has become of something that was queued.
pub(super) enum Told {
    Record {
        record: Box<dyn Record>,
        permit: Option<OwnedSemaphorePermit>,
        result: Result<Position, WalError>,
    },
    Cut {
        reply: oneshot::Sender<Result<u64, WalError>>,
        result: Result<u64, WalError>,
    },
}

impl Told {
    pub(super) fn tell(self) {
        match self {
            Self::Record { record, permit, result } => {
                record.committed(result);
                drop(permit);
            }
            Self::Cut { reply, result } => {
                // Whoever asked may have gone.
                let _ = reply.send(result);
            }
        }
    }
}

/// Where the writer's thread is the applier's, too.
pub(super) fn at_once(group: Vec<Told>) -> bool {
    group.into_iter().for_each(Told::tell);
    true
}

/// Until the writer is gone. `done` is called behind each group.
pub(super) fn run(groups: &Receiver<Vec<Told>>, done: impl Fn()) {
    for group in groups {
        group.into_iter().for_each(Told::tell);
        done();
    }
}
