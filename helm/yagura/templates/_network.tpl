{{/* Who may reach whom. */}}

{{/* The ports that URLs name, as a YAML list under `ports`; those of their schemes where they name none. */}}
{{- define "yagura.portsOf" -}}
{{- $found := list -}}
{{- range . -}}
{{- $host := (urlParse .).host -}}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- $found = append $found (int ($port | default (ternary "443" "80" (hasPrefix "https://" .)))) -}}
{{- end -}}
ports: {{ $found | uniq | sortAlpha | toJson }}
{{- end -}}

{{/* A rule of egress: a list of peers (none: anywhere) and ports. */}}
{{- define "yagura.egressTo" -}}
{{- $ports := list -}}
{{- range index . 1 -}}{{- $ports = append $ports (dict "protocol" "TCP" "port" (int .)) -}}{{- end -}}
- ports: {{ $ports | toJson }}
{{- with index . 0 }}
  to: {{ . | toJson }}
{{- end }}
{{- end -}}

{{- define "yagura.egressDns" -}}
{{- $dns := .Values.networkPolicy.dns -}}
{{- $ports := list -}}
{{- range $dns.ports -}}
{{- $ports = append $ports (dict "protocol" "UDP" "port" (int .)) -}}
{{- $ports = append $ports (dict "protocol" "TCP" "port" (int .)) -}}
{{- end -}}
- ports: {{ $ports | toJson }}
  to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ $dns.namespace }}}
    {{- with $dns.nodeLocalAddress }}
    - ipBlock: {cidr: {{ . }}/{{ ternary 128 32 (contains ":" .) }}}
    {{- end }}
{{- end -}}

{{/* The peers that may use the HTTP API, as a list under `peers`. */}}
{{- define "yagura.clients" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $test := include "yagura.selectorLabels" (dict "root" . "name" "yagura-test") | fromYaml -}}
{{- $found := list (ternary (dict "podSelector" dict) (dict "podSelector" (dict "matchLabels" $test)) $policy.allowOwnNamespace) -}}
{{- with $policy.allowedNamespaces -}}
{{- $in := dict "key" "kubernetes.io/metadata.name" "operator" "In" "values" . -}}
{{- $found = append $found (dict "namespaceSelector" (dict "matchExpressions" (list $in))) -}}
{{- end -}}
{{- $found = concat $found $policy.allowedPeers -}}
peers: {{ $found | toJson }}
{{- end -}}
