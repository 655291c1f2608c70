//! Rules the whole way: they come over HTTP, from files or from the command line, are evaluated, and alerts arrive.

mod alerts;
mod api;
mod commands;
mod folders;
mod tenants;

use integration_tests::{Answer, Yagura};
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(20);

/// Posts one group and gives whatever is answered.
async fn post(yagura: &Yagura, path: &str, yaml: &str) -> Answer {
    yagura.post(path, &[("content-type", "application/yaml")], yaml.as_bytes().to_vec()).await
}

/// Posts one group, which must be taken.
async fn take(yagura: &Yagura, path: &str, yaml: &str) {
    let answer = post(yagura, path, yaml).await;
    assert_eq!(answer.status, 202, "{path}: {}", answer.body);
}

/// `data` of what is answered in the shape of Prometheus.
async fn data(yagura: &Yagura, path: &str) -> Value {
    let answer = yagura.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let mut body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["status"], "success", "{path}");
    body["data"].take()
}

/// All groups, as `GET /api/v1/rules` shows them.
async fn groups(yagura: &Yagura) -> Vec<Value> {
    data(yagura, "/api/v1/rules").await["groups"].as_array().unwrap().clone()
}

/// Asks until there is something.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / 100 {
        if let Some(found) = ask().await {
            return found;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("not within {PATIENCE:?}: {what}");
}

/// The group of a namespace when all of its rules have been evaluated without an error.
async fn evaluated(yagura: &Yagura, namespace: &str, group: &str) -> Value {
    until(&format!("{namespace}/{group} is well"), async || {
        let mut groups = groups(yagura).await;
        let at = groups.iter().position(|g| g["file"] == namespace && g["name"] == group)?;
        let group = groups.swap_remove(at);
        let is_well = |rule: &Value| rule["health"] == "ok";
        group["rules"].as_array().unwrap().iter().all(is_well).then_some(group)
    })
    .await
}
