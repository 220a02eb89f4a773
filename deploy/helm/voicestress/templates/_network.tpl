{{/* Rules that several network policies have. */}}

{{- define "voicestress.toDns" -}}
# Names.
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- define "voicestress.toCloud" -}}
# A bucket, and the cloud's metadata service, which hands out the identity to read it with: that of AWS, Google and Azure,
# AWS' for pods, and Google's for workloads.
- ports:
    - {protocol: TCP, port: 443}
- to:
    - ipBlock: {cidr: 169.254.169.254/32}
    - ipBlock: {cidr: 169.254.170.23/32}
    - ipBlock: {cidr: 169.254.169.252/32}
  ports:
    - {protocol: TCP, port: 80}
    - {protocol: TCP, port: 988}
{{- end }}

{{/* The port in a list of S3 URLs that name one, as those of other makers do: s3://https://host:port/bucket. */}}
{{- define "voicestress.toS3" -}}
{{- range . }}
{{- $named := regexFind "^s3://(https?://)?[^/:]+:[0-9]+" . }}
{{- if $named }}
- ports:
    - {protocol: TCP, port: {{ regexFind "[0-9]+$" $named }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "voicestress.fromMonitoring" -}}
- from:
    - namespaceSelector:
        matchLabels:
          {{- toYaml .labels | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}

{{- define "voicestress.fromClients" -}}
- from:
    - podSelector:
        matchLabels:
          app.kubernetes.io/instance: {{ .Release.Name }}
          voicestress/client: "true"
    - namespaceSelector:
        matchLabels:
          {{- toYaml .Values.networkPolicy.clientNamespaceLabels | nindent 10 }}
  ports:
    - {protocol: TCP, port: grpc}
{{- end }}
