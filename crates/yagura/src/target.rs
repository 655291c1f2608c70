//! Which roles a process has: the setting `target`.

use std::fmt;

/// A part of the system that can run in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Distributor,
    Ingester,
    Querier,
    Compactor,
    Ruler,
}

impl Role {
    pub const ALL: [Self; 5] =
        [Self::Distributor, Self::Ingester, Self::Querier, Self::Compactor, Self::Ruler];

    /// Its name in settings, ring keys and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Distributor => "distributor",
            Self::Ingester => "ingester",
            Self::Querier => "querier",
            Self::Compactor => "compactor",
            Self::Ruler => "ruler",
        }
    }
}

/// The roles of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets(u8);

impl Targets {
    /// Reads `all`, or names of roles with commas between.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut targets = 0;
        for name in text.split(',').map(str::trim) {
            targets |= match Role::ALL.iter().find(|role| role.as_str() == name) {
                Some(role) => 1 << *role as u8,
                None if name == "all" => Self::ALL.0,
                None => {
                    let known = Role::ALL.map(Role::as_str).join(", ");
                    return Err(format!("all, or some of {known} with commas between, is wanted"));
                }
            };
        }
        Ok(Self(targets))
    }

    pub const ALL: Self = Self((1 << Role::ALL.len()) - 1);

    pub fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    pub fn has_all(self) -> bool {
        self == Self::ALL
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_all() {
            return f.write_str("all");
        }
        let names: Vec<_> = Role::ALL.iter().filter(|r| self.has(**r)).map(|r| r.as_str()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_one_by_one_or_all_at_once() {
        let two = Targets::parse("querier, distributor").unwrap();
        assert!(two.has(Role::Querier) && two.has(Role::Distributor) && !two.has(Role::Ingester));
        assert_eq!(two.to_string(), "distributor,querier");
        assert_eq!(Targets::parse("all").unwrap().to_string(), "all");
        for bad in ["", "queriers", "all,x", "querier;ingester"] {
            assert!(Targets::parse(bad).unwrap_err().contains("compactor"), "{bad}");
        }
    }
}
