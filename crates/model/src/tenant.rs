//! Tenant names, checked before they touch a path.

use std::{fmt, sync::Arc};

/// A tenant's name: 1 to 150 characters of `[A-Za-z0-9!_.*'()-]`, and neither `.` nor `..`
/// (Cortex's rule, under which a name is safe as a path segment and as an object key).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenant {
    #[error("tenant ID is empty")]
    Empty,
    #[error("tenant ID is too long: max 150 characters")]
    TooLong,
    #[error("tenant ID '{0}' contains unsupported character '{1}'")]
    Character(String, char),
    #[error("tenant ID is '.' or '..'")]
    Dots,
}

const MAX_LENGTH: usize = 150;

impl TenantId {
    pub fn new(name: &str) -> Result<Self, InvalidTenant> {
        if name.is_empty() {
            return Err(InvalidTenant::Empty);
        }
        if name.len() > MAX_LENGTH {
            return Err(InvalidTenant::TooLong);
        }
        if name == "." || name == ".." {
            return Err(InvalidTenant::Dots);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!_.*'()-".contains(c);
        if let Some(c) = name.chars().find(|&c| !allowed(c)) {
            return Err(InvalidTenant::Character(name.to_owned(), c));
        }
        Ok(Self(name.into()))
    }

    /// The tenant of a server that does not tell tenants apart.
    pub fn anonymous() -> Self {
        Self("anonymous".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\\b", "a|b", "a b", "a\0", "%2e", "é", &"x".repeat(151)] {
            assert!(TenantId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "team-1", "A_b.c*!'()", "...", &"x".repeat(150)] {
            assert_eq!(TenantId::new(good).unwrap().as_str(), good);
        }
    }
}
