//! gRPC's standard health check.

use crate::proto::health::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};
use tonic::{Request, Response, Status};

pub struct HealthService<F> {
    pub ready: F,
}

#[tonic::async_trait]
impl<F: Fn() -> bool + Send + Sync + 'static> Health for HealthService<F> {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let status = if (self.ready)() { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }
}
