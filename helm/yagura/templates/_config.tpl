{{/* Yagura's configuration: what users set under `config`, and over it what follows from other values. */}}

{{/* Settings that the chart makes, each with what to set in its place. */}}
{{- define "yagura.ownSettings" -}}
target: "mode"
data_dir: "nothing: it is /data"
http.listen: "ipFamily"
http.tls: "tls.http"
grpc.listen: "ipFamily"
grpc.tls: "tls"
auth: "auth"
multitenancy: "multitenancy"
bucket: "objectStore"
s3: "objectStore, with the keys in the Secret objectStore.existingSecret"
limits.overrides_file: "overrides"
ring.store: "mode"
ring.instance_id: "nothing: it is the pod's name"
ring.zone: "ingester.zones"
ring.replication_factor: "replicationFactor"
ring.advertise: "ipFamily"
ring.etcd: "etcd"
ruler.rules_dir: "rules.metrics"
ruler.log_rules_dir: "rules.logs"
ruler.external_url: "externalUrl"
ruler.alertmanager_url: "alerting.alertmanagers or alerting.urlsSecret"
ruler.alertmanagers_file: "alerting.fileSecret"
cache.disk_dir: "querier.diskCache"
cache.disk_bytes: "querier.diskCache"
{{- end -}}

{{- define "yagura.config" -}}
{{- $anywhere := ternary "0.0.0.0" "[::]" (eq .Values.ipFamily "IPv4") -}}
{{- $http := dict "listen" (printf "%s:9009" $anywhere) -}}
{{- $grpc := dict "listen" (printf "%s:9095" $anywhere) -}}
{{- $ruler := dict "external_url" (include "yagura.externalUrl" .) -}}
{{- $own := dict "data_dir" "/data" "http" $http "ruler" $ruler -}}
{{- $_ := set $own "multitenancy" (dict "enabled" .Values.multitenancy.enabled "federation" .Values.multitenancy.federation) -}}
{{- $files := dict "cert_file" "/etc/yagura/tls/tls.crt" "key_file" "/etc/yagura/tls/tls.key" -}}
{{- if .Values.tls.http -}}
{{- $_ := set $http "tls" $files -}}
{{- end -}}
{{- with include "yagura.bucketUrl" . -}}
{{- $_ := set $own "bucket" (dict "url" .) -}}
{{- $s3 := dict -}}
{{- with include "yagura.s3Endpoint" $ -}}{{- $_ := set $s3 "endpoint" . -}}{{- end -}}
{{- with ternary "us-east-1" $.Values.objectStore.region $.Values.minio.enabled -}}{{- $_ := set $s3 "region" . -}}{{- end -}}
{{- with $s3 -}}{{- $_ := set $own "s3" $s3 -}}{{- end -}}
{{- end -}}
{{- if .Values.auth.tokensSecret.name -}}
{{- $_ := set $own "auth" (dict "tokens_file" "/etc/yagura/tokens/tokens.yaml" "open_metrics" .Values.auth.openMetrics) -}}
{{- end -}}
{{- if .Values.overrides -}}
{{- $_ := set $own "limits" (dict "overrides_file" "/etc/yagura/tenants/overrides.yaml") -}}
{{- end -}}
{{- if .Values.rules.metrics -}}{{- $_ := set $ruler "rules_dir" "/etc/yagura/rules" -}}{{- end -}}
{{- if .Values.rules.logs -}}{{- $_ := set $ruler "log_rules_dir" "/etc/yagura/log-rules" -}}{{- end -}}
{{- with .Values.alerting.alertmanagers -}}{{- $_ := set $ruler "alertmanager_url" (join "," .) -}}{{- end -}}
{{- if .Values.alerting.fileSecret.name -}}
{{- $_ := set $ruler "alertmanagers_file" "/etc/yagura/alertmanagers/alertmanagers.yaml" -}}
{{- end -}}
{{- if eq .Values.mode "distributed" -}}
{{- $etcd := dict "endpoints" (include "yagura.etcdEndpoints" .) "prefix" .Values.etcd.prefix -}}
{{- with .Values.etcd.auth.username -}}{{- $_ := set $etcd "username" . -}}{{- end -}}
{{- if .Values.etcd.tls.existingSecret -}}
{{- $tls := dict "ca_file" "/etc/yagura/etcd-tls/ca.crt" -}}
{{- if .Values.etcd.tls.clientCertificate -}}
{{- $tls = merge $tls (dict "cert_file" "/etc/yagura/etcd-tls/tls.crt" "key_file" "/etc/yagura/etcd-tls/tls.key") -}}
{{- end -}}
{{- $_ := set $etcd "tls" $tls -}}
{{- else if and .Values.etcd.enabled .Values.tls.enabled -}}
{{- $_ := set $etcd "tls" (merge (dict "ca_file" "/etc/yagura/tls/ca.crt") $files) -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $grpc "tls" (merge (dict "ca_file" "/etc/yagura/tls/ca.crt" "server_name" (include "yagura.tlsServerName" .)) $files) -}}
{{- end -}}
{{- $_ := set $own "grpc" $grpc -}}
{{- $_ := set $own "ring" (dict "store" "etcd" "replication_factor" .Values.replicationFactor "etcd" $etcd) -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}
