//! The `regexp` parser: named groups become labels.

use super::{hints::Hints, label_filter::Guards, line_labels::LineLabels};
use model::search_regex;
use regex::{CaptureLocations, Regex};
use service_api::{Error, Result};

#[derive(Debug)]
pub struct Regexp {
    regex: Regex,
    /// Groups with their names.
    names: Vec<(usize, String)>,
}

impl Regexp {
    pub fn new(pattern: &str) -> Result<Self> {
        let regex = search_regex(pattern).map_err(|error| Error::bad_request(error.to_string()))?;
        let names: Vec<_> = regex
            .capture_names()
            .enumerate()
            .filter_map(|(group, name)| name.map(|name| (group, name.to_owned())))
            .collect();
        if names.is_empty() {
            return Err(Error::bad_request("at least one named capture must be supplied"));
        }
        Ok(Self { regex, names })
    }

    /// What a run needs to note where groups match.
    pub fn locations(&self) -> CaptureLocations {
        self.regex.capture_locations()
    }

    /// Parses a line; whether it is kept. A line that does not match stays as it is.
    pub fn parse(
        &self,
        line: &str,
        labels: &mut LineLabels,
        hints: &Hints,
        guards: &Guards,
        locations: &mut CaptureLocations,
    ) -> bool {
        if self.regex.captures_read(locations, line).is_none() {
            return true;
        }
        for (group, name) in &self.names {
            let value = locations.get(*group).map_or("", |(start, end)| &line[start..end]);
            let Some(key) = labels.key(name, hints) else { continue };
            labels.set(key, value, hints);
            if guards.drop(labels.key_text(key), value) {
                return false;
            }
        }
        true
    }
}
