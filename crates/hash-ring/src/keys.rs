//! The names of a ring's keys in the store.

/// Keys of one role: `{prefix}/{role}/members/{id}` and `{prefix}/{role}/alive/{id}`.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    root: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Record(&'a str),
    Heartbeat(&'a str),
}

impl Keys {
    pub fn new(prefix: &str, role: &str) -> Self {
        Self { root: format!("{}/{role}/", prefix.trim_end_matches('/')) }
    }

    /// What all keys of the role start with.
    pub fn root(&self) -> &str {
        &self.root
    }

    pub fn record(&self, id: &str) -> String {
        format!("{}members/{id}", self.root)
    }

    pub fn heartbeat(&self, id: &str) -> String {
        format!("{}alive/{id}", self.root)
    }

    /// What a key is; none if it is not one of ours.
    pub fn part<'a>(&self, key: &'a str) -> Option<Part<'a>> {
        match key.strip_prefix(&self.root)?.split_once('/')? {
            (_, id) if id.is_empty() || id.contains('/') => None,
            ("members", id) => Some(Part::Record(id)),
            ("alive", id) => Some(Part::Heartbeat(id)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_apart_as_they_are_made() {
        let keys = Keys::new("yagura/", "ingester");
        assert_eq!(keys.record("a-1"), "yagura/ingester/members/a-1");
        assert_eq!(keys.part(&keys.record("a-1")), Some(Part::Record("a-1")));
        assert_eq!(keys.part(&keys.heartbeat("a-1")), Some(Part::Heartbeat("a-1")));
        for other in ["yagura/querier/members/a", "yagura/ingester/members/", "yagura/ingester/x/a", "a"] {
            assert_eq!(keys.part(other), None, "{other}");
        }
    }
}
