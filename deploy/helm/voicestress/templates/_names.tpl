{{/* Names, labels and images. */}}

{{- define "voicestress.name" -}}
{{- $name := default .Release.Name .Values.fullnameOverride -}}
{{- ternary $name (printf "%s-voicestress" $name) (contains "voicestress" $name) | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* What selects the pods of a part: (list $ "triton") or (list $ "triton" "canary"). */}}
{{- define "voicestress.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: voicestress
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- if gt (len .) 2 }}
voicestress/track: {{ index . 2 }}
{{- end }}
{{- end }}

{{/* All labels of a part, by the same arguments. */}}
{{- define "voicestress.labels" -}}
{{- $root := index . 0 -}}
{{ include "voicestress.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The full name of an image: (list $ .Values.triton.image). Only this project's own images get the registry. */}}
{{- define "voicestress.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $own := not (contains "/" $image.repository) -}}
{{- if and $own $root.Values.imageRegistry }}{{ trimSuffix "/" $root.Values.imageRegistry }}/{{ end -}}
{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default $root.Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- define "voicestress.tritonAccount" -}}
{{ default (printf "%s-triton" (include "voicestress.name" .)) .Values.serviceAccount.name }}
{{- end }}

{{- define "voicestress.clientAccount" -}}
{{- if .Values.serviceAccount.create }}{{ include "voicestress.name" . }}-client{{ else }}{{ include "voicestress.tritonAccount" . }}{{ end }}
{{- end }}

{{/* Where this release's own clients find Triton. */}}
{{- define "voicestress.url" -}}
{{- $name := include "voicestress.name" . -}}
{{- if .Values.client.url }}{{ .Values.client.url }}
{{- else }}dns:///{{ $name }}-{{ ternary "envoy" "triton" (eq .Values.balancing.kind "envoy") }}.{{ .Release.Namespace }}.svc:8001
{{- end }}
{{- end }}

{{/* Which time series are a part's, in the rules and the dashboard: the job that its PodMonitor gives them. */}}
{{- define "voicestress.job" -}}
{{ (index . 0).Release.Namespace }}/{{ include "voicestress.name" (index . 0) }}-{{ index . 1 }}
{{- end }}
