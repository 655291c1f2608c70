//! Parameters of a request: the URL's, and those of a posted form before them.

mod time;

pub use time::{MAX_TIME, MIN_TIME, duration_nanos};

use crate::{error::ApiError, state::ReadConfig};
use axum::{
    body::Body,
    extract::{FromRef, FromRequest, Request},
    http::{Method, header},
};
use model::{TimeRange, Timestamp, quote};
use service_api::{Code, Error, Result};
use std::time::Duration;

/// In memory a pair takes many times what `a&` takes in a form.
const MAX_PAIRS: usize = 10_000;

/// Names and values, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl<S> FromRequest<S> for Params
where
    S: Send + Sync,
    ReadConfig: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let max = ReadConfig::from_ref(state).max_form_bytes;
        let query = request.uri().query().unwrap_or("").to_owned();
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let form = content_type.is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
        let mut params = Self::default();
        if form && [Method::POST, Method::PUT].contains(request.method()) {
            let body = read_body(request.into_body(), max).await?;
            params.add(&body)?;
        }
        params.add(query.as_bytes())?;
        Ok(params)
    }
}

/// How long a body may take to arrive. Without it, whoever sends a byte a minute would keep
/// what was reserved for the request.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// The body of a request, up to a bound in size and in time.
pub async fn read_body(body: Body, max: usize) -> Result<bytes::Bytes> {
    let read = tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, max)).await;
    let read = read.map_err(|_| Error::new(Code::Timeout, "the request took too long to arrive"))?;
    read.map_err(|e| {
        let cause = std::error::Error::source(&e);
        if cause.is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            Error::new(Code::TooLarge, format!("the request has more than {max} bytes"))
        } else {
            Error::bad_request(format!("cannot read the request: {e}"))
        }
    })
}

impl Params {
    fn add(&mut self, encoded: &[u8]) -> Result<()> {
        for pair in encoded.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if self.pairs.len() >= MAX_PAIRS {
                return Err(Error::bad_request(format!("more than {MAX_PAIRS} parameters")));
            }
            self.pairs.push((name, value));
        }
        Ok(())
    }

    /// The first value of a parameter; empty if it is not given.
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or("")
    }

    /// Every value of a parameter.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A time that must be given.
    pub fn required_time(&self, name: &str) -> Result<Timestamp> {
        time::timestamp(self.get(name)).map_err(|why| invalid(name, why))
    }

    pub fn time_or(&self, name: &str, default: Timestamp) -> Result<Timestamp> {
        match self.get(name) {
            "" => Ok(default),
            text => time::timestamp(text)
                .map_err(|why| invalid(name, format!("invalid time value for '{name}': {why}"))),
        }
    }

    /// `start` and `end`, by default every time there is.
    pub fn range(&self) -> Result<TimeRange> {
        Ok(TimeRange::new(self.time_or("start", MIN_TIME)?, self.time_or("end", MAX_TIME)?))
    }

    /// A duration in nanoseconds that must be given.
    pub fn required_duration(&self, name: &str) -> Result<i64> {
        time::duration_nanos(self.get(name)).map_err(|why| invalid(name, why))
    }

    /// The `timeout` of a query; one that lies in the past is no time at all.
    pub fn timeout(&self) -> Result<Option<Duration>> {
        match self.get("timeout") {
            "" => Ok(None),
            _ => Ok(Some(Duration::from_nanos(self.required_duration("timeout")?.max(0) as u64))),
        }
    }

    /// The lookback that a query asks for in place of the engine's.
    pub fn lookback_delta(&self) -> Result<Option<Duration>> {
        let text = self.get("lookback_delta");
        if text.is_empty() {
            return Ok(None);
        }
        let nanos = time::duration_nanos(text)
            .map_err(|why| Error::bad_request(format!("error parsing lookback delta duration: {why}")))?;
        // Prometheus takes zero and less for "not given".
        Ok(u64::try_from(nanos).ok().filter(|n| *n > 0).map(Duration::from_nanos))
    }

    /// The `limit` on results; none if it is 0 or not given.
    pub fn limit(&self) -> Result<Option<usize>> {
        match self.get("limit") {
            "" => Ok(None),
            text => match integer(text) {
                Ok(n) if n < 0 => Err(invalid("limit", "limit must be non-negative")),
                Ok(n) => Ok(usize::try_from(n).ok().filter(|n| *n > 0)),
                Err(why) => Err(invalid("limit", why)),
            },
        }
    }

    /// A count where less than zero, or nothing, is no limit.
    pub fn count(&self, name: &str) -> Result<Option<usize>> {
        match self.get(name) {
            "" => Ok(None),
            text => match integer(text) {
                Ok(n) => Ok(usize::try_from(n).ok()),
                Err(_) => Err(Error::bad_request(format!("{name} must be a number"))),
            },
        }
    }
}

/// The error that names a parameter.
pub fn invalid(name: &str, why: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("invalid parameter {}: {why}", quote(name)))
}

/// An integer, or the sentence with which Go refuses it.
pub fn integer(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("strconv.Atoi: parsing {}: invalid syntax", quote(text)));
    }
    text.parse().map_err(|_| format!("strconv.Atoi: parsing {}: value out of range", quote(text)))
}

/// Undoes the encoding of forms and URLs.
fn decode(encoded: &[u8]) -> Result<String> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let (byte, after) = escaped(after).ok_or_else(|| bad_escape(after))?;
                out.push(byte);
                rest = after;
            }
            plain => out.push(*plain),
        }
    }
    String::from_utf8(out).map_err(|_| Error::bad_request("error parsing form values: not valid UTF-8"))
}

fn escaped(after: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = after.split_first_chunk::<2>()?;
    let digit = |b: u8| char::from(b).to_digit(16);
    Some(((digit(digits[0])? << 4 | digit(digits[1])?) as u8, rest))
}

fn bad_escape(after: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(&after[..after.len().min(2)]);
    let shown = quote(&format!("%{shown}"));
    Error::bad_request(format!("error parsing form values: invalid URL escape {shown}"))
}

#[cfg(test)]
mod tests;
