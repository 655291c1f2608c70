//! Rule groups in the bucket: each group an object.
//!
//! They lie under `@rules/TENANT/NAMESPACE/GROUP`, beside the tenants' folders and not in them, so that one list
//! tells what all tenants have; no tenant's name begins with `@`. Namespace and group are written in base64 of
//! the alphabet for URLs: whatever a name is, it is one segment, and no two names are one.

use super::Catalogue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use block_store::{Bucket, ObjectInfo};
use futures::{StreamExt, stream};
use model::TenantId;
use parking_lot::Mutex;
use rules::{Reading, RuleGroup, StoredGroup, read_group, write_group};
use service_api::{Code, Result};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

const FOLDER: &str = "@rules";

/// The object, beside namespaces' folders, that says where a tenant's Alertmanagers are.
const ALERTING: &str = "alertmanagers";

/// Objects that are read at once.
const READS_AT_ONCE: usize = 16;

pub struct BucketRules {
    bucket: Bucket,
    reading: Reading,
    /// What was read, by the object's name.
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    object: ObjectInfo,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Group(TenantId, Arc<StoredGroup>),
    Alerting(TenantId, String),
    /// Somebody has put something there that is none of ours.
    Unknown,
}

/// What an object is, by where it lies.
enum Place {
    Group { namespace: String, group: String },
    Alerting,
}

impl BucketRules {
    pub fn new(bucket: Bucket, reading: Reading) -> Self {
        Self { bucket, reading, known: Mutex::default() }
    }

    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    pub async fn all(&self) -> Result<Catalogue> {
        Ok(catalogue(self.read(FOLDER).await?))
    }

    /// All that was there when it was last looked at.
    pub fn known(&self) -> Catalogue {
        catalogue(self.known.lock().values().map(|known| known.content.clone()))
    }

    /// The groups of one tenant, as they are at this moment.
    pub async fn of(&self, tenant: &TenantId) -> Result<Vec<Arc<StoredGroup>>> {
        let found = self.read(&format!("{FOLDER}/{tenant}")).await?;
        let group = |content| match content {
            Content::Group(_, group) => Some(group),
            _ => None,
        };
        Ok(found.into_iter().filter_map(group).collect())
    }

    /// What lies below a folder; only what has changed is read, and what is not there any more is forgotten.
    async fn read(&self, folder: &str) -> Result<Vec<Content>> {
        let listed = self.bucket.tree(folder).await?;
        let objects: Vec<(String, ObjectInfo)> = listed
            .into_iter()
            .map(|(folders, object)| {
                let path = folders.iter().fold(folder.to_owned(), |path, name| format!("{path}/{name}"));
                (format!("{path}/{}", object.name), object)
            })
            .collect();
        let changed: Vec<(String, ObjectInfo)> = {
            let mut known = self.known.lock();
            let there: HashSet<&str> = objects.iter().map(|(name, _)| &**name).collect();
            let is_below = |name: &str| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            known.retain(|name, _| there.contains(name.as_str()) || !is_below(name));
            let is_known = |(name, object): &&(String, ObjectInfo)| {
                known.get(name).is_some_and(|known| known.object == *object)
            };
            objects.iter().filter(|object| !is_known(object)).cloned().collect()
        };
        let reads = changed.into_iter().map(|(name, object)| self.read_one(name, object));
        stream::iter(reads).buffer_unordered(READS_AT_ONCE).collect::<()>().await;
        let known = self.known.lock();
        Ok(objects.iter().filter_map(|(name, _)| Some(known.get(name)?.content.clone())).collect())
    }

    /// What cannot be read stays what it was, and is tried again the next time.
    async fn read_one(&self, name: String, object: ObjectInfo) {
        let bytes = match self.bucket.get(&name).await {
            Ok(bytes) => bytes,
            // It has been removed since.
            Err(error) if error.code == Code::NotFound => return drop(self.known.lock().remove(&name)),
            Err(error) => return tracing::warn!(object = name, %error, "rules in the bucket cannot be read"),
        };
        let understood = self.understand(&name, &bytes);
        let mut known = self.known.lock();
        match understood {
            Ok(content) => drop(known.insert(name, Known { object, content })),
            Err(why) => {
                tracing::error!(
                    object = name,
                    why,
                    "rules in the bucket cannot be used; what they were before stays"
                );
                let known = known
                    .entry(name)
                    .or_insert_with(|| Known { object: object.clone(), content: Content::Unknown });
                known.object = object;
            }
        }
    }

    fn understand(&self, name: &str, bytes: &[u8]) -> Result<Content, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let (tenant, place) = place(name).ok_or("no object of rules has such a name")?;
        let (namespace, group) = match place {
            Place::Alerting => return Ok(Content::Alerting(tenant, text.to_owned())),
            Place::Group { namespace, group } => (namespace, group),
        };
        let read = read_group(text, &self.reading);
        let found = read.map_err(|problems| match problems.first() {
            Some(problem) => problem.to_string(),
            None => "no group".to_owned(),
        })?;
        if found.name != group {
            return Err(format!("the group is called {:?} and lies at the place of {group:?}", found.name));
        }
        let stored = StoredGroup { namespace, group: found, is_fixed: false };
        Ok(Content::Group(tenant, Arc::new(stored)))
    }

    pub async fn put(&self, tenant: &TenantId, namespace: &str, group: &RuleGroup) -> Result<()> {
        let text = write_group(group);
        self.bucket.put(&object(tenant, namespace, &group.name), vec![text.into()]).await
    }

    pub async fn delete(&self, tenant: &TenantId, namespace: &str, group: &str) -> Result<()> {
        self.bucket.delete(&object(tenant, namespace, group)).await
    }

    pub async fn alerting(&self, tenant: &TenantId) -> Result<Option<String>> {
        match self.bucket.get(&format!("{FOLDER}/{tenant}/{ALERTING}")).await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.code == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn set_alerting(&self, tenant: &TenantId, yaml: Option<&str>) -> Result<()> {
        let name = format!("{FOLDER}/{tenant}/{ALERTING}");
        match yaml {
            Some(yaml) => self.bucket.put(&name, vec![yaml.to_owned().into()]).await,
            None => self.bucket.delete(&name).await,
        }
    }
}

fn object(tenant: &TenantId, namespace: &str, group: &str) -> String {
    let [namespace, group] = [namespace, group].map(|name| BASE64_URL_SAFE_NO_PAD.encode(name));
    format!("{FOLDER}/{tenant}/{namespace}/{group}")
}

fn place(object: &str) -> Option<(TenantId, Place)> {
    let decode = |name: &str| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(name).ok()?).ok();
    let parts: Vec<&str> = object.strip_prefix(FOLDER)?.strip_prefix('/')?.split('/').collect();
    match parts.as_slice() {
        [tenant, ALERTING] => Some((TenantId::new(tenant).ok()?, Place::Alerting)),
        [tenant, namespace, group] => {
            let place = Place::Group { namespace: decode(namespace)?, group: decode(group)? };
            Some((TenantId::new(tenant).ok()?, place))
        }
        _ => None,
    }
}

fn catalogue(found: impl IntoIterator<Item = Content>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for content in found {
        match content {
            Content::Group(tenant, group) => catalogue.groups.entry(tenant).or_default().push(group),
            Content::Alerting(tenant, yaml) => drop(catalogue.alerting.insert(tenant, yaml)),
            Content::Unknown => {}
        }
    }
    catalogue
}
