{{/* How fast replicas come and go, for HPA and KEDA alike. */}}

{{- define "voicestress.scalingBehaviour" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 30}
    - {type: Pods, value: 2, periodSeconds: 30}
# A replica takes minutes to come, so it goes slowly, and only after the load has been lower for long.
scaleDown:
  stabilizationWindowSeconds: {{ int64 .scaleDownAfterSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: {{ int64 .scaleDownPeriodSeconds }}}
{{- end }}
