//! An S3 server on a real socket, over a folder.

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use std::{path::Path, sync::Arc};
use tokio::{net::TcpListener, sync::Mutex};

pub const ACCESS_KEY: &str = "AKIDTEST";
pub const SECRET_KEY: &str = "a secret of some length";

/// Serves until the test's runtime ends; gives the endpoint's URL. Buckets are folders of `root`.
pub async fn serve(root: &Path) -> String {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a folder"));
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    // s3s-fs looks and then writes: two conditional puts at once would both succeed.
    let conditional = Arc::new(Mutex::new(()));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).expect("TCP_NODELAY");
            let (service, conditional) = (service.clone(), Arc::clone(&conditional));
            let answer = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let (service, conditional) = (service.clone(), Arc::clone(&conditional));
                async move {
                    let headers = request.headers();
                    let alone = headers.contains_key("if-match") || headers.contains_key("if-none-match");
                    let _guard = if alone { Some(conditional.lock().await) } else { None };
                    hyper::service::Service::call(&service, request).await
                }
            });
            tokio::spawn(async move {
                let _ =
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    });
    format!("http://{address}")
}
