//! gRPC between roles.
