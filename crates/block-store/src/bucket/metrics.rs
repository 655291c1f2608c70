//! What the bucket is asked for: the requests that are paid for, and their bytes.

use crate::error::from_store;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use service_api::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

/// Cheap to clone; clones share their values.
#[derive(Clone, Debug, Default)]
pub(super) struct BucketMetrics {
    requests: Family<Operation, Counter>,
    failures: Family<Operation, Counter>,
    pub(super) read: Counter,
    pub(super) written: Counter,
}

impl BucketMetrics {
    /// Adds them to a registry, under `yagura_bucket_…`.
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_bucket");
        let Self { requests, failures, read, written } = self.clone();
        let help =
            "Requests to object storage by operation; a listing counts once, however many pages it has";
        registry.register("requests", help, requests);
        registry.register("failures", "Requests to object storage that failed", failures);
        registry.register("read_bytes", "Bytes of objects that were read", read);
        registry.register("written_bytes", "Bytes of objects that were written", written);
    }

    /// Counts a request that is about to be sent.
    pub(super) fn request(&self, operation: &'static str) {
        self.requests.get_or_create(&Operation { operation }).inc();
        // It begins at 0, so that the first failure is an increase.
        drop(self.failures.get_or_create(&Operation { operation }));
    }

    /// The result of a request, counted if it is a failure; that there is no such object is none.
    pub(super) fn result<T>(&self, operation: &'static str, result: object_store::Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|e| !matches!(e, object_store::Error::NotFound { .. })) {
            self.failures.get_or_create(&Operation { operation }).inc();
        }
        result.map_err(|e| from_store(&e))
    }
}
