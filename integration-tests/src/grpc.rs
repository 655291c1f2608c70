//! A gRPC client that knows nothing of the services that it calls: bytes out, bytes in.

use crate::{http::Http, protobuf::Message};
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use std::time::Duration;
use tokio::time::timeout;

#[derive(Clone, Debug)]
pub struct Grpc {
    client: Client,
}

/// What came back. Trailers are not among it: a status is known if the answer was nothing else.
#[derive(Clone, Debug, Default)]
pub struct GrpcAnswer {
    pub http_status: u16,
    /// The `grpc-status` of an answer without messages.
    pub status: Option<u16>,
    pub message: String,
    /// The messages with their framing, as far as they came.
    pub body: Vec<u8>,
}

impl Default for Grpc {
    /// Without TLS.
    fn default() -> Self {
        Self::built(Client::builder())
    }
}

impl Grpc {
    /// With TLS: who is trusted and, if wanted, who we are (certificate and key), all in PEM.
    pub fn tls(authority: &[u8], identity: Option<&[u8]>) -> Self {
        let mut builder = Client::builder().tls_certs_only([Certificate::from_pem(authority).unwrap()]);
        if let Some(pem) = identity {
            builder = builder.identity(Identity::from_pem(pem).unwrap());
        }
        Self::built(builder)
    }

    fn built(builder: ClientBuilder) -> Self {
        // It installs what TLS needs.
        drop(Http::default());
        let builder = builder.http2_prior_knowledge().no_proxy().timeout(Duration::from_secs(30));
        Self { client: builder.build().unwrap() }
    }

    /// Calls a method such as `/package.Service/Method` with one message, and reads the answer for at
    /// most `patience`, for some answers never end.
    pub async fn call(
        &self,
        base: &str,
        method: &str,
        metadata: &[(&str, &str)],
        message: &Message,
        patience: Duration,
    ) -> Result<GrpcAnswer, reqwest::Error> {
        let mut body = vec![0];
        body.extend((message.0.len() as u32).to_be_bytes());
        body.extend(&message.0);
        let mut request = self.client.post(format!("{base}{method}")).body(body);
        for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")].iter().chain(metadata)
        {
            request = request.header(*name, *value);
        }
        let Ok(response) = timeout(patience, request.send()).await else { return Ok(GrpcAnswer::default()) };
        let mut response = response?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut answer = GrpcAnswer {
            http_status: response.status().as_u16(),
            status: header("grpc-status").and_then(|status| status.parse().ok()),
            message: header("grpc-message").unwrap_or_default().to_owned(),
            body: Vec::new(),
        };
        while let Ok(Ok(Some(chunk))) = timeout(patience, response.chunk()).await {
            answer.body.extend(chunk);
        }
        Ok(answer)
    }
}

impl GrpcAnswer {
    pub fn contains(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.body.windows(text.len()).any(|window| window == text)
            || self.message.as_bytes().windows(text.len()).any(|w| w == text)
    }
}
