{{/* What every pod and container of the chart is confined by. */}}

{{- define "voicestress.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "voicestress.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "voicestress.podBasics" -}}
# Nothing here asks the Kubernetes API, and no environment variable should name other Services.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Memory is what it is: a limit above the request would let another pod's greed end this one. */}}
{{- define "voicestress.resources" -}}
requests:
  cpu: {{ .cpu | quote }}
  memory: {{ int64 .memoryMi }}Mi
limits:
  memory: {{ int64 .memoryMi }}Mi
{{- end }}
