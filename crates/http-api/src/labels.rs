//! Label names, label values, series: `labels`, `label/{name}/values`, `series`.

use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    params::{Params, invalid},
    query::{selectors, slots},
    state::ApiState,
    tenant::Tenants,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use model::{Signal, quote};
use service_api::{Error, LabelQuery, Warned};

pub async fn names(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let range = params.range()?;
    let query =
        LabelQuery { signal: Signal::Metrics, matcher_sets: selectors::matcher_sets(&params)?, range };
    let reader = &state.deps.reader;
    let names = slots::run(&state, &tenants, None, async |ctx| reader.label_names(ctx, &query).await).await?;
    Ok(strings(names, limit))
}

pub async fn values(
    tenants: Tenants,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let name = unescape(&name);
    if name.is_empty() {
        return Err(Error::bad_request(format!("invalid label name: {}", quote(&name))).into());
    }
    let limit = params.limit()?;
    let range = params.range()?;
    let query =
        LabelQuery { signal: Signal::Metrics, matcher_sets: selectors::matcher_sets(&params)?, range };
    let reader = &state.deps.reader;
    let values =
        slots::run(&state, &tenants, None, async |ctx| reader.label_values(ctx, &name, &query).await).await?;
    Ok(strings(values, limit))
}

pub async fn series(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    if params.all("match[]").next().is_none() {
        return Err(Error::bad_request("no match[] parameter provided").into());
    }
    let limit = params.limit()?;
    let range = params.range()?;
    let matcher_sets = selectors::matcher_sets(&params).map_err(|e| invalid("match[]", e))?;
    let query = LabelQuery { signal: Signal::Metrics, matcher_sets, range };
    let reader = &state.deps.reader;
    let mut found = slots::run(&state, &tenants, None, async |ctx| reader.series(ctx, &query).await).await?;
    let mut notes = Notes::from(found.warnings);
    notes.truncate(&mut found.value, limit);
    Ok(answer::array("[", found.value, |out, labels| json::labels(out, &labels), b"]", &notes))
}

fn strings(mut found: Warned<Vec<String>>, limit: Option<usize>) -> Response {
    let mut notes = Notes::from(found.warnings);
    notes.truncate(&mut found.value, limit);
    answer::array("[", found.value, |out, s| json::string(out, &s), b"]", &notes)
}

/// Undoes Prometheus's escaping of label names in paths: `U__` in front, `__` for `_`, and
/// `_2e_` for the character 0x2e. What is not escaped right stays as it is.
fn unescape(name: &str) -> String {
    name.strip_prefix("U__").and_then(unescaped).unwrap_or_else(|| name.to_owned())
}

fn unescaped(escaped: &str) -> Option<String> {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, after)) = rest.split_once('_') {
        out.push_str(plain);
        let (code, after) = after.split_once('_')?;
        if code.is_empty() {
            out.push('_');
        } else if code.len() <= 6 && code.bytes().all(|b| b.is_ascii_hexdigit()) {
            out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        } else {
            return None;
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escaped_names_are_decoded_and_others_kept() {
        for (path, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___2e_", "."),
            ("U__smile_1F600_", "smile\u{1f600}"),
            ("U__a_b", "U__a_b"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_1000000_", "U__a_1000000_"),
            ("U__a_", "U__a_"),
        ] {
            assert_eq!(unescape(path), name, "{path}");
        }
    }
}
