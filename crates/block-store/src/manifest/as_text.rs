//! A ULID as its 26 characters.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use ulid::Ulid;

pub fn serialize<S: Serializer>(id: &Ulid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ulid, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ulid::from_string(&text).map_err(D::Error::custom)
}

/// Several of them.
pub mod all {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use ulid::Ulid;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct One(#[serde(with = "super")] Ulid);

    pub fn serialize<S: Serializer>(ids: &[Ulid], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().copied().map(One))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Ulid>, D::Error> {
        let ids = Vec::<One>::deserialize(deserializer)?;
        Ok(ids.into_iter().map(|One(id)| id).collect())
    }
}
