//! Queries of death: the text that lists them, and what it means.

/// One query, as it is sent and with the statuses that are right for it.
#[derive(Clone, Debug)]
pub struct Deadly {
    pub name: String,
    /// Path of the endpoint.
    pub path: String,
    pub fields: Vec<(String, String)>,
    pub allowed: Vec<u16>,
}

impl Deadly {
    /// Whether the endpoint takes a posted form; otherwise the fields go into the URL.
    pub fn takes_form(&self) -> bool {
        !self.path.ends_with("/values") && self.path != "/federate"
    }
}

/// Reads `queries-of-death.txt`, whose head says how it is written. `end` is the data's end in seconds.
pub fn deadly_queries(text: &str, end: i64) -> Vec<Deadly> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(lines.len() % 3, 0, "a query of death has three lines");
    lines.chunks(3).map(|lines| deadly([lines[0], lines[1], lines[2]], end)).collect()
}

fn deadly([name, asked, query]: [&str; 3], end: i64) -> Deadly {
    let name = name.strip_prefix("== ").unwrap_or_else(|| panic!("not a name: {name}"));
    let (asked, allowed) = asked.rsplit_once(": ").unwrap_or_else(|| panic!("{name}: no status in {asked}"));
    let allowed = allowed.split('/').map(|status| status.parse().unwrap()).collect();
    let mut words = asked.split(' ');
    let kind = words.next().unwrap();
    let mut fields: Vec<(String, String)> = match kind {
        "instant" => vec![("time".to_owned(), end.to_string())],
        "range" => [("start", end - 3600), ("end", end), ("step", 15)]
            .map(|(n, v)| (n.to_owned(), v.to_string()))
            .into(),
        _ => Vec::new(),
    };
    let mut repeat = 1;
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or_else(|| panic!("{name}: no parameter: {word}"));
        if key == "repeat" {
            repeat = value.parse().unwrap();
            continue;
        }
        fields.retain(|(known, _)| known != key);
        let relative = value.strip_prefix('T').map(|shift| end + shift.parse().unwrap_or(0));
        fields.push((key.to_owned(), relative.map_or(value.to_owned(), |time| time.to_string())));
    }
    let query = expand(query);
    let path = match kind {
        "instant" => "/api/v1/query",
        "range" => "/api/v1/query_range",
        "format" => "/api/v1/format_query",
        "parse" => "/api/v1/parse_query",
        "exemplars" => "/api/v1/query_exemplars",
        "series" => "/api/v1/series",
        "labels" => "/api/v1/labels",
        "values" => "/api/v1/label/instance/values",
        "federate" => "/federate",
        other => panic!("{name}: no endpoint is called {other}"),
    };
    let takes_selectors = matches!(kind, "series" | "labels" | "values" | "federate");
    let parameter = if takes_selectors { "match[]" } else { "query" };
    fields.extend((0..repeat).map(|n: usize| (parameter.to_owned(), query.replace('#', &n.to_string()))));
    Deadly { name: name.to_owned(), path: path.to_owned(), fields, allowed }
}

/// Writes out what stands between `<<` and `>>`.
fn expand(query: &str) -> String {
    let (mut out, mut rest) = (String::new(), query);
    while let Some((before, after)) = rest.split_once("<<") {
        let (inside, after) = after.split_once(">>").unwrap_or_else(|| panic!("no >> in {query}"));
        let parts: Vec<&str> = inside.split('§').collect();
        let numbered = |count: &str| -> Vec<String> {
            (0..count.parse::<usize>().unwrap()).map(|n| parts[1].replace('#', &n.to_string())).collect()
        };
        out.push_str(before);
        match (parts[0].strip_prefix("tree "), parts.get(2)) {
            (Some(count), Some(operator)) => out.push_str(&tree(&numbered(count), operator)),
            (_, between) => out.push_str(&numbered(parts[0]).join(between.unwrap_or(&""))),
        }
        rest = after;
    }
    out + rest
}

fn tree(leaves: &[String], operator: &str) -> String {
    match leaves {
        [one] => one.clone(),
        _ => {
            let (left, right) = leaves.split_at(leaves.len() / 2);
            format!("({}{operator}{})", tree(left, operator), tree(right, operator))
        }
    }
}
