//! The file of tokens, which is read again while we run. What is wrong with it is said without
//! showing a value: a token may stand where its hash should.

use crate::{
    config::{ConfigError, parse_yaml},
    reread::Reread,
};
use arc_swap::ArcSwap;
use figment::value::{Dict, Value};
use http_api::{Auth, AuthConfig, Grants, TenantSet, Token, Tokens};
use model::TenantId;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// Each request looks at all of them.
const MAX_TOKENS: usize = 10_000;

/// Whoever has a token may come in; everybody if no file is set.
///
/// # Errors
/// The file cannot be read or has a mistake.
pub fn open(config: &AuthConfig, reread: &Reread) -> anyhow::Result<Option<Auth>> {
    if config.tokens_file.is_empty() {
        return Ok(None);
    }
    let tokens: Arc<ArcSwap<Tokens>> = Arc::default();
    let (taken, file) = (Arc::clone(&tokens), config.tokens_file.clone());
    reread.watch("auth.tokens_file", vec![PathBuf::from(&file)], move |texts| {
        let found = parse(&texts.concat()).map_err(|e| anyhow::anyhow!("{file}: {e}"))?;
        tracing::info!(file, tokens = found.len(), "tokens");
        taken.store(Arc::new(Tokens::new(found)));
        Ok(())
    })?;
    Ok(Some(Auth { tokens, open_metrics: config.open_metrics }))
}

fn parse(text: &str) -> Result<Vec<([u8; 32], Token)>, ConfigError> {
    let one = |message: &str| ConfigError(vec![message.to_owned()]);
    // The parser's own words may hold what stands in the file.
    let mut file = parse_yaml(text).map_err(|_| one("this is not YAML of the form `tokens: [...]`"))?;
    let Some(Value::Array(_, list)) = file.remove("tokens") else {
        return Err(one("tokens: a list of tokens is wanted"));
    };
    if !file.is_empty() {
        return Err(one("there is more than `tokens` in it"));
    }
    // An empty file is more likely one that was not written to its end than a wish to shut out all.
    if list.is_empty() || list.len() > MAX_TOKENS {
        return Err(ConfigError(vec![format!("tokens: 1 to {MAX_TOKENS} are wanted")]));
    }
    let (mut found, mut errors) = (Vec::with_capacity(list.len()), Vec::new());
    let (mut names, mut hashes) = (BTreeSet::new(), BTreeMap::new());
    for (number, entry) in (1..).zip(list) {
        match token(entry) {
            Ok((hash, token)) => {
                let name = token.name.clone();
                if let Some(other) = hashes.insert(hash, name.clone()) {
                    errors.push(format!("token {name} has the hash of token {other}"));
                }
                if !names.insert(name.clone()) {
                    errors.push(format!("there are two tokens named {name}"));
                }
                found.push((hash, token));
            }
            Err(why) => errors.push(format!("token {number} of the list: {why}")),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(ConfigError(errors)) }
}

fn token(entry: Value) -> Result<([u8; 32], Token), &'static str> {
    let Value::Dict(_, mut entry) = entry else { return Err("name, sha256, tenant and access are wanted") };
    let name = match entry.remove("name") {
        Some(Value::String(_, name)) if !name.is_empty() => name,
        _ => return Err("name: a text is wanted, in quotes if it looks like a number or a truth value"),
    };
    let hash = match entry.remove("sha256") {
        Some(Value::String(_, hex)) => digest(&hex),
        _ => None,
    };
    let hash = hash.ok_or("sha256: the hash of the token is wanted, 64 hexadecimal digits in quotes")?;
    let tenants = tenants(&words(&mut entry, "tenant").ok_or(TENANT)?).ok_or(TENANT)?;
    let grants = grants(&words(&mut entry, "access").ok_or(ACCESS)?).ok_or(ACCESS)?;
    if !entry.is_empty() {
        return Err("only name, sha256, tenant and access are known");
    }
    Ok((hash, Token { name, tenants, grants }))
}

const TENANT: &str =
    "tenant: a tenant, a list of tenants, or \"*\" for all is wanted, in quotes if it looks like a number";
const ACCESS: &str = "access: read, write, rules, admin, or a list of these is wanted";

/// A text or a list of texts; not none.
fn words(entry: &mut Dict, key: &str) -> Option<Vec<String>> {
    let list = match entry.remove(key)? {
        Value::Array(_, list) => list,
        one => vec![one],
    };
    let text = |value| if let Value::String(_, text) = value { Some(text) } else { None };
    list.into_iter().map(text).collect::<Option<Vec<_>>>().filter(|words| !words.is_empty())
}

fn tenants(words: &[String]) -> Option<TenantSet> {
    // `*` alone is everybody, although it would be a tenant's name otherwise.
    if words == ["*"] {
        return Some(TenantSet::All);
    }
    let all = words.iter().map(|word| TenantId::new(word).ok().filter(|_| word != "*"));
    all.collect::<Option<_>>().map(TenantSet::Only)
}

fn grants(words: &[String]) -> Option<Grants> {
    let mut grants = Grants::default();
    for word in words {
        match word.as_str() {
            "read" => grants.read = true,
            "write" => grants.write = true,
            "rules" => grants.rules = true,
            "admin" => grants.admin = true,
            _ => return None,
        }
    }
    Some(grants)
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |n, digit| n << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok())?
}

#[cfg(test)]
mod tests;
