//! LogQL: parser, pipelines over log lines, metric queries.
