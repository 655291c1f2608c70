//! Whether long queries may read figures of buckets of time in the place of samples.

/// How far a query goes in reading rollups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Downsampling {
    /// Samples alone are read.
    Off,
    /// Rollups are read where the answer is the same to the bit.
    #[default]
    Exact,
    /// And where the last digits may differ; the answer says so.
    Allowed,
}

impl Downsampling {
    pub const ALL: [Self; 3] = [Self::Off, Self::Exact, Self::Allowed];

    /// By the name that settings and parameters have for it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Exact => "exact",
            Self::Allowed => "allowed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names() {
        for mode in Downsampling::ALL {
            assert_eq!(Downsampling::from_name(mode.name()), Some(mode));
        }
        assert_eq!(Downsampling::from_name("Exact"), None);
    }
}
