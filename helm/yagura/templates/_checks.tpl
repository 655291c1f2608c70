{{/* Values that cannot work are refused, with what to do. What concerns one value alone is in the schema. */}}

{{- define "yagura.check" -}}
{{- $v := .Values -}}
{{- $distributed := eq $v.mode "distributed" -}}
{{- $found := list -}}

{{- range $key, $in := include "yagura.ownSettings" . | fromYaml -}}
{{- $at := $v.config -}}
{{- range $part := splitList "." $key -}}
{{- if and (kindIs "map" $at) (hasKey $at $part) -}}{{- $at = get $at $part -}}{{- else -}}{{- $at = "" -}}{{- end -}}
{{- end -}}
{{- if ne ($at | toString) "" -}}
{{- $found = append $found (printf "config.%s is made by the chart: set %s." $key $in) -}}
{{- end -}}
{{- end -}}

{{- if and $v.objectStore.bucket $v.minio.enabled -}}
{{- $found = append $found "objectStore.bucket and minio.enabled are both set: blocks can be kept in one place only." -}}
{{- end -}}
{{- if and $v.minio.enabled (lt (len $v.minio.rootPassword) 8) -}}
{{- $found = append $found "minio.enabled needs a minio.rootPassword of at least 8 characters." -}}
{{- end -}}
{{- if and (not $v.objectStore.bucket) (or $v.objectStore.endpoint $v.objectStore.existingSecret $v.objectStore.prefix) -}}
{{- $found = append $found "objectStore has no bucket: set objectStore.bucket." -}}
{{- end -}}

{{- if $distributed -}}
{{- if not (include "yagura.bucketUrl" .) -}}
{{- $found = append $found "mode distributed needs an object store that all processes reach: set objectStore.bucket (or, to try, minio.enabled)." -}}
{{- end -}}
{{- if and $v.etcd.enabled $v.etcd.endpoints -}}
{{- $found = append $found "etcd.enabled and etcd.endpoints are both set: use one etcd, this chart's or yours." -}}
{{- else if not (or $v.etcd.enabled $v.etcd.endpoints) -}}
{{- $found = append $found "mode distributed needs etcd, where processes find each other: set etcd.endpoints to yours, or etcd.enabled for a small one." -}}
{{- end -}}
{{- $https := 0 -}}
{{- range $v.etcd.endpoints -}}{{- if hasPrefix "https://" . -}}{{- $https = add1 $https -}}{{- end -}}{{- end -}}
{{- if and (gt (int $https) 0) (lt (int $https) (len $v.etcd.endpoints)) -}}
{{- $found = append $found "etcd.endpoints are partly http:// and partly https://: all must be the same." -}}
{{- end -}}
{{- if and (gt (int $https) 0) (not $v.etcd.tls.existingSecret) -}}
{{- $found = append $found "etcd.endpoints with https:// need etcd.tls.existingSecret, a Secret with the ca.crt that signed etcd's certificate." -}}
{{- end -}}
{{- if and $v.etcd.tls.existingSecret (eq (int $https) 0) -}}
{{- $found = append $found "etcd.tls.existingSecret is set, but no etcd.endpoints begin with https://." -}}
{{- end -}}
{{- if and $v.etcd.auth.username (not $v.etcd.auth.passwordSecret.name) -}}
{{- $found = append $found "etcd.auth.username needs etcd.auth.passwordSecret.name, the Secret with its password." -}}
{{- end -}}
{{- if and $v.etcd.auth.username $v.etcd.enabled -}}
{{- $found = append $found "the etcd of this chart knows no users: leave etcd.auth.username empty; network policies and tls.enabled keep others away." -}}
{{- end -}}

