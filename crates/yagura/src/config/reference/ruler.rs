//! What the settings of the ruler mean.

use super::Section;
use crate::config::units::Unit::{None as Plain, Seconds, Secret};

pub const RULER: Section = (
    "ruler",
    "Rules and alerts",
    &[
        (
            "ruler.rules_dir",
            Plain,
            "A folder with rule files beside those that are stored by requests: `TENANT/FILE.yaml`, and `FILE.yaml` for the tenant `anonymous`. All rulers of a cluster need the same. Empty: none.",
        ),
        (
            "ruler.log_rules_dir",
            Plain,
            "The same for rule files of Loki: what does not say `lang: promql` is LogQL.",
        ),
        (
            "ruler.poll_interval",
            Seconds,
            "How often rules are looked for that have changed. Of changes by requests rulers are told at once.",
        ),
        ("ruler.evaluation_interval", Seconds, "The interval of groups that name none."),
        ("ruler.query_offset", Seconds, "How far queries of groups look back that name no `query_offset`."),
        ("ruler.concurrent_evaluations", Plain, "Groups that one ruler evaluates at once; others wait."),
        (
            "ruler.remote_evaluation",
            Plain,
            "Whether a ruler has queriers evaluate expressions, as far as these give floats, and does not do it itself.",
        ),
        (
            "ruler.claim_timeout",
            Seconds,
            "After how long the groups of a ruler that has died are taken over. A ruler that cannot reach `ring.etcd` stops writing before that, unless nobody else reaches it either.",
        ),
        ("ruler.resend_delay", Seconds, "After how long an alert that still fires is sent again."),
        (
            "ruler.outage_tolerance",
            Seconds,
            "For how long nobody may have evaluated a group, so that `for` of its alerts goes on where it was.",
        ),
        (
            "ruler.grace_period",
            Seconds,
            "How long such alerts at least wait before they fire. Those whose `for` is shorter begin anew.",
        ),
        (
            "ruler.external_url",
            Plain,
            "Where users reach this server or its Grafana, for links in alerts. Empty: `http://` and `http.listen`.",
        ),
        (
            "ruler.external_labels",
            Plain,
            "Labels that alerts get that are sent: `name=value` with commas between.",
        ),
        (
            "ruler.alertmanager_url",
            Secret,
            "URLs of Alertmanagers with commas between, such as `http://user:password@am-0:9093,http://am-1:9093`.",
        ),
        (
            "ruler.alertmanagers_file",
            Plain,
            "A YAML file with what Prometheus has in the section `alerting`: `alertmanagers` with static, DNS and file discovery, passwords and TLS, and `alert_relabel_configs`. Reread when it changes. Empty: none.",
        ),
        (
            "ruler.tenant_networks",
            Plain,
            "Networks such as `10.1.0.0/16`, with commas between, in which Alertmanagers of tenants may be beside public ones.",
        ),
    ],
);
