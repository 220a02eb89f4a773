{{/* Triton's command line and pod, for one track: a dict of root, track, replicas, image, variant, repository. */}}

{{- define "voicestress.tritonArguments" -}}
{{- $t := .root.Values.triton -}}
- --model-repository={{ include "voicestress.repositoryPath" .repository }}
{{- if $t.models }}
# Only explicit control can choose models; who may ask for others is restricted below.
- --model-control-mode=explicit
{{- range $t.models }}
- --load-model={{ . }}
{{- end }}
{{- else }}
- --model-control-mode=none
{{- end }}
{{- with .variant }}
- --model-config-name={{ . }}
{{- end }}
- --strict-readiness=true
# The models' two instances take turns; without this both work at once, on the same cores.
- --rate-limit=execution_count
- --exit-timeout-secs={{ int64 $t.drain.exitTimeoutSeconds }}
- --grpc-port=8001
{{- with $t.maxConnectionAgeSeconds }}
- --grpc-max-connection-age={{ mul . 1000 }}
# What is in flight when a connection ends of age may take as long as a request can.
- --grpc-max-connection-age-grace={{ mul $t.drain.exitTimeoutSeconds 1000 }}
{{- end }}
- --grpc-restricted-protocol=model-repository,shared-memory,trace,logging:admin-key=$(ADMIN_KEY)
{{- if .root.Values.mtls.enabled }}
- --grpc-use-ssl=true
- --grpc-use-ssl-mutual=true
- --grpc-server-cert=/etc/voicestress/tls/tls.crt
- --grpc-server-key=/etc/voicestress/tls/tls.key
- --grpc-root-cert=/etc/voicestress/tls/ca.crt
{{- end }}
# HTTP is there for the kubelet's probes: in no Service, opened by no network policy, and restricted to health.
- --http-port=8000
- --http-thread-count=2
- --http-restricted-api=metadata,inference,shared-memory,model-config,model-repository,statistics,trace,logging:admin-key=$(ADMIN_KEY)
- --metrics-port=8002
{{- if not (int $t.gpu.count) }}
- --allow-gpu-metrics=false
{{- end }}
- --log-verbose={{ int64 $t.logVerbose }}
{{- with $t.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "voicestress.tritonEnvironment" -}}
# Opens the restricted APIs. Drawn by Kubernetes for each pod, and read with `kubectl get pod`: by administrators.
- name: ADMIN_KEY
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
# ONNX Runtime must not report what it runs.
- name: ORT_DISABLE_TELEMETRY
  value: "1"
{{- with .root.Values.triton.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "voicestress.tritonProbes" -}}
{{- $p := .Values.triton.probes -}}
startupProbe:
  httpGet: {path: /v2/health/ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ div (add $p.startupSeconds 4) 5 }}
readinessProbe:
  httpGet: {path: /v2/health/ready, port: http}
  periodSeconds: {{ int64 $p.readinessPeriodSeconds }}
  timeoutSeconds: 5
  failureThreshold: 2
# Slow and patient: a busy server is no dead one, and a restart loses its queue.
livenessProbe:
  httpGet: {path: /v2/health/live, port: http}
  periodSeconds: {{ int64 $p.livenessPeriodSeconds }}
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}

{{- define "voicestress.tritonResources" -}}
{{- $r := .Values.triton.resources -}}{{- $gpu := .Values.triton.gpu -}}
{{- $memory := add $r.memoryMi $r.sharedMemoryMi -}}
requests:
  cpu: {{ $r.cpu | quote }}
  memory: {{ int64 $memory }}Mi
  ephemeral-storage: {{ int64 $r.temporaryMi }}Mi
  {{- if int $gpu.count }}
  {{ $gpu.resourceName }}: {{ int64 $gpu.count }}
  {{- end }}
limits:
  {{- with $r.cpuLimit }}
  cpu: {{ . | quote }}
  {{- end }}
  # What is in /dev/shm counts as the container's memory.
  memory: {{ int64 $memory }}Mi
  {{- if int $gpu.count }}
  {{ $gpu.resourceName }}: {{ int64 $gpu.count }}
  {{- end }}
{{- end }}

{{- define "voicestress.tritonPod" -}}
{{- $root := .root -}}{{- $t := $root.Values.triton -}}
serviceAccountName: {{ include "voicestress.tritonAccount" $root }}
{{ include "voicestress.podBasics" $root }}
securityContext:
  {{- include "voicestress.podSecurity" (int64 $t.runAsUser) | nindent 2 }}
terminationGracePeriodSeconds: {{ int64 $t.drain.terminationGracePeriodSeconds }}
{{- with $t.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $t.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $t.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $t.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $t.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $t.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml . | nindent 4 | trim }}
    labelSelector:
      matchLabels:
        {{- include "voicestress.selector" (list $root "triton" $.track) | nindent 8 }}
  {{- end }}
{{- end }}
{{- if eq .repository.kind "init" }}
initContainers:
  - name: models
    image: {{ .repository.init.image }}
    {{- with .repository.init.command }}
    command:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .repository.init.env }}
    env:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "voicestress.containerSecurity" . | nindent 6 }}
    resources:
      {{- include "voicestress.resources" (dict "cpu" "500m" "memoryMi" 512) | nindent 6 }}
    volumeMounts:
      - name: models
        mountPath: {{ .repository.path }}
      - name: tmp
        mountPath: /tmp
{{- end }}
containers:
  - name: triton
    image: {{ include "voicestress.image" (list $root .image) }}
    imagePullPolicy: {{ .image.pullPolicy }}
    command: [tritonserver]
    args:
      {{- include "voicestress.tritonArguments" . | nindent 6 }}
    env:
      {{- include "voicestress.tritonEnvironment" . | nindent 6 }}
    {{- if and (eq .repository.kind "s3") .repository.s3.secretName }}
    envFrom:
      - secretRef:
          name: {{ .repository.s3.secretName }}
    {{- end }}
    ports:
      - {name: grpc, containerPort: 8001}
      - {name: http, containerPort: 8000}
      - {name: metrics, containerPort: 8002}
    {{- include "voicestress.tritonProbes" $root | nindent 4 }}
    lifecycle:
      preStop:
        sleep:
          seconds: {{ int64 $t.drain.preStopSleepSeconds }}
    resources:
      {{- include "voicestress.tritonResources" $root | nindent 6 }}
    securityContext:
      {{- include "voicestress.containerSecurity" $root | nindent 6 }}
    volumeMounts:
      - name: shm
        mountPath: /dev/shm
      - name: tmp
        mountPath: /tmp
      {{- include "voicestress.repositoryMount" .repository | nindent 6 }}
      {{- if $root.Values.mtls.enabled }}
      - name: tls
        mountPath: /etc/voicestress/tls
        readOnly: true
      {{- end }}
volumes:
  - name: shm
    emptyDir:
      medium: Memory
      sizeLimit: {{ int64 $t.resources.sharedMemoryMi }}Mi
  - name: tmp
    emptyDir:
      sizeLimit: {{ int64 $t.resources.temporaryMi }}Mi
  {{- include "voicestress.repositoryVolume" .repository | nindent 2 }}
  {{- if $root.Values.mtls.enabled }}
  - name: tls
    secret:
      secretName: {{ $root.Values.mtls.serverSecretName }}
      defaultMode: 0440
  {{- end }}
{{- end }}
