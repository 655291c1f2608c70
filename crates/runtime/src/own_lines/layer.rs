//! The layer that puts lines into the queue, and the span under which they are stored.
//!
//! Storing lines makes lines, and they must not make more for ever. What is logged under the span is not kept. What
//! other tasks and processes log of the same write is as much for a write of one line as for one of a thousand,
//! and there is one write a second, so that is bounded. Only HTTP/2 and those around it log by the amount of bytes,
//! at `debug` and `trace`; so of them only warnings are kept, whatever `log.level` says.

use super::OwnLines;
use std::{io, sync::Arc};
use tracing::{
    Level, Metadata, Span, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, Interest},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    layer::{Context, Filter, SubscriberExt},
    registry::LookupSpan,
};

/// Of the span.
pub const NAME: &str = "own_write";
const TARGET: &str = "self_scrape";

/// The crates that carry requests. Their targets begin with these words.
const TRANSPORT: [&str; 7] = ["h2", "hyper", "hyper_util", "rustls", "tokio_rustls", "tonic", "tower"];

/// What is logged under this span is printed, but is none of [`OwnLines`].
pub fn own_writes() -> Span {
    // Of the highest level, so that there is no `log.level` but `off` without it.
    tracing::error_span!(target: TARGET, NAME)
}

fn is_marker(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET && metadata.name() == NAME
}

/// Keeps what `level` lets through, as the JSON that is printed with `log.format: json`.
pub(crate) fn own_lines<S>(lines: Arc<OwnLines>, level: EnvFilter) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fmt::layer().json().flatten_event(true).with_writer(Writers(lines)).with_filter(Kept(level))
}

/// Keeps what this thread logs while the guard lives: for tests.
pub fn log_into(lines: Arc<OwnLines>, level: &str) -> DefaultGuard {
    let layer = own_lines(lines, EnvFilter::new(level));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

struct Writers(Arc<OwnLines>);

struct Writer<'a> {
    lines: &'a OwnLines,
    level: Level,
}

impl<'a> MakeWriter<'a> for Writers {
    type Writer = Writer<'a>;

    fn make_writer(&'a self) -> Writer<'a> {
        Writer { lines: &self.0, level: Level::INFO }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Writer<'a> {
        Writer { lines: &self.0, level: *metadata.level() }
    }
}

/// Gets one line with its newline at once.
impl io::Write for Writer<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.lines.push(self.level, text.trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Kept(EnvFilter);

fn is_transport(metadata: &Metadata<'_>) -> bool {
    let word = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() > Level::WARN && TRANSPORT.contains(&word)
}

fn is_own<S>(context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    context.lookup_current().is_some_and(|span| span.scope().any(|span| is_marker(span.metadata())))
}

impl<S> Filter<S> for Kept
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        if is_marker(metadata) {
            return true;
        }
        !is_transport(metadata)
            && Filter::<S>::enabled(&self.0, metadata, context)
            && !(metadata.is_event() && is_own(context))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_marker(metadata) {
            return Interest::always();
        }
        if is_transport(metadata) {
            return Interest::never();
        }
        let interest = Filter::<S>::callsite_enabled(&self.0, metadata);
        // It depends on the span in which it is logged.
        if interest.is_always() && metadata.is_event() { Interest::sometimes() } else { interest }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.0)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_new_span(&self.0, attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Filter::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Filter::<S>::on_close(&self.0, id, context);
    }
}
