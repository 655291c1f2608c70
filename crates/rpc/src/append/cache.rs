//! One encoding for all ingesters that are sent the same part of a batch at the same time.

use bytes::Bytes;
use parking_lot::Mutex;
use service_api::{Result, Wanted};
use std::sync::{Arc, OnceLock, Weak};

/// Encodings of calls that are under way. They live as long as one of those calls, so there are
/// never more than calls.
pub struct EncodedCache<B> {
    under_way: Mutex<Vec<Weak<Encoded<B>>>>,
}

/// A part of a batch, by identity, and its bytes. A weak reference keeps the address from being
/// used again, and the batch itself may go.
pub struct Encoded<B> {
    batch: Weak<B>,
    keys: Option<Weak<[u32]>>,
    bytes: OnceLock<Result<Bytes>>,
}

impl<B> Default for EncodedCache<B> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<B> EncodedCache<B> {
    /// The entry for this part of the batch. Keep it while the call lasts, so that others find it.
    pub fn get(&self, batch: &Arc<B>, which: &Wanted) -> Arc<Encoded<B>> {
        let keys = match which {
            Wanted::All => None,
            Wanted::Keys(keys) => Some(Arc::downgrade(keys)),
            // Named series differ from one ingester to the next.
            Wanted::Named(_) => return Arc::new(Encoded::new(batch, None)),
        };
        let wanted = Encoded::new(batch, keys);
        let mut under_way = self.under_way.lock();
        under_way.retain(|entry| entry.strong_count() > 0);
        if let Some(entry) = under_way.iter().filter_map(Weak::upgrade).find(|entry| entry.is_same(&wanted)) {
            return entry;
        }
        let entry = Arc::new(wanted);
        under_way.push(Arc::downgrade(&entry));
        entry
    }
}

impl<B> Encoded<B> {
    fn new(batch: &Arc<B>, keys: Option<Weak<[u32]>>) -> Self {
        Self { batch: Arc::downgrade(batch), keys, bytes: OnceLock::new() }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.batch.ptr_eq(&other.batch)
            && match (&self.keys, &other.keys) {
                (None, None) => true,
                (Some(a), Some(b)) => a.ptr_eq(b),
                _ => false,
            }
    }

    /// The bytes; `encode` is called by the first one that asks.
    pub fn bytes(&self, encode: impl FnOnce() -> Result<Bytes>) -> Result<Bytes> {
        self.bytes.get_or_init(encode).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_part_is_encoded_once_while_it_is_under_way() {
        let cache = EncodedCache::<u8>::default();
        let (batch, keys): (_, Arc<[u32]>) = (Arc::new(1), [1, 2].into());
        let first = cache.get(&batch, &Wanted::Keys(Arc::clone(&keys)));
        let bytes = first.bytes(|| Ok(Bytes::from_static(b"x"))).unwrap();
        let again = cache.get(&batch, &Wanted::Keys(Arc::clone(&keys)));
        assert_eq!(again.bytes(|| unreachable!()).unwrap(), bytes);
        let others = [
            cache.get(&batch, &Wanted::All),
            cache.get(&batch, &Wanted::Keys([1, 2].into())),
            cache.get(&Arc::new(1), &Wanted::Keys(Arc::clone(&keys))),
            cache.get(&batch, &Wanted::Named(Vec::new())),
        ];
        assert!(others.iter().all(|other| other.bytes.get().is_none()));
        drop((first, again, others));
        assert!(cache.get(&batch, &Wanted::Keys(keys)).bytes.get().is_none());
        assert_eq!(cache.under_way.lock().len(), 1);
    }
}
