//! YAML for figment, and the line on which a key stands.

use figment::providers::Format;
use serde::de::DeserializeOwned;

/// figment's own YAML support stands on a crate that is no longer kept up.
pub struct Yaml;

impl Format for Yaml {
    type Error = serde_saphyr::Error;

    const NAME: &'static str = "YAML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        serde_saphyr::from_str(text)
    }
}

/// The line, from 1, of a dotted key in block style. The parsed tree carries no places, and
/// a key in flow style (`{a: 1}`) gets the line of the mapping that it is in.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let wanted: Vec<&str> = key.split('.').collect();
    let (mut path, mut found): (Vec<(usize, &str)>, _) = (Vec::new(), (0, None));
    for (number, line) in text.lines().enumerate() {
        let body = line.trim_start();
        let Some((name, _)) = body.split_once(':').filter(|_| !body.starts_with('#')) else { continue };
        let indent = line.len() - body.len();
        path.retain(|(outer, _)| *outer < indent);
        path.push((indent, name.trim().trim_matches(['"', '\''])));
        let depth = path.len();
        let on_the_way = path.iter().map(|(_, name)| name).eq(wanted.iter().take(depth));
        if on_the_way && depth > found.0 {
            found = (depth, Some(number + 1));
        }
    }
    found.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_whole_path() {
        let text = "# http: no\ngrpc:\n  listen: a\nhttp:\n\n  other: 1\n  \"listen\": b\ns3: {region: x}\n";
        assert_eq!(line_of(text, "http.listen"), Some(7));
        assert_eq!(line_of(text, "grpc.listen"), Some(3));
        assert_eq!(line_of(text, "s3.region"), Some(8));
        assert_eq!(line_of(text, "wal.sync"), None);
    }
}
