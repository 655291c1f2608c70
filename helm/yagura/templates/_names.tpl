{{/* Names, labels, images: what every object has. */}}

{{/* Short: behind it come a role and a zone, and names of StatefulSets have at most 52 characters. */}}
{{- define "yagura.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What selects pods, which must never change. A dict of root, component, and for what is not Yagura name. */}}
{{- define "yagura.selectorLabels" -}}
app.kubernetes.io/name: {{ .name | default "yagura" }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . | quote }}
{{- end }}
{{- with .zone }}
yagura/zone: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* All labels. Ours stand, whatever commonLabels say. */}}
{{- define "yagura.labels" -}}
{{- $ours := include "yagura.selectorLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/part-of" "yagura" -}}
{{- $_ := set $ours "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (deepCopy .root.Values.commonLabels) $ours | toYaml -}}
{{- end -}}

{{/* Without versions, so that an upgrade of the chart alone replaces no pod. */}}
{{- define "yagura.podLabels" -}}
{{- omit (include "yagura.labels" . | fromYaml) "helm.sh/chart" "app.kubernetes.io/version" | toYaml -}}
{{- end -}}

{{- define "yagura.metadata" -}}
name: {{ .objectName | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels: {{- include "yagura.labels" . | nindent 2 }}
{{- with .annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "yagura.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "yagura.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
{{ include "yagura.fullname" . }}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* The roles that run as processes of their own, as a list under `roles`. */}}
{{- define "yagura.roles" -}}
roles: {{ ternary (list "single") (list "distributor" "ingester" "querier" "ruler" "compactor") (eq .Values.mode "single") | toJson }}
{{- end -}}

{{/* HTTP as clients see it. */}}
{{- define "yagura.httpScheme" -}}
{{ ternary "https" "http" .Values.tls.http }}
{{- end -}}

{{- define "yagura.writeUrl" -}}
{{ include "yagura.httpScheme" . }}://{{ include "yagura.fullname" . }}-write.{{ .Release.Namespace }}.svc:9009
{{- end -}}

{{- define "yagura.readUrl" -}}
{{ include "yagura.httpScheme" . }}://{{ include "yagura.fullname" . }}-read.{{ .Release.Namespace }}.svc:9009
{{- end -}}

{{- define "yagura.externalUrl" -}}
{{- if .Values.externalUrl -}}
{{ .Values.externalUrl }}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{ ternary "https" "http" (not (empty .Values.ingress.tls)) }}://{{ first .Values.ingress.hosts }}
{{- else if and .Values.gateway.enabled .Values.gateway.hostnames -}}
https://{{ first .Values.gateway.hostnames }}
{{- else -}}
{{ include "yagura.readUrl" . }}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate of the roles. */}}
{{- define "yagura.tlsSecret" -}}
{{ .Values.tls.existingSecret | default (printf "%s-tls" (include "yagura.fullname" .)) }}
{{- end -}}

{{- define "yagura.tlsServerName" -}}
{{ .Values.tls.serverName | default (include "yagura.fullname" .) }}
{{- end -}}

{{/* Non-empty if the files of the certificate are mounted. */}}
{{- define "yagura.mountsTls" -}}
{{- if .Values.tls.enabled -}}yes{{- end -}}
{{- end -}}

{{- define "yagura.etcdEndpoints" -}}
{{- if .Values.etcd.enabled -}}
{{- $name := printf "%s-etcd" (include "yagura.fullname" .) -}}
{{- $found := list -}}
{{- range $i := until (int .Values.etcd.replicas) -}}
{{- $found = append $found (printf "%s://%s-%d.%s.%s.svc:2379" (ternary "https" "http" $.Values.tls.enabled) $name $i $name $.Release.Namespace) -}}
{{- end -}}
{{- join "," $found -}}
{{- else -}}
{{- join "," .Values.etcd.endpoints -}}
{{- end -}}
{{- end -}}

{{- define "yagura.s3Endpoint" -}}
{{- if .Values.minio.enabled -}}
http://{{ include "yagura.fullname" . }}-minio.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{ .Values.objectStore.endpoint }}
{{- end -}}
{{- end -}}

{{/* Empty: the folder on the disk of the one process. */}}
{{- define "yagura.bucketUrl" -}}
{{- if .Values.minio.enabled -}}
s3://yagura
{{- else if .Values.objectStore.bucket -}}
s3://{{ .Values.objectStore.bucket }}{{ with .Values.objectStore.prefix }}/{{ trimAll "/" . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The Secret with the object store's keys, or nothing. */}}
{{- define "yagura.s3Secret" -}}
{{- if .Values.minio.enabled -}}
{{ include "yagura.fullname" . }}-minio
{{- else -}}
{{ .Values.objectStore.existingSecret }}
{{- end -}}
{{- end -}}

{{/* How many pods a component has at least. A dict of root and component. */}}
{{- define "yagura.minimum" -}}
{{- $c := index .root.Values .component -}}
{{- if and (hasKey $c "autoscaling") $c.autoscaling.enabled -}}
{{ $c.autoscaling.minReplicas }}
{{- else if eq .component "ingester" -}}
{{- $all := ternary (int $c.replicas) 0 (empty $c.zones) -}}
{{- range $c.zones -}}{{- $all = add $all (.replicas | default $c.replicas | int) -}}{{- end -}}
{{ $all }}
{{- else -}}
{{ $c.replicas }}
{{- end -}}
{{- end -}}
