{{/* The pod of a role. A dict of root, component, and for ingesters in zones zone (an item of ingester.zones). */}}

{{- define "yagura.pod" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
{{- $role := .component -}}
{{- $c := index $v $role -}}
{{- $zone := .zone -}}
{{- $distributed := eq $v.mode "distributed" -}}
{{- $scheme := include "yagura.httpScheme" $root | upper -}}
{{- $names := dict "root" $root "component" $role "zone" (get ($zone | default dict) "name") -}}
metadata:
  annotations:
    {{- /* Pods are replaced when the configuration changes. Rules, overrides, tokens and certificates are reread. */}}
    {{- mergeOverwrite (deepCopy $c.podAnnotations) (dict "checksum/config" (include "yagura.config" $root | sha256sum)) | toYaml | nindent 4 }}
  labels:
    {{- mergeOverwrite (deepCopy $c.podLabels) (include "yagura.podLabels" $names | fromYaml) | toYaml | nindent 4 }}
spec:
  serviceAccountName: {{ include "yagura.serviceAccount" $root }}
  automountServiceAccountToken: false
  {{- /* A Service named "yagura" would otherwise set YAGURA_PORT and the like. */}}
  enableServiceLinks: false
  {{- with $v.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- /* 10 s until balancers know, 30 s of draining, and something to spare. An ingester that leaves for good flushes
  all it has first. */}}
  terminationGracePeriodSeconds: {{ $c.terminationGracePeriodSeconds | default 60 | int }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with include "yagura.affinity" . }}
  affinity: {{- . | nindent 4 }}
  {{- end }}
  {{- if and (ne $role "single") (ne $role "ingester") }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "yagura.selectorLabels" $names | nindent 10 }}
  {{- else if and (eq $role "ingester") (not $zone) }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: {{ $c.zoneTopologyKey }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "yagura.selectorLabels" $names | nindent 10 }}
  {{- end }}
  {{- with $c.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: yagura
      image: {{ include "yagura.image" $root | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: ["--config.file=/etc/yagura/config/yagura.yaml"]
      env:
        - name: YAGURA__TARGET
          value: {{ ternary "all" $role (eq $role "single") | quote }}
        {{- if $distributed }}
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
        - name: YAGURA__RING__INSTANCE_ID
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        - name: YAGURA__RING__ADVERTISE
          value: {{ ternary "$(POD_IP):9095" "[$(POD_IP)]:9095" (eq $v.ipFamily "IPv4") | quote }}
        {{- with $zone }}
        - name: YAGURA__RING__ZONE
          value: {{ .name | quote }}
        {{- end }}
        {{- if $v.etcd.auth.username }}
        - name: YAGURA__RING__ETCD__PASSWORD
          valueFrom: {secretKeyRef: {name: {{ $v.etcd.auth.passwordSecret.name }}, key: {{ $v.etcd.auth.passwordSecret.key }}}}
        {{- end }}
        {{- end }}
        {{- with include "yagura.s3Secret" $root }}
        - name: YAGURA__S3__ACCESS_KEY_ID
          valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ ternary "access-key-id" $v.objectStore.accessKeyIdKey $v.minio.enabled }}}}
        - name: YAGURA__S3__SECRET_ACCESS_KEY
          valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ ternary "secret-access-key" $v.objectStore.secretAccessKeyKey $v.minio.enabled }}}}
        {{- end }}
        {{- if and $v.alerting.urlsSecret.name (has $role (list "single" "ruler")) }}
        - name: YAGURA__RULER__ALERTMANAGER_URL
          valueFrom: {secretKeyRef: {name: {{ $v.alerting.urlsSecret.name }}, key: {{ $v.alerting.urlsSecret.key }}}}
        {{- end }}
        {{- if eq $role "compactor" }}
        - name: YAGURA__COMPACTOR__SCRATCH_DIR
          value: /scratch
        {{- end }}
        {{- if and (eq $role "querier") $c.diskCache.enabled }}
        - name: YAGURA__CACHE__DISK_DIR
          value: /cache
        {{- /* Kubernetes evicts a pod that fills its volume: four fifths of it, in bytes. */}}
        - name: YAGURA__CACHE__DISK_BYTES
          value: {{ mul 858993459 (trimSuffix "Gi" $c.diskCache.size | int) | quote }}
        {{- end }}
        {{- with $c.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: 9009}
        {{- if $distributed }}
        - {name: grpc, containerPort: 9095}
        {{- end }}
      {{- /* Healthy is who answers, also while the write-ahead log is read, however long that takes. Ready is who
      can do its work; it is not asked for liveness, or an outage of etcd would end processes that go on without. */}}
      startupProbe:
        httpGet: {path: /-/healthy, port: http, scheme: {{ $scheme }}}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /-/healthy, port: http, scheme: {{ $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /ready, port: http, scheme: {{ $scheme }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      {{- if has $role (list "single" "distributor" "querier") }}
      {{- /* Until Services and balancers know that it goes, requests still come. */}}
      lifecycle:
        preStop:
          sleep: {seconds: 10}
      {{- end }}
      {{- /* No limit of CPU: throttling would slow writes and queries while the node has time to give. */}}
      resources: {{- toYaml $c.resources | nindent 8 }}
      securityContext: {{- include "yagura.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/yagura/config, readOnly: true}
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- if eq $role "compactor" }}
        - {name: scratch, mountPath: /scratch}
        {{- end }}
        {{- if and (eq $role "querier") $c.diskCache.enabled }}
        - {name: cache, mountPath: /cache}
        {{- end }}
        {{- range (include "yagura.files" (dict "root" $root "component" $role) | fromYaml).files }}
        - {name: {{ .name }}, mountPath: /etc/yagura/{{ .name }}, readOnly: true}
        {{- end }}
        {{- with $c.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "yagura.fullname" $root }}-config}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    {{- if not (has $role (list "single" "ingester")) }}
    - name: data
      emptyDir: {sizeLimit: 1Gi}
    {{- end }}
    {{- if eq $role "compactor" }}
    - name: scratch
      {{- if $c.scratch.persistent }}
      ephemeral:
        volumeClaimTemplate:
          spec: {{- include "yagura.claim" $c.scratch | nindent 12 }}
      {{- else }}
      emptyDir: {sizeLimit: {{ $c.scratch.size }}}
      {{- end }}
    {{- end }}
    {{- if and (eq $role "querier") $c.diskCache.enabled }}
    - name: cache
      emptyDir: {sizeLimit: {{ $c.diskCache.size }}}
    {{- end }}
    {{- range (include "yagura.files" (dict "root" $root "component" $role) | fromYaml).files }}
    - {{ toYaml . | nindent 6 | trim }}
    {{- end }}
    {{- with $c.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Volumes with files that a role reads, each mounted at /etc/yagura/NAME. A dict of root and component. */}}
{{- define "yagura.files" -}}
{{- $v := .root.Values -}}
{{- $name := include "yagura.fullname" .root -}}
{{- $isRuler := has .component (list "single" "ruler") -}}
{{- $found := list -}}
{{- if include "yagura.mountsTls" .root -}}
{{- $found = append $found (dict "name" "tls" "secret" (dict "secretName" (include "yagura.tlsSecret" .root))) -}}
{{- end -}}
{{- if and (eq $v.mode "distributed") $v.etcd.tls.existingSecret -}}
{{- $found = append $found (dict "name" "etcd-tls" "secret" (dict "secretName" $v.etcd.tls.existingSecret)) -}}
{{- end -}}
{{- with $v.auth.tokensSecret -}}
{{- if .name -}}
{{- $items := list (dict "key" .key "path" "tokens.yaml") -}}
{{- $found = append $found (dict "name" "tokens" "secret" (dict "secretName" .name "items" $items)) -}}
{{- end -}}
{{- end -}}
{{- if $v.overrides -}}
{{- $found = append $found (dict "name" "tenants" "configMap" (dict "name" (printf "%s-overrides" $name))) -}}
{{- end -}}
{{- /* All processes have the folders: any of them may be asked for the rules. */ -}}
{{- range $volume, $tenants := dict "rules" $v.rules.metrics "log-rules" $v.rules.logs -}}
{{- if $tenants -}}
{{- $items := list -}}
{{- range $tenant, $files := $tenants -}}
{{- range $file, $_ := $files -}}
{{- $items = append $items (dict "key" (include "yagura.ruleKey" (list $tenant $file)) "path" (printf "%s/%s" $tenant $file)) -}}
{{- end -}}
{{- end -}}
{{- $found = append $found (dict "name" $volume "configMap" (dict "name" (printf "%s-%s" $name $volume) "items" $items)) -}}
{{- end -}}
{{- end -}}
{{- with $v.alerting.fileSecret -}}
{{- if and .name $isRuler -}}
{{- $items := list (dict "key" .key "path" "alertmanagers.yaml") -}}
{{- $found = append $found (dict "name" "alertmanagers" "secret" (dict "secretName" .name "items" $items)) -}}
{{- end -}}
{{- end -}}
files: {{ $found | toJson }}
{{- end -}}

{{/* Tenants and files may have names that are no keys of a ConfigMap. */}}
{{- define "yagura.ruleKey" -}}
{{ printf "%s/%s" (index . 0) (index . 1) | sha256sum | trunc 16 }}.yaml
{{- end -}}

{{- define "yagura.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The spec of a volume claim, of size and storageClass. */}}
{{- define "yagura.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end -}}

{{/* One of a component's pods on a host: a list of hard, soft or none, and what selects them. */}}
{{- define "yagura.apart" -}}
{{- $selector := dict "matchLabels" (index . 1 | fromYaml) -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $selector -}}
{{- if eq (index . 0) "hard" -}}
requiredDuringSchedulingIgnoredDuringExecution: {{ list $term | toJson }}
{{- else if eq (index . 0) "soft" -}}
preferredDuringSchedulingIgnoredDuringExecution: {{ list (dict "weight" 100 "podAffinityTerm" $term) | toJson }}
{{- end -}}
{{- end -}}

{{/* As `yagura.pod`. What users give stands in the place of ours. */}}
{{- define "yagura.affinity" -}}
{{- $c := index .root.Values .component -}}
{{- $all := include "yagura.selectorLabels" (dict "root" .root "component" .component) -}}
{{- if $c.affinity -}}
{{ toYaml $c.affinity }}
{{- else if ne .component "single" -}}
{{- $pods := include "yagura.apart" (list $c.antiAffinity $all) | fromYaml -}}
{{- $affinity := dict -}}
{{- with .zone -}}
{{- if .topologyZone -}}
{{- $is := dict "key" $c.zoneTopologyKey "operator" "In" "values" (list .topologyZone) -}}
{{- $terms := list (dict "matchExpressions" (list $is)) -}}
{{- $_ := set $affinity "nodeAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms)) -}}
{{- else -}}
{{- /* No pod of another zone is where one of this zone is. */ -}}
{{- $other := dict "key" "yagura/zone" "operator" "NotIn" "values" (list .name) -}}
{{- $selector := dict "matchLabels" ($all | fromYaml) "matchExpressions" (list $other) -}}
{{- $term := dict "topologyKey" $c.zoneTopologyKey "labelSelector" $selector -}}
{{- $key := "requiredDuringSchedulingIgnoredDuringExecution" -}}
{{- $_ := set $pods $key (append (get $pods $key | default list) $term) -}}
{{- end -}}
{{- end -}}
{{- with $pods -}}{{- $_ := set $affinity "podAntiAffinity" . -}}{{- end -}}
{{- with $affinity -}}{{- toYaml . -}}{{- end -}}
{{- end -}}
{{- end -}}
