//! gRPC's standard health check.

use crate::{
    RING_STORE,
    proto::health::{
        HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
    },
};
use tonic::{Request, Response, Status};

pub struct HealthService<R, S> {
    pub ready: R,
    pub store: S,
}

#[tonic::async_trait]
impl<R, S> Health for HealthService<R, S>
where
    R: Fn() -> bool + Send + Sync + 'static,
    S: Fn() -> bool + Send + Sync + 'static,
{
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let good = if request.get_ref().service == RING_STORE { (self.store)() } else { (self.ready)() };
        let status = if good { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }
}
