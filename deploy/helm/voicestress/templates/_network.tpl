{{/* Rules that several network policies have. */}}

{{- define "voicestress.toDns" -}}
# Names.
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
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
