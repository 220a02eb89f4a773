{{/* What the chart's own clients have in common: gateway, jobs, helm test. */}}

{{- define "voicestress.clientArguments" -}}
- --url={{ include "voicestress.url" . }}
- --model={{ .Values.client.model }}
{{- if .Values.mtls.enabled }}
- --tls-ca=/etc/voicestress/tls/ca.crt
- --tls-certificate=/etc/voicestress/tls/tls.crt
- --tls-key=/etc/voicestress/tls/tls.key
{{- with .Values.mtls.serverName }}
- --tls-server-name={{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "voicestress.clientMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.mtls.enabled }}
- name: tls
  mountPath: /etc/voicestress/tls
  readOnly: true
{{- end }}
{{- end }}

{{- define "voicestress.clientVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if .Values.mtls.enabled }}
- name: tls
  secret:
    secretName: {{ .Values.mtls.clientSecretName }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* Who the client is: a pod's basics, account and security. */}}
{{- define "voicestress.clientPod" -}}
serviceAccountName: {{ include "voicestress.clientAccount" . }}
{{ include "voicestress.podBasics" . }}
securityContext:
  {{- include "voicestress.podSecurity" 10001 | nindent 2 }}
{{- end }}

{{- define "voicestress.clientContainer" -}}
image: {{ include "voicestress.image" (list . .Values.client.image) }}
imagePullPolicy: {{ .Values.client.image.pullPolicy }}
securityContext:
  {{- include "voicestress.containerSecurity" . | nindent 2 }}
{{- end }}
