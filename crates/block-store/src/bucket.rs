//! The bucket: a narrow, checked view of an object store, under one prefix.

mod config;
mod metrics;
mod upload;

pub use config::{BucketConfig, S3Config};
pub(crate) use upload::PART_BYTES;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use metrics::BucketMetrics;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    path::Path,
};
use prometheus_client::registry::Registry;
use service_api::{Error, Result};
use std::{future::Future, ops::Range, sync::Arc, time::Duration};

/// A write that has not ended by then has failed: whoever writes still has what it wrote.
const WRITE_LIMIT: Duration = Duration::from_secs(300);

/// Where objects are kept. Cloning it counts a reference. Names are paths below the prefix, with `/`
/// between segments.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    metrics: BucketMetrics,
}

/// One object, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The last segment of its name.
    pub name: String,
    pub size: u64,
    /// Milliseconds since the Unix epoch, by the bucket's clock.
    pub modified: i64,
    /// Changes whenever the content does, where the store has such a thing.
    pub tag: Option<String>,
}

impl ObjectInfo {
    fn new(name: &str, meta: &ObjectMeta) -> Self {
        Self {
            name: name.to_owned(),
            size: meta.size,
            modified: meta.last_modified.timestamp_millis(),
            tag: meta.e_tag.clone(),
        }
    }
}

impl Bucket {
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        let metrics = BucketMetrics::default();
        Self { store, prefix: prefix.trim_matches('/').to_owned(), metrics }
    }

    /// Adds what this and its clones count to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    fn path(&self, name: &str) -> Path {
        Path::from_iter(self.prefix.split('/').chain(name.split('/')).filter(|part| !part.is_empty()))
    }

    /// Writes an object or replaces it. When this returns it is durable.
    pub async fn put(&self, name: &str, parts: Vec<Bytes>) -> Result<()> {
        self.metrics.request("put");
        self.metrics.written.inc_by(parts.iter().map(|part| part.len() as u64).sum());
        let payload = PutPayload::from_iter(parts);
        let done = in_time(self.store.put(&self.path(name), payload)).await?;
        self.metrics.result("put", done).map(|_| ())
    }

    /// Writes an object unless there is one of that name; false if there is. Of several
    /// who try at once, one gets true.
    pub async fn put_new(&self, name: &str, data: Bytes) -> Result<bool> {
        self.metrics.request("put_new");
        self.metrics.written.inc_by(data.len() as u64);
        let options = PutOptions::from(PutMode::Create);
        match in_time(self.store.put_opts(&self.path(name), data.into(), options)).await? {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(e) => self.metrics.result("put_new", Err(e)),
        }
    }

    /// A whole object; `Code::NotFound` if there is none.
    pub async fn get(&self, name: &str) -> Result<Bytes> {
        self.metrics.request("get");
        let found = self.metrics.result("get", self.store.get(&self.path(name)).await)?;
        let bytes = self.metrics.result("get", found.bytes().await)?;
        self.metrics.read.inc_by(bytes.len() as u64);
        Ok(bytes)
    }

    /// How many bytes an object has.
    pub(crate) async fn size(&self, name: &str) -> Result<u64> {
        self.metrics.request("head");
        self.metrics.result("head", self.store.head(&self.path(name)).await).map(|meta| meta.size)
    }

    /// A part of an object. It is an error if the object does not reach that far.
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        self.get_part(name, range, None).await
    }

    /// A part of an object, which must be `size` bytes long if that is given.
    pub(crate) async fn get_part(&self, name: &str, range: Range<u64>, size: Option<u64>) -> Result<Bytes> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        self.metrics.request("get_range");
        let found = self.store.get_opts(&self.path(name), options).await;
        let found = self.metrics.result("get_range", found)?;
        if let Some(size) = size.filter(|size| *size != found.meta.size) {
            let why = format!("the object has {} bytes and not {size}", found.meta.size);
            return Err(crate::error::corrupt(name, why));
        }
        let bytes = self.metrics.result("get_range", found.bytes().await)?;
        self.metrics.read.inc_by(bytes.len() as u64);
        if bytes.len() as u64 != range.end - range.start {
            return Err(crate::error::corrupt(name, "the object is shorter than it should be"));
        }
        Ok(bytes)
    }

    /// The objects directly in a folder, by name.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        self.collect(folder, self.store.list(Some(&self.path(folder)))).await
    }

    /// The objects directly in a folder whose names come after `after`, by name.
    pub async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>> {
        let (folder_path, offset) = (self.path(folder), self.path(&format!("{folder}/{after}")));
        self.collect(folder, self.store.list_with_offset(Some(&folder_path), &offset)).await
    }

    async fn collect(
        &self,
        folder: &str,
        listing: BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> Result<Vec<ObjectInfo>> {
        self.metrics.request("list");
        let depth = self.path(folder).parts().count();
        let direct = listing.try_filter_map(|meta| {
            let names: Vec<_> = meta.location.parts().skip(depth).collect();
            let info = match names.as_slice() {
                [name] => Some(ObjectInfo::new(name.as_ref(), &meta)),
                _ => None,
            };
            std::future::ready(Ok(info))
        });
        let mut found: Vec<_> = self.metrics.result("list", direct.boxed().try_collect().await)?;
        found.sort_by(|a: &ObjectInfo, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// All objects below a folder, however deep, each with the folders between.
    pub async fn tree(&self, folder: &str) -> Result<Vec<(Vec<String>, ObjectInfo)>> {
        self.metrics.request("list");
        let path = self.path(folder);
        let depth = path.parts().count();
        let below = self.store.list(Some(&path)).try_filter_map(|meta| {
            let mut names: Vec<_> =
                meta.location.parts().skip(depth).map(|part| decode_name(part.as_ref())).collect();
            let name = names.pop();
            std::future::ready(Ok(name.map(|name| (names, ObjectInfo::new(&name, &meta)))))
        });
        self.metrics.result("list", below.boxed().try_collect().await)
    }

    /// The folders directly in a folder.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        self.metrics.request("list");
        let listed = self.metrics.result("list", self.store.list_with_delimiter(Some(&path)).await)?;
        let name = |path: &Path| path.filename().map(decode_name);
        Ok(listed.common_prefixes.iter().filter_map(name).collect())
    }

    /// Removes an object; it is no error if there is none.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.metrics.request("delete");
        match self.store.delete(&self.path(name)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            done => self.metrics.result("delete", done),
        }
    }
}

async fn in_time<T>(write: impl Future<Output = T>) -> Result<T> {
    let late = |_| Error::unavailable(format!("object storage: not written in {WRITE_LIMIT:?}"));
    tokio::time::timeout(WRITE_LIMIT, write).await.map_err(late)
}

/// `object_store` writes characters that some stores do not take as `%` and two digits.
fn decode_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                out.push(byte as char);
                rest = &after[2..];
            }
            _ => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}