{{- $names := list -}}
{{- range $v.ingester.zones -}}{{- $names = append $names .name -}}{{- end -}}
{{- $zones := len $names -}}
{{- if and (gt $zones 0) (lt $zones (int $v.replicationFactor)) -}}
{{- $found = append $found (printf "ingester.zones has %d zones, fewer than replicationFactor (%d): two copies of an entry could be in one zone, and be lost with it. Name at least %d zones, or none." $zones (int $v.replicationFactor) (int $v.replicationFactor)) -}}
{{- end -}}
{{- if ne (len (uniq $names)) $zones -}}
{{- $found = append $found "ingester.zones names a zone twice." -}}
{{- end -}}
{{- $given := list -}}
{{- range $v.ingester.zones -}}{{- if .topologyZone -}}{{- $given = append $given .topologyZone -}}{{- end -}}{{- end -}}
{{- if and $given (ne (len (uniq $given)) $zones) -}}
{{- $found = append $found "ingester.zones must each have a topologyZone of their own, or none of them one." -}}
{{- end -}}
{{- $ingesters := include "yagura.minimum" (dict "root" $ "component" "ingester") | int -}}
{{- if lt $ingesters (int $v.replicationFactor) -}}
{{- $found = append $found (printf "ingester.replicas is %d, fewer than replicationFactor (%d): no entry could be kept that often." $ingesters (int $v.replicationFactor)) -}}
{{- end -}}
{{- if and $v.ingester.rolloutOperator (not $v.ingester.zones) -}}
{{- $found = append $found "ingester.rolloutOperator is for zones: set ingester.zones, or leave it false; one StatefulSet is rolled out safely by itself." -}}
{{- end -}}
{{- if and $v.ingester.rolloutOperator (ne $v.ingester.updateStrategy "OnDelete") -}}
{{- $found = append $found "ingester.rolloutOperator needs ingester.updateStrategy OnDelete: the operator deletes the pods." -}}
{{- end -}}
{{- if and $v.auth.tokensSecret.name (not $v.tls.enabled) -}}
{{- $found = append $found "auth.tokensSecret in mode distributed needs tls.enabled: gRPC between processes takes the tenant's name from its peers, so they must show certificates." -}}
{{- end -}}
{{- range $name := list "distributor" "querier" -}}
{{- with (index $v $name).autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $found = append $found (printf "%s.autoscaling: minReplicas is above maxReplicas." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- if or $v.etcd.enabled $v.etcd.endpoints -}}
{{- $found = append $found "etcd is for mode distributed: one process finds itself. Set mode: distributed, or leave etcd away." -}}
{{- end -}}
{{- if $v.ingester.zones -}}
{{- $found = append $found "ingester.zones is for mode distributed: set mode: distributed, or leave it away." -}}
{{- end -}}
{{- if and $v.tls.enabled (not $v.tls.http) -}}
{{- $found = append $found "tls.enabled encrypts what processes say to each other, and in mode single there is one: set tls.http for HTTP, or tls.enabled: false." -}}
{{- end -}}
{{- end -}}

{{- if and $v.tls.http (not $v.tls.enabled) -}}
{{- $found = append $found "tls.http needs tls.enabled." -}}
{{- end -}}
{{- if $v.tls.enabled -}}
{{- if and $v.tls.existingSecret $v.tls.certManager.issuerRef.name -}}
{{- $found = append $found "tls.existingSecret and tls.certManager.issuerRef are both set: certificates come from one of them." -}}
{{- else if not (or $v.tls.existingSecret $v.tls.certManager.issuerRef.name) -}}
{{- $found = append $found "tls.enabled needs certificates: set tls.certManager.issuerRef.name, or tls.existingSecret to a Secret with ca.crt, tls.crt and tls.key." -}}
{{- end -}}
{{- end -}}
{{- if and $v.alerting.alertmanagers $v.alerting.urlsSecret.name -}}
{{- $found = append $found "alerting.alertmanagers and alerting.urlsSecret are both set: put all URLs into the Secret." -}}
{{- end -}}
{{- if not $v.multitenancy.enabled -}}
{{- range $key, $tenants := dict "rules.metrics" $v.rules.metrics "rules.logs" $v.rules.logs "overrides" $v.overrides -}}
{{- range $tenant, $_ := $tenants -}}
{{- if ne $tenant "anonymous" -}}
{{- $found = append $found (printf "%s is for the tenant %s, but without multitenancy.enabled all data is of the tenant anonymous." $key $tenant) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- $found = append $found "ingress.enabled needs ingress.hosts: without a host it would answer for every name." -}}
{{- end -}}
{{- if and $v.gateway.enabled (not $v.gateway.parentRefs) -}}
{{- $found = append $found "gateway.enabled needs gateway.parentRefs, the Gateways that take the requests." -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.auth.tokensSecret.name (not $v.auth.openMetrics) (not $v.serviceMonitor.tokenSecret.name) -}}
{{- $found = append $found "serviceMonitor.enabled with auth.tokensSecret needs serviceMonitor.tokenSecret, or auth.openMetrics: /metrics asks for a token." -}}
{{- end -}}
{{- if and $v.dashboards.enabled (not (include "yagura.dashboardFiles" .)) -}}
{{- $found = append $found "dashboards.enabled: this copy of the chart has no dashboards in its folder mixin." -}}
{{- end -}}
{{- if and $v.prometheusRule.enabled (not (include "yagura.ruleFiles" .)) -}}
{{- $found = append $found "prometheusRule.enabled: this copy of the chart has no alerts in its folder mixin." -}}
{{- end -}}

{{- with $found -}}
{{- fail (printf "\n\nThese values cannot work:\n- %s\n" (join "\n- " .)) -}}
{{- end -}}
{{- end -}}
