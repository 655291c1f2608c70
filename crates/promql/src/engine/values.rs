//! A number for each step.

/// The values of a scalar expression.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// The same at every step.
    One(f64),
    Each(Vec<f64>),
}

impl Values {
    #[inline]
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::One(value) => Self::One(f(value)),
            Self::Each(values) => Self::Each(values.into_iter().map(f).collect()),
        }
    }

    pub fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::One(a), Self::One(b)) => Self::One(f(a, b)),
            (Self::Each(values), Self::One(b)) => Self::Each(values.into_iter().map(|a| f(a, b)).collect()),
            (Self::One(a), Self::Each(values)) => Self::Each(values.into_iter().map(|b| f(a, b)).collect()),
            (Self::Each(left), Self::Each(right)) => {
                Self::Each(left.into_iter().zip(right).map(|(a, b)| f(a, b)).collect())
            }
        }
    }

    /// What they take besides their own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Each(values) => values.capacity() * size_of::<f64>(),
        }
    }

    /// The values; a constant comes once.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        match self {
            Self::One(value) => std::slice::from_ref(value).iter().copied(),
            Self::Each(values) => values[..].iter().copied(),
        }
    }

    pub fn into_steps(self, count: usize) -> Vec<f64> {
        match self {
            Self::One(value) => vec![value; count],
            Self::Each(values) => values,
        }
    }
}
