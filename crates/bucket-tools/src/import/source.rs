//! Where blocks of others are: a folder or a bucket.

use super::{block::SourceBlock, is_local};
use anyhow::{Context, Result, bail};
use block_store::{Bucket, BucketConfig, S3Config, Ulid};
use service_api::Code;
use std::{collections::HashSet, fs, path::Path};

pub struct Source {
    bucket: Bucket,
    from: String,
}

impl Source {
    pub async fn open(from: &str, s3: &S3Config) -> Result<Self> {
        let path = from.strip_prefix("file:").unwrap_or(from);
        let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        let url = if from.starts_with("file:") || is_local(from) {
            // Whatever is opened as a bucket is made if it is missing.
            if !Path::new(path).is_dir() {
                bail!("there is no folder {path}: a folder with blocks, or s3://BUCKET/PREFIX, is wanted");
            }
            let path = fs::canonicalize(path).with_context(|| format!("cannot find {path}"))?;
            format!("file:{}", path.display())
        } else if from.starts_with("s3://") {
            from.to_owned()
        } else {
            bail!("{from} is neither a folder nor s3://BUCKET/PREFIX");
        };
        let bucket = BucketConfig { url }.open(s3).with_context(|| format!("cannot open {from}"))?;
        Ok(Self { bucket, from: from.to_owned() })
    }

    /// The blocks that are here, the oldest first: this may be one itself, or they are folders of it. `only`
    /// those, if any are named.
    pub async fn blocks(&self, only: &[String]) -> Result<Vec<SourceBlock>> {
        let wanted = |ulid: &str| only.is_empty() || only.iter().any(|name| name == ulid);
        if let Some(block) = SourceBlock::find(&self.bucket, "", false).await? {
            return self.all(only, vec![block].into_iter().filter(|block| wanted(block.ulid())).collect());
        }
        let folders = self.bucket.folders("").await;
        let folders = folders.with_context(|| format!("cannot list {}", self.from))?;
        let marked = self.marked(&folders).await?;
        let mut blocks = Vec::new();
        let named = |name: &&String| Ulid::from_string(name).is_ok() && wanted(name);
        for name in folders.iter().filter(named) {
            blocks.extend(SourceBlock::find(&self.bucket, name, marked.contains(name.as_str())).await?);
        }
        if blocks.is_empty() && only.is_empty() {
            self.hint(&folders).await?;
        }
        blocks.sort_by(|a, b| (a.meta.min_time, a.ulid()).cmp(&(b.meta.min_time, b.ulid())));
        self.all(only, blocks)
    }

    /// These blocks, if all that were named are among them.
    fn all(&self, only: &[String], blocks: Vec<SourceBlock>) -> Result<Vec<SourceBlock>> {
        match only.iter().find(|name| !blocks.iter().any(|block| block.ulid() == *name)) {
            Some(missing) => bail!("there is no block {missing} in {}", self.from),
            None => Ok(blocks),
        }
    }

    /// Cortex and Mimir gather the marks of blocks that are to be deleted in a folder beside the blocks.
    async fn marked(&self, folders: &[String]) -> Result<HashSet<String>> {
        if !folders.iter().any(|name| name == "markers") {
            return Ok(HashSet::new());
        }
        let marks = self.bucket.list("markers").await?;
        let ulid = |name: &str| name.strip_suffix("-deletion-mark.json").map(str::to_owned);
        Ok(marks.iter().filter_map(|mark| ulid(&mark.name)).collect())
    }

    /// Whoever names a bucket of many tenants wants one of its folders.
    async fn hint(&self, folders: &[String]) -> Result<()> {
        let mut with_blocks = Vec::new();
        for folder in folders.iter().take(50) {
            let below = self.bucket.folders(folder).await?;
            if below.iter().any(|name| Ulid::from_string(name).is_ok()) {
                with_blocks.push(folder.as_str());
            }
        }
        let from = self.from.trim_end_matches('/');
        match with_blocks.as_slice() {
            [] => bail!("there are no blocks in {from}: each is a folder with a meta.json, named by a ULID"),
            [first, ..] => bail!(
                "there are no blocks in {from} itself, but in its folders {}: name one of them, such as {from}/{first}",
                with_blocks.join(", ")
            ),
        }
    }
}

/// Whether there is no such object, if that is all.
pub fn absent<T>(found: service_api::Result<T>) -> service_api::Result<Option<T>> {
    match found {
        Err(error) if error.code == Code::NotFound => Ok(None),
        found => found.map(Some),
    }
}
