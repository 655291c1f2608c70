//! Answers in the format of the request.

use crate::{complaints::Complaint, error, json};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use prost::Message;
use service_api::{Code, Error};

/// How a request is written, and how it wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Protobuf,
    Json,
}

/// `ExportLogsServiceResponse` and `ExportMetricsServiceResponse`, which are numbered alike.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What kind of entries a JSON answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    LogRecords,
    DataPoints,
}

/// 200, with how many entries were refused, if any were.
pub fn accepted(format: Format, entries: Entries, rejected: u64, message: &str) -> Response {
    let body = match format {
        Format::Protobuf => {
            let partial_success = (rejected > 0).then(|| PartialSuccess {
                rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
                error_message: message.to_owned(),
            });
            ExportResponse { partial_success }.encode_to_vec()
        }
        Format::Json if rejected == 0 => b"{}".to_vec(),
        Format::Json => {
            let name = match entries {
                Entries::LogRecords => "rejectedLogRecords",
                Entries::DataPoints => "rejectedDataPoints",
            };
            // 64-bit integers are strings in protobuf's JSON.
            let mut out =
                format!(r#"{{"partialSuccess":{{"{name}":"{rejected}","errorMessage":"#).into_bytes();
            json::string(&mut out, message);
            out.extend_from_slice(b"}}");
            out
        }
    };
    respond(StatusCode::OK, format, body)
}

/// An error of the whole request.
pub fn failed(format: Format, error: &Error) -> Response {
    // A sender gives up after 500, and tries again after 503.
    let code = if error.code == Code::Internal { Code::Unavailable } else { error.code };
    let mut response = status(error::status(code), format, rpc_code(code), &error.message);
    response.extensions_mut().insert(Complaint(error.clone()));
    if matches!(code, Code::Unavailable | Code::RateLimited) {
        response.headers_mut().insert(header::RETRY_AFTER, error::RETRY_AFTER);
    }
    response
}

/// 415: a request in a form that is not read.
pub fn unsupported(format: Format, why: &str) -> Response {
    status(StatusCode::UNSUPPORTED_MEDIA_TYPE, format, rpc_code(Code::BadRequest), why)
}

fn status(status: StatusCode, format: Format, code: i32, message: &str) -> Response {
    let body = match format {
        Format::Protobuf => Status { code, message: message.to_owned() }.encode_to_vec(),
        Format::Json => {
            let mut out = format!(r#"{{"code":{code},"message":"#).into_bytes();
            json::string(&mut out, message);
            out.push(b'}');
            out
        }
    };
    respond(status, format, body)
}

fn respond(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let content_type = HeaderValue::from_static(match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    });
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The numbers of `google.rpc.Code`.
fn rpc_code(code: Code) -> i32 {
    match code {
        Code::Canceled => 1,
        Code::BadRequest | Code::Unprocessable => 3,
        Code::Timeout => 4,
        Code::NotFound => 5,
        Code::Forbidden => 7,
        Code::TooLarge | Code::RateLimited => 8,
        Code::Internal => 13,
        Code::Unavailable => 14,
        Code::Unauthenticated => 16,
    }
}
