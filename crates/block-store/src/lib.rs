//! Blocks and manifests in object storage.
