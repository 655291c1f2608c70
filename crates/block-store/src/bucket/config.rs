//! Where the bucket is and how to get in.

use super::Bucket;
use crate::error::from_store;
use object_store::{ClientOptions, aws::AmazonS3Builder, local::LocalFileSystem};
use runtime::Secret;
use serde::{Deserialize, Serialize};
use service_api::{Error, Result};
use std::{sync::Arc, time::Duration};

/// A request that has not ended by then is tried again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The bucket of all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketConfig {
    /// `file:` and a folder, or `s3://` and the bucket's name, with a prefix behind a `/` if wanted.
    pub url: String,
}

impl Default for BucketConfig {
    fn default() -> Self {
        Self { url: "file:./data/bucket".to_owned() }
    }
}

/// How to reach S3, for `s3://` buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Config {
    /// The address of a store that is not AWS's, as a URL; an `http` URL is used unencrypted.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<Secret>,
}

impl BucketConfig {
    /// Opens the bucket; a local folder is made if it is missing.
    pub fn open(&self, s3: &S3Config) -> Result<Bucket> {
        if let Some(folder) = self.url.strip_prefix("file:") {
            open_folder(folder)
        } else if let Some(name) = self.url.strip_prefix("s3://") {
            let (name, prefix) = name.split_once('/').unwrap_or((name, ""));
            open_s3(name, prefix, s3)
        } else {
            let message = format!("bucket.url: neither file:… nor s3://…: {:?}", self.url);
            Err(Error::bad_request(message))
        }
    }
}

fn open_folder(folder: &str) -> Result<Bucket> {
    let folder = match folder.strip_prefix("//") {
        // file:///path: an absolute path behind an empty host.
        Some(path) if path.starts_with('/') => path,
        _ => folder,
    };
    if folder.is_empty() {
        return Err(Error::bad_request("bucket.url: file: without a folder"));
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::unavailable(format!("bucket.url: cannot make the folder {folder:?}: {e}")))?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| from_store(&e))?;
    // Atomic by rename; with_fsync syncs the file and its folder before a put returns.
    Ok(Bucket::new(Arc::new(store.with_fsync(true)), ""))
}

fn open_s3(name: &str, prefix: &str, s3: &S3Config) -> Result<Bucket> {
    let plain = s3.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
    let options = ClientOptions::new().with_timeout(REQUEST_TIMEOUT);
    // What is not configured comes from the environment, as with the AWS command line.
    let mut builder = AmazonS3Builder::from_env()
        .with_client_options(options)
        .with_bucket_name(name)
        .with_allow_http(plain);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    if let Some(id) = &s3.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = &s3.secret_access_key {
        builder = builder.with_secret_access_key(secret.reveal());
    }
    let store = builder.build().map_err(|e| Error::bad_request(format!("bucket.url: {}", from_store(&e))))?;
    Ok(Bucket::new(Arc::new(store), prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret_access_key = Some(Secret::new("hunter2"));
        let config = S3Config { secret_access_key, ..S3Config::default() };
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn an_url_of_another_kind_is_refused() {
        for url in ["gs://x", "", "/x", "file:"] {
            assert!(BucketConfig { url: url.to_owned() }.open(&S3Config::default()).is_err(), "{url}");
        }
    }
}
