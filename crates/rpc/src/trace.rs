//! Passes the trace of a call on, as W3C's `traceparent`.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use tonic::metadata::MetadataMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The span of a call, on the side that makes it.
pub fn client_span(method: &'static str, peer: &str) -> Span {
    tracing::info_span!("rpc call", otel.name = method, otel.kind = "client", peer)
}

/// The span of a call, on the side that answers it; a child of the caller's.
pub fn server_span(method: &'static str, metadata: &MetadataMap) -> Span {
    let span = tracing::info_span!("rpc", otel.name = method, otel.kind = "server");
    if let Some(caller) = metadata.get(TRACEPARENT).and_then(|header| parse(header.to_str().ok()?)) {
        // Fails only where nobody listens to spans.
        let _ = span.set_parent(Context::new().with_remote_span_context(caller));
    }
    span
}

/// Names `span` as the parent of what the peer does.
pub fn inject(span: &Span, metadata: &mut MetadataMap) {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    if !span.is_valid() {
        return;
    }
    let header = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    if let Ok(header) = header.parse() {
        metadata.insert(TRACEPARENT, header);
    }
}

fn parse(header: &str) -> Option<SpanContext> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_a_span_or_nothing() {
        let caller = parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(caller.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(caller.span_id().to_string(), "b7ad6b7169203331");
        assert!(caller.is_sampled() && caller.is_remote());
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333x-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
