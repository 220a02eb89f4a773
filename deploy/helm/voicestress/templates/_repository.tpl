{{/* Where the models come from. Each takes the modelRepository values, the stable track's or the canary's. */}}

{{- define "voicestress.repositoryPath" -}}
{{- if eq .kind "s3" }}{{ .s3.url }}{{ else if eq .kind "gcs" }}{{ .gcs.url }}{{ else }}{{ .path }}{{ end }}
{{- end }}

{{- define "voicestress.repositoryVolume" -}}
{{- if eq .kind "pvc" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ .pvc.claimName }}
    readOnly: true
{{- else if eq .kind "oci" }}
- name: models
  image:
    reference: {{ .oci.reference }}
    pullPolicy: {{ .oci.pullPolicy }}
{{- else if eq .kind "init" }}
- name: models
  emptyDir:
    sizeLimit: {{ int64 .init.sizeMi }}Mi
{{- end }}
{{- end }}

{{- define "voicestress.repositoryMount" -}}
{{- if has .kind (list "pvc" "oci" "init") }}
- name: models
  mountPath: {{ .path }}
  readOnly: true
  {{- if and (eq .kind "pvc") .pvc.subPath }}
  subPath: {{ .pvc.subPath }}
  {{- end }}
{{- end }}
{{- end }}
