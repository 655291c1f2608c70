//! A client that reports every answer as it is.

use reqwest::{
    Client, Method,
    header::{AUTHORIZATION, HeaderMap, HeaderName},
};
use std::{fmt::Write, time::Duration};

#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Default for Http {
    fn default() -> Self {
        Self::built(HeaderMap::new())
    }
}

impl Http {
    /// A client that shows a token with every request.
    pub fn with_token(token: &str) -> Self {
        Self::built(HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]))
    }

    /// A client that names a tenant with every request.
    pub fn of_tenant(name: &str) -> Self {
        let header = HeaderName::from_static("x-scope-orgid");
        Self::built(HeaderMap::from_iter([(header, name.parse().unwrap())]))
    }

    fn built(headers: HeaderMap) -> Self {
        // A second installation is refused, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder().timeout(Duration::from_secs(60)).no_proxy().default_headers(headers);
        Self { client: builder.build().unwrap() }
    }

    /// `Err` when there was no answer: what became of the request is then unknown.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }

    pub async fn get(&self, url: &str) -> Result<Answer, reqwest::Error> {
        self.send("GET", url, &[], Vec::new()).await
    }

    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer, reqwest::Error> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", url, &headers, form(fields).into_bytes()).await
    }
}

/// Fields as a form or as the query of a URL.
pub fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        let separator = if out.is_empty() { "" } else { "&" };
        write!(out, "{separator}{name}=").unwrap();
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte as char),
                _ => write!(out, "%{byte:02X}").unwrap(),
            }
        }
    }
    out
}
