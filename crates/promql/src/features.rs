//! What Prometheus keeps behind `--enable-feature`.

use crate::ParseOptions;

/// The features of PromQL that are off unless asked for, as Prometheus names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `promql-experimental-functions`: functions, and `limitk` and `limit_ratio`.
    pub experimental_functions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
    /// `promql-delayed-name-removal`: names that are dropped count until the query ends.
    pub delayed_name_removal: bool,
    /// `promql-per-step-stats`: `stats=all` tells each step's samples.
    pub per_step_stats: bool,
    /// `use-start-timestamps`: counters are known to have begun, or begun anew, at these.
    pub use_start_timestamps: bool,
    /// `type-and-unit-labels`: `__type__` says what is a counter.
    pub type_and_unit_labels: bool,
}

/// A feature's name, and where it is switched.
type Switch = (&'static str, fn(&mut Features) -> &mut bool);

const SWITCHES: [Switch; 7] = [
    ("promql-experimental-functions", |f| &mut f.experimental_functions),
    ("promql-extended-range-selectors", |f| &mut f.extended_range_selectors),
    ("promql-binop-fill-modifiers", |f| &mut f.binop_fill_modifiers),
    ("promql-delayed-name-removal", |f| &mut f.delayed_name_removal),
    ("promql-per-step-stats", |f| &mut f.per_step_stats),
    ("use-start-timestamps", |f| &mut f.use_start_timestamps),
    ("type-and-unit-labels", |f| &mut f.type_and_unit_labels),
];

/// What Prometheus takes, too, though it is always on.
const ALWAYS_ON: &str = "promql-duration-expr";

impl Features {
    /// From names with commas between. The error names what is not known, and what is.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut features = Self::default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != ALWAYS_ON) {
            match SWITCHES.iter().find(|(known, _)| *known == name) {
                Some((_, switch)) => *switch(&mut features) = true,
                None => {
                    let known = SWITCHES.map(|(name, _)| name).join(", ");
                    return Err(format!("no feature is called {name:?}; there are {known}"));
                }
            }
        }
        Ok(features)
    }

    pub fn parse_options(self) -> ParseOptions {
        ParseOptions {
            experimental_functions: self.experimental_functions,
            extended_range_selectors: self.extended_range_selectors,
            binop_fill_modifiers: self.binop_fill_modifiers,
            ..ParseOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_listed_by_name() {
        let all = SWITCHES.map(|(name, _)| name).join(" , ");
        let mut every = Features::parse(&all).unwrap();
        assert!(SWITCHES.iter().all(|(_, switch)| *switch(&mut every)));
        assert_eq!(every.parse_options(), ParseOptions::all_features());
        assert_eq!(Features::parse("promql-duration-expr,"), Ok(Features::default()));
        assert!(Features::parse("promql-functions").unwrap_err().contains("promql-experimental-functions"));
    }
}
