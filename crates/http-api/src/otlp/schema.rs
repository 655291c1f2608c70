//! OTLP's messages: the JSON names, numbers and kinds of their fields.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto>, version 1.

/// A message whose fields have names in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
    NumberDataPoint,
    HistogramDataPoint,
    ExponentialHistogramDataPoint,
    Buckets,
    SummaryDataPoint,
    ValueAtQuantile,
    Exemplar,
    Resource,
    Scope,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

/// How a field is written, in JSON and in protobuf. Every one may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Message(Message),
    String,
    /// Base64 in JSON.
    Bytes,
    /// Hexadecimal in JSON: identifiers of traces and spans.
    Hex,
    Bool,
    /// Integers and enumerations.
    Varint,
    /// Zigzag integers.
    Sint,
    Fixed32,
    /// Of either sign.
    Fixed64,
    Double,
}

/// JSON name, number and kind.
type Field = (&'static str, u32, Kind);

use Kind::{Bool, Bytes, Double, Fixed32, Fixed64, Hex, Sint, String as Str, Varint};

/// A field that is a message.
const fn message(name: &'static str, number: u32, message: Message) -> Field {
    (name, number, Kind::Message(message))
}

impl Message {
    /// The number and kind of a field; none if there is no such field.
    pub fn field(self, name: &str) -> Option<(u32, Kind)> {
        self.fields().iter().find(|(known, ..)| *known == name).map(|(_, number, kind)| (*number, *kind))
    }

    fn fields(self) -> &'static [Field] {
        match self {
            Self::LogsRequest => const { &[message("resourceLogs", 1, Message::ResourceLogs)] },
            Self::ResourceLogs => {
                const { &[message("resource", 1, Message::Resource), message("scopeLogs", 2, Message::ScopeLogs)] }
            }
            Self::ScopeLogs => {
                const { &[message("scope", 1, Message::Scope), message("logRecords", 2, Message::LogRecord)] }
            }
            Self::LogRecord => LOG_RECORD,
            Self::MetricsRequest => const { &[message("resourceMetrics", 1, Message::ResourceMetrics)] },
            Self::ResourceMetrics => {
                const {
                    &[
                        message("resource", 1, Message::Resource),
                        message("scopeMetrics", 2, Message::ScopeMetrics),
                    ]
                }
            }
            Self::ScopeMetrics => {
                const { &[message("scope", 1, Message::Scope), message("metrics", 2, Message::Metric)] }
            }
            Self::Metric => METRIC,
            Self::Gauge => const { &[message("dataPoints", 1, Message::NumberDataPoint)] },
            Self::Sum => {
                const {
                    &[
                        message("dataPoints", 1, Message::NumberDataPoint),
                        ("aggregationTemporality", 2, Varint),
                        ("isMonotonic", 3, Bool),
                    ]
                }
            }
            Self::Histogram => {
                const {
                    &[
                        message("dataPoints", 1, Message::HistogramDataPoint),
                        ("aggregationTemporality", 2, Varint),
                    ]
                }
            }
            Self::ExponentialHistogram => {
                const {
                    &[
                        message("dataPoints", 1, Message::ExponentialHistogramDataPoint),
                        ("aggregationTemporality", 2, Varint),
                    ]
                }
            }
            Self::Summary => const { &[message("dataPoints", 1, Message::SummaryDataPoint)] },
            Self::NumberDataPoint => NUMBER_DATA_POINT,
            Self::HistogramDataPoint => HISTOGRAM_DATA_POINT,
            Self::ExponentialHistogramDataPoint => EXPONENTIAL_HISTOGRAM_DATA_POINT,
            Self::Buckets => &[("offset", 1, Sint), ("bucketCounts", 2, Varint)],
            Self::SummaryDataPoint => SUMMARY_DATA_POINT,
            Self::ValueAtQuantile => &[("quantile", 1, Double), ("value", 2, Double)],
            Self::Exemplar => EXEMPLAR,
            Self::Resource => const { &[message("attributes", 1, Message::KeyValue)] },
            Self::Scope => {
                const {
                    &[
                        ("name", 1, Str),
                        ("version", 2, Str),
                        message("attributes", 3, Message::KeyValue),
                        ("droppedAttributesCount", 4, Varint),
                    ]
                }
            }
            Self::KeyValue => const { &[("key", 1, Str), message("value", 2, Message::AnyValue)] },
            Self::AnyValue => ANY_VALUE,
            Self::ArrayValue => const { &[message("values", 1, Message::AnyValue)] },
            Self::KeyValueList => const { &[message("values", 1, Message::KeyValue)] },
        }
    }
}

const LOG_RECORD: &[Field] = &[
    ("timeUnixNano", 1, Fixed64),
    ("severityNumber", 2, Varint),
    ("severityText", 3, Str),
    message("body", 5, Message::AnyValue),
    message("attributes", 6, Message::KeyValue),
    ("droppedAttributesCount", 7, Varint),
    ("flags", 8, Fixed32),
    ("traceId", 9, Hex),
    ("spanId", 10, Hex),
    ("observedTimeUnixNano", 11, Fixed64),
    ("eventName", 12, Str),
];

const METRIC: &[Field] = &[
    ("name", 1, Str),
    ("description", 2, Str),
    ("unit", 3, Str),
    message("gauge", 5, Message::Gauge),
    message("sum", 7, Message::Sum),
    message("histogram", 9, Message::Histogram),
    message("exponentialHistogram", 10, Message::ExponentialHistogram),
    message("summary", 11, Message::Summary),
];

const NUMBER_DATA_POINT: &[Field] = &[
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("asDouble", 4, Double),
    message("exemplars", 5, Message::Exemplar),
    ("asInt", 6, Fixed64),
    message("attributes", 7, Message::KeyValue),
    ("flags", 8, Varint),
];

const HISTOGRAM_DATA_POINT: &[Field] = &[
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("bucketCounts", 6, Fixed64),
    ("explicitBounds", 7, Double),
    message("exemplars", 8, Message::Exemplar),
    message("attributes", 9, Message::KeyValue),
    ("flags", 10, Varint),
];

const EXPONENTIAL_HISTOGRAM_DATA_POINT: &[Field] = &[
    message("attributes", 1, Message::KeyValue),
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("scale", 6, Sint),
    ("zeroCount", 7, Fixed64),
    message("positive", 8, Message::Buckets),
    message("negative", 9, Message::Buckets),
    ("flags", 10, Varint),
    message("exemplars", 11, Message::Exemplar),
];

const SUMMARY_DATA_POINT: &[Field] = &[
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    message("quantileValues", 6, Message::ValueAtQuantile),
    message("attributes", 7, Message::KeyValue),
    ("flags", 8, Varint),
];

const EXEMPLAR: &[Field] = &[
    ("timeUnixNano", 2, Fixed64),
    ("asDouble", 3, Double),
    ("spanId", 4, Hex),
    ("traceId", 5, Hex),
    ("asInt", 6, Fixed64),
    message("filteredAttributes", 7, Message::KeyValue),
];

const ANY_VALUE: &[Field] = &[
    ("stringValue", 1, Str),
    ("boolValue", 2, Bool),
    ("intValue", 3, Varint),
    ("doubleValue", 4, Double),
    message("arrayValue", 5, Message::ArrayValue),
    message("kvlistValue", 6, Message::KeyValueList),
    ("bytesValue", 7, Bytes),
];
