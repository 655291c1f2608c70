//! What a cluster is made of at its start.

use std::path::{Path, PathBuf};

/// Three ingesters, two distributors, two queriers, no compactor and no ruler, unless it is said otherwise.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) distributors: usize,
    pub(super) ingesters: usize,
    pub(super) queriers: usize,
    pub(super) compactors: usize,
    pub(super) rulers: usize,
    pub(super) zones: Vec<String>,
    pub(super) set: Vec<String>,
    pub(super) namespaces: bool,
    pub(super) token: Option<String>,
    pub(super) bucket: Option<PathBuf>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            distributors: 2,
            ingesters: 3,
            queriers: 2,
            compactors: 0,
            rulers: 0,
            zones: Vec::new(),
            set: Vec::new(),
            namespaces: false,
            token: None,
            bucket: None,
        }
    }
}

impl Layout {
    pub fn ingesters(self, ingesters: usize) -> Self {
        Self { ingesters, ..self }
    }

    pub fn distributors(self, distributors: usize) -> Self {
        Self { distributors, ..self }
    }

    pub fn queriers(self, queriers: usize) -> Self {
        Self { queriers, ..self }
    }

    pub fn compactors(self, compactors: usize) -> Self {
        Self { compactors, ..self }
    }

    pub fn rulers(self, rulers: usize) -> Self {
        Self { rulers, ..self }
    }

    /// Members of each role are shared out to these zones in turn.
    pub fn zones(self, zones: &[&str]) -> Self {
        Self { zones: zones.iter().map(|z| (*z).to_owned()).collect(), ..self }
    }

    /// Settings of every member, over those that tests need.
    pub fn set(mut self, set: &[&str]) -> Self {
        self.set.extend(set.iter().map(|s| (*s).to_owned()));
        self
    }

    /// What the harness itself shows to be let in.
    pub fn token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The bucket begins as a copy of a folder.
    pub fn bucket(self, folder: &Path) -> Self {
        Self { bucket: Some(folder.to_owned()), ..self }
    }

    /// Each member in a namespace of its own. Only where [`super::own_network`] says so.
    pub fn namespaces(self) -> Self {
        Self { namespaces: true, ..self }
    }
}
