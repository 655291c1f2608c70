//! Whether a command has printed what its page says, where `…` stands for what differs each time.

/// How an output is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Line by line. A line that is only `…` stands for any number of lines, also none.
    Text,
    /// Spaces and ends of lines outside of strings do not count, so that a page may lay it out. `…` stands for
    /// anything that is in the same string, or within the same brackets: not for further elements behind them.
    Json,
}

const ANY: &str = "…";

/// Stands for every ULID; as wide as one.
const ID: &str = "01ANYULIDLOOKSTHESAMEHERE0";

/// What is different, or `None` if `came` is as expected.
pub fn difference(expected: &str, came: &str, form: Form) -> Option<String> {
    let (expected, came) = (without_ids(expected), without_ids(came));
    match form {
        Form::Text => lines_difference(&lines(&expected), &lines(&came)),
        Form::Json if json_fits(&squeezed(&expected), &squeezed(&came)) => None,
        Form::Json => Some("it is another JSON than expected".to_owned()),
    }
}

/// ULIDs, such as those of blocks, are others each time, and a page that shows one reads better than one with `…`.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| {
        word.len() == 26
            && word.starts_with("01")
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    };
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let kept = words.map(|word| {
        let (id, rest) = word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        if is_id(id) { format!("{ID}{rest}") } else { word.to_owned() }
    });
    kept.collect()
}

/// Without blanks at ends of lines and of the text.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn lines_difference(expected: &[&str], came: &[&str]) -> Option<String> {
    // How many of the lines that came may be behind the first n that are expected.
    let mut places = vec![0];
    for (n, pattern) in expected.iter().enumerate() {
        let next: Vec<usize> = if pattern.trim() == ANY {
            (places[0]..=came.len()).collect()
        } else {
            let fitting =
                places.iter().filter(|&&place| came.get(place).is_some_and(|line| fits(pattern, line)));
            fitting.map(|place| place + 1).collect()
        };
        let Some(&furthest) = places.last().filter(|_| next.is_empty()) else {
            places = next;
            continue;
        };
        // Behind a line of any number of lines there is none that it must be.
        let got = match came.get(furthest) {
            _ if places.len() > 1 => "no line that fits came".to_owned(),
            Some(line) => format!("this came: {line}"),
            None => "nothing more came".to_owned(),
        };
        return Some(format!("line {} of the output is expected as: {pattern}\n  {got}", n + 1));
    }
    let behind = *places.last().filter(|place| **place < came.len())?;
    Some(format!("behind the expected output came: {}", came[behind]))
}

/// Whether `text` is `pattern`, in which `…` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(ANY) else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split(ANY).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(place) = text.find(part) else { return false };
        text = &text[place + part.len()..];
    }
    text.ends_with(last)
}

/// As `fits`, where `…` does not go beyond the string or the brackets in which it begins.
fn json_fits(pattern: &str, text: &str) -> bool {
    let ends = ends(text);
    let text = text.as_bytes();
    let mut parts = pattern.split(ANY).map(str::as_bytes);
    let first = parts.next().unwrap_or_default();
    if !text.starts_with(first) {
        return false;
    }
    // Where what fits the pattern so far may end.
    let mut places = vec![first.len()];
    for part in parts {
        let (mut starts, mut furthest) = (places.into_iter().peekable(), 0);
        let fits = |place: &usize| {
            while let Some(start) = starts.next_if(|start| start <= place) {
                furthest = furthest.max(ends[start] + 1);
            }
            *place < furthest && text[*place..].starts_with(part)
        };
        places = (0..=text.len()).filter(fits).map(|place| place + part.len()).collect();
    }
    places.last() == Some(&text.len())
}

/// For each place in a JSON, where the string or the brackets around it end.
fn ends(json: &str) -> Vec<usize> {
    let inside = insides(json);
    let mut ends = vec![json.len(); json.len() + 1];
    let mut around = Vec::new();
    for place in (0..json.len()).rev() {
        if inside[place] {
            ends[place] = if inside[place + 1] { ends[place + 1] } else { place };
            continue;
        }
        match json.as_bytes()[place] {
            b']' | b'}' => around.push(place),
            b'[' | b'{' => drop(around.pop()),
            _ => {}
        }
        ends[place] = around.last().copied().unwrap_or(json.len());
    }
    ends
}

/// For each place in a JSON, whether it is in a string.
fn insides(json: &str) -> Vec<bool> {
    let (mut inside, mut escaped) = (false, false);
    let mut insides = vec![false];
    for byte in json.bytes() {
        if byte == b'"' && !escaped {
            inside = !inside;
        }
        escaped = inside && byte == b'\\' && !escaped;
        insides.push(inside);
    }
    insides
}

/// Without blanks outside of strings.
fn squeezed(json: &str) -> String {
    let inside = insides(json);
    let kept = json.char_indices().filter(|(place, sign)| inside[*place] || !sign.is_whitespace());
    kept.map(|(_, sign)| sign).collect()
}
