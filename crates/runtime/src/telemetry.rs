//! Logs of the process, and its spans sent to an OpenTelemetry collector when one is named.

use crate::own_lines::{OWN_WRITE, OwnLines, own_lines};
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample},
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module: `info,ingester=debug`.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text when standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracingConfig {
    /// Where spans go by OTLP over gRPC, such as `http://127.0.0.1:4317`; empty sends none.
    pub otlp_endpoint: String,
    /// The share of traces that is sent, from 0 to 1.
    pub sample_ratio: f64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Auto }
    }
}

impl Default for TracingConfig {
    fn default() -> Self {
        Self { otlp_endpoint: String::new(), sample_ratio: 1.0 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.level {level:?}: {message}")]
    Level { level: String, message: String },
    #[error("tracing.otlp_endpoint {endpoint:?}: {message}")]
    Endpoint { endpoint: String, message: String },
    #[error("telemetry was set up twice")]
    Twice,
}

impl LogConfig {
    /// # Errors
    /// A `level` that is not a filter.
    pub fn filter(&self) -> Result<EnvFilter, TelemetryError> {
        let bad = |message: String| TelemetryError::Level { level: self.level.clone(), message };
        if self.level.trim().is_empty() {
            return Err(bad("a level is wanted: error, warn, info, debug or trace".into()));
        }
        // A lone word that is no level would be taken for a module's name and silence the rest.
        let lone = !self.level.contains(['=', ',', '[']);
        if lone && self.level.parse::<LevelFilter>().is_err() {
            return Err(bad("not a level: error, warn, info, debug or trace".into()));
        }
        EnvFilter::try_new(&self.level).map_err(|e| bad(e.to_string()))
    }
}

/// Keeps the span export alive; `shutdown` sends what is left.
pub struct Telemetry {
    spans: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sets up logs and spans for the whole process; `own` gets what is logged, too. Called once, inside the tokio
    /// runtime.
    pub fn install(
        service: &str,
        log: &LogConfig,
        tracing: &TracingConfig,
        own: Option<Arc<OwnLines>>,
    ) -> Result<Self, TelemetryError> {
        let json = match log.format {
            LogFormat::Json => true,
            LogFormat::Text => false,
            LogFormat::Auto => !io::stderr().is_terminal(),
        };
        let lines = fmt::layer::<Registry>().with_writer(io::stderr);
        let lines = if json {
            lines.json().flatten_event(true).boxed()
        } else {
            lines.with_ansi(io::stderr().is_terminal()).boxed()
        };
        let spans = span_provider(service, tracing)?;
        let export = spans.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(service.to_owned()))
                .with_filter(own_spans())
        });
        let own = match own {
            Some(own) => Some(own_lines(own, log.filter()?)),
            None => None,
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(log.filter()?))
            .with(export)
            .with(own)
            .try_init()
            .map_err(|_| TelemetryError::Twice)?;
        Ok(Self { spans })
    }

    /// Sends the spans that are still queued, for five seconds at most. Blocks.
    pub fn shutdown(self) {
        if let Some(spans) = self.spans
            && let Err(error) = spans.shutdown_with_timeout(Duration::from_secs(5))
        {
            tracing::warn!(%error, "spans were left unsent");
        }
    }
}

fn span_provider(service: &str, config: &TracingConfig) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if config.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&config.otlp_endpoint)
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(|e| TelemetryError::Endpoint {
            endpoint: config.otlp_endpoint.clone(),
            message: e.to_string(),
        })?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio)));
    let resource = Resource::builder().with_service_name(service.to_owned()).build();
    Ok(Some(
        SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(NoOwnWrites(sampler))
            .with_resource(resource)
            .build(),
    ))
}

/// Leaves out the writes of what this process says of itself, with all that they cause here and elsewhere: every
/// process makes one a second, for ever.
#[derive(Clone, Debug)]
struct NoOwnWrites(Sampler);

impl ShouldSample for NoOwnWrites {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = if name == OWN_WRITE { &Sampler::AlwaysOff } else { &self.0 };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// Spans of ours at info and above. Those of the transport that carries the export are left
/// out: each export would make new ones for ever.
fn own_spans() -> Targets {
    ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry_sdk", "opentelemetry_otlp"]
        .into_iter()
        .fold(Targets::new().with_default(LevelFilter::INFO), |targets, name| {
            targets.with_target(name, LevelFilter::OFF)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::trace::SamplingDecision;

    fn filter(level: &str) -> Result<String, String> {
        let config = LogConfig { level: level.into(), ..LogConfig::default() };
        config.filter().map(|f| f.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn own_writes_are_not_traced() {
        let sampled = |name| {
            let sampler = NoOwnWrites(Sampler::AlwaysOn);
            let result = sampler.should_sample(None, TraceId::from(1), name, &SpanKind::Internal, &[], &[]);
            result.decision == SamplingDecision::RecordAndSample
        };
        assert_eq!((sampled("query"), sampled(OWN_WRITE)), (true, false));
    }

    #[test]
    fn levels_may_differ_by_module() {
        assert_eq!(filter("debug").unwrap(), "debug");
        let parts = filter("info,ingester=debug").unwrap();
        assert!(parts.contains("info") && parts.contains("ingester=debug"), "{parts}");
    }

    #[test]
    fn what_is_no_level_is_named() {
        assert_eq!(
            filter("verbose").unwrap_err(),
            "log.level \"verbose\": not a level: error, warn, info, debug or trace"
        );
        assert!(filter("ingester=loud").unwrap_err().starts_with("log.level \"ingester=loud\""));
        assert!(filter("").is_err());
    }

    #[tokio::test]
    async fn an_endpoint_that_is_no_url_is_named() {
        let config = TracingConfig { otlp_endpoint: "not a url".into(), ..TracingConfig::default() };
        let error = span_provider("yagura", &config).unwrap_err().to_string();
        assert!(error.starts_with("tracing.otlp_endpoint \"not a url\""), "{error}");
    }
}
