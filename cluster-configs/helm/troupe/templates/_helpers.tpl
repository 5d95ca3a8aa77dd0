{{/* Labels that say which release something is of; those of selectors never change. */}}
{{- define "troupe.selector" -}}
app.kubernetes.io/name: troupe
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "troupe.labels" -}}
{{ include "troupe.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* troupe.yaml: what the values say, and above it what the pods need. */}}
{{- define "troupe.config" -}}
{{- $cluster := dict "file" "/etc/troupe/cluster/cluster.json" "listen" "0.0.0.0:7118" }}
{{- $fixed := dict "listen" "0.0.0.0:7117" "data" "/var/lib/troupe/node" "cluster" $cluster }}
{{- if .Values.edgeTlsSecret }}
{{- $files := dict "certificate_file" "/etc/troupe/edge/tls.crt" "key_file" "/etc/troupe/edge/tls.key" }}
{{- $_ := set $fixed "edge" (dict "tls" $files) }}
{{- end }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $fixed) }}
{{- end }}

{{- define "troupe.probe" -}}
httpGet:
  path: {{ .path }}
  port: api
  {{- if .root.Values.edgeTlsSecret }}
  scheme: HTTPS
  {{- end }}
{{- end }}
