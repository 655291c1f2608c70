//! Requests to a Yagura server, and what to say when they fail.

use anyhow::{Context, Result, anyhow, bail};
use reqwest::{
    Certificate, Client, Method, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use runtime::Secret;
use std::{path::PathBuf, time::Duration};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer that is read.
const MAX_ANSWER: usize = 256 << 20;

/// How much of an answer that is no good is shown.
const SHOWN: usize = 2000;

const TENANT_HEADER: HeaderName = HeaderName::from_static("x-scope-orgid");

#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Such as `http://127.0.0.1:9009`.
    pub address: String,
    pub tenant: Option<String>,
    pub token: Option<Secret>,
    /// A file with the certificates that the server's may be signed by.
    pub tls_ca: Option<PathBuf>,
}

/// A server that may be there.
pub struct Server {
    client: Client,
    address: Url,
}

/// An answer, good or not.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// What a request carries.
pub struct Body<'a> {
    pub content_type: &'a str,
    pub headers: &'a [(&'static str, &'static str)],
    pub bytes: Vec<u8>,
}

impl Server {
    /// # Errors
    /// The address, the token, the tenant or the certificates are none.
    pub fn new(options: &ServerOptions) -> Result<Self> {
        let address = address(&options.address)?;
        let mut headers = HeaderMap::new();
        if let Some(tenant) = &options.tenant {
            let value = HeaderValue::from_str(tenant).with_context(|| format!("{tenant:?} is no tenant"))?;
            headers.insert(TENANT_HEADER, value);
        }
        if let Some(token) = &options.token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            // Without the cause, which might quote it.
            let mut value = value.map_err(|_| anyhow!("the token has characters that no token may have"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut client = Client::builder().default_headers(headers).timeout(TIMEOUT).redirect(Policy::none());
        if let Some(path) = &options.tls_ca {
            let pem = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let certificates = Certificate::from_pem_bundle(&pem);
            let certificates =
                certificates.with_context(|| format!("{} has no certificates", path.display()))?;
            client = client.tls_certs_only(certificates);
        } else if address.scheme() == "http" {
            // Nothing is looked up that is not needed, and might not be there.
            client = client.tls_certs_only([]);
        }
        if is_loopback(&address) {
            client = client.no_proxy();
        }
        Ok(Self { client: client.build().context("cannot prepare for requests")?, address })
    }

    /// A URL below the address. Segments are encoded, `/` in them too.
    ///
    /// # Errors
    /// A segment is one that no URL can hold.
    pub fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Result<Url> {
        let mut url = self.address.clone();
        let mut path = url.path_segments_mut().map_err(|()| anyhow!("{} has no path", self.address))?;
        path.pop_if_empty();
        for segment in segments {
            if matches!(segment, "." | ".." | "") {
                bail!("{segment:?} cannot be part of a URL: use another name");
            }
            path.push(segment);
        }
        drop(path);
        Ok(url)
    }

    /// # Errors
    /// There was no answer.
    pub async fn get(&self, url: Url) -> Result<Answer> {
        self.send(Method::GET, url, None).await
    }

    /// # Errors
    /// There was no answer.
    pub async fn delete(&self, url: Url) -> Result<Answer> {
        self.send(Method::DELETE, url, None).await
    }

    /// # Errors
    /// There was no answer.
    pub async fn post(&self, url: Url, body: Body<'_>) -> Result<Answer> {
        self.send(Method::POST, url, Some(body)).await
    }

    /// Sends parameters as a form, for they may be long.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn post_form(&self, url: Url, parameters: &[(&str, String)]) -> Result<Answer> {
        let mut form = self.address.clone();
        form.set_query(None);
        form.query_pairs_mut().extend_pairs(parameters);
        let bytes = form.query().unwrap_or_default().as_bytes().to_vec();
        self.post(url, Body { content_type: "application/x-www-form-urlencoded", headers: &[], bytes }).await
    }

    async fn send(&self, method: Method, url: Url, body: Option<Body<'_>>) -> Result<Answer> {
        let mut request = self.client.request(method, url);
        if let Some(Body { content_type, headers, bytes }) = body {
            request = request.header(CONTENT_TYPE, content_type).body(bytes);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
        }
        let mut response = request.send().await.map_err(|error| self.unanswered(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unanswered(&error))? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                bail!("the answer has more than {} MiB: ask for less", MAX_ANSWER >> 20);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    fn unanswered(&self, error: &reqwest::Error) -> anyhow::Error {
        let address = self.address.as_str().trim_end_matches('/');
        let causes = causes(error);
        if error.is_timeout() {
            anyhow!("{address} did not answer within {} seconds", TIMEOUT.as_secs())
        } else if error.is_connect() {
            anyhow!(
                "cannot connect to {address} ({causes}): is Yagura running there? --address or YAGURA_ADDRESS say \
                 where it is"
            )
        } else {
            anyhow!("the request to {address} failed: {causes}")
        }
    }
}

/// The last cause, which says what happened.
fn causes(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn address(text: &str) -> Result<Url> {
    let wanted = "http://HOST:PORT or https://HOST is wanted";
    let url: Url = text.parse().map_err(|e| anyhow!("{text:?} is no address ({e}): {wanted}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        bail!("{text:?} is no address: {wanted}");
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!("the address has a user or a password in it: set YAGURA_TOKEN instead");
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!("{text:?} is no address: nothing may be behind the path");
    }
    Ok(url)
}

fn is_loopback(address: &Url) -> bool {
    address.host_str().is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

impl Answer {
    /// The answer, if it is a good one.
    ///
    /// # Errors
    /// What the server said, and what to do about it where that is known.
    pub fn good(self) -> Result<Self> {
        if self.status.is_success() { Ok(self) } else { bail!("{}", self.complaint()) }
    }

    /// What the server said against the request.
    pub fn complaint(&self) -> String {
        let said = self.said();
        let status = self.status;
        match status {
            StatusCode::UNAUTHORIZED => {
                format!(
                    "{said} ({status}): --tenant and --token, or YAGURA_TENANT and YAGURA_TOKEN, say who asks"
                )
            }
            _ if said.is_empty() => format!("the server answered {status}"),
            _ => format!("{said} ({status})"),
        }
    }

    fn said(&self) -> String {
        let json: Option<serde_json::Value> = serde_json::from_str(&self.text).ok();
        let field = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(|text| text.as_str());
        let said = field("error").or_else(|| field("message")).unwrap_or(&self.text).trim();
        let shown: String = said.chars().take(SHOWN).collect();
        if shown.len() < said.len() { format!("{shown}…") } else { shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(address: &str) -> ServerOptions {
        ServerOptions { address: address.into(), tenant: None, token: None, tls_ca: None }
    }

    #[test]
    fn names_are_encoded_into_urls() {
        crate::testing::tls();
        let server = Server::new(&options("http://localhost:1/base/")).unwrap();
        let url = server.url(["rules", "a/b %2F?#", "ü"]).unwrap();
        assert_eq!(url.as_str(), "http://localhost:1/base/rules/a%2Fb%20%252F%3F%23/%C3%BC");
        assert!(server.url([".."]).unwrap_err().to_string().contains("another name"));
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        crate::testing::tls();
        for (address, said) in [
            ("localhost:9009", "http://HOST:PORT"),
            ("127.0.0.1:9009", "http://HOST:PORT"),
            ("http://a:b@c", "YAGURA_TOKEN"),
            ("http://a/?b", "behind the path"),
        ] {
            let error = Server::new(&options(address)).err().unwrap().to_string();
            assert!(error.contains(said), "{address}: {error}");
        }
        let mut options = options("http://a");
        options.token = Some(Secret::new("tell\nnobody"));
        let error = format!("{:#}", Server::new(&options).err().unwrap());
        assert!(!error.contains("nobody"), "{error}");
    }

    #[tokio::test]
    async fn whoever_finds_no_server_is_told_what_to_do() {
        crate::testing::tls();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let server = Server::new(&options(&address)).unwrap();
        let error = server.get(server.url(["ready"]).unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(&address) && error.contains("is Yagura running there?"), "{error}");
    }
}
