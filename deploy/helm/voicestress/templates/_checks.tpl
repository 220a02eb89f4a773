{{/* What the schema can't say: values that don't go together. Each message says what to do. */}}

{{- define "voicestress.checks" -}}
{{- $v := .Values -}}{{- $t := $v.triton -}}

{{- $margin := 10 -}}
{{- $covered := add $t.drain.preStopSleepSeconds $t.drain.exitTimeoutSeconds $margin -}}
{{- if lt (int $t.drain.terminationGracePeriodSeconds) (int $covered) }}
{{- fail (printf "triton.drain.terminationGracePeriodSeconds is %d: Kubernetes would kill Triton while it drains. Set it to at least %d (preStopSleepSeconds %d + exitTimeoutSeconds %d + %d to unload the models)." (int $t.drain.terminationGracePeriodSeconds) (int $covered) (int $t.drain.preStopSleepSeconds) (int $t.drain.exitTimeoutSeconds) $margin) }}
{{- end }}
{{- /* gRPC varies the age by 10 %; 5 s is how long the cluster's DNS keeps a name. */ -}}
{{- $moved := add (div (mul 11 $t.maxConnectionAgeSeconds) 10) 5 -}}
{{- if and $t.maxConnectionAgeSeconds (lt (int $t.drain.preStopSleepSeconds) (int $moved)) }}
{{- fail (printf "triton.drain.preStopSleepSeconds is %d: connections live for up to %d s and would meet a server that refuses work. Set it to at least %d, or lower triton.maxConnectionAgeSeconds (%d)." (int $t.drain.preStopSleepSeconds) (int (sub $moved 5)) (int $moved) (int $t.maxConnectionAgeSeconds)) }}
{{- end }}
{{- if and (not $t.maxConnectionAgeSeconds) (eq $v.balancing.kind "headless") }}
{{- fail "triton.maxConnectionAgeSeconds is 0: with balancing.kind headless, clients would never find new replicas. Set it (30), or put a proxy between: balancing.kind envoy." }}
{{- end }}
{{- range $t.extraArgs }}
{{- if regexMatch "^--?(model-repository|model-control-mode|load-model|rate-limit|exit-timeout-secs|strict-readiness|model-config-name|allow-|http-|grpc-(port|address|max-|restricted|use-ssl|server-|root-)|metrics-(port|address))" . }}
{{- fail (printf "triton.extraArgs has %s, which the chart sets itself: use the value that is meant for it (see the chart's README), or leave it out." .) }}
{{- end }}
{{- end }}

{{- if and (eq (int $t.gpu.count) 0) (eq $t.configVariant "gpu") }}
{{- fail "triton.gpu.count is 0, and triton.configVariant is gpu, which Triton refuses without a GPU. Set triton.configVariant to \"\" (or tuned), or triton.gpu.count to 1." }}
{{- end }}
{{- if and (gt (int $t.gpu.count) 1) (contains "/mig-" $t.gpu.resourceName) }}
{{- fail (printf "triton.gpu.count is %d of %s: a process can use one MIG device only. Set it to 1, and raise triton.replicas." (int $t.gpu.count) $t.gpu.resourceName) }}
{{- end }}
{{- if and (eq (toString $t.rollout.maxSurge | trimSuffix "%") "0") (eq (toString $t.rollout.maxUnavailable | trimSuffix "%") "0") }}
{{- fail "triton.rollout.maxSurge and maxUnavailable are both 0, so no replica could ever be replaced. Set maxSurge to 1, or where GPUs are scarce maxUnavailable to 1." }}
{{- end }}
{{- if and (eq (toString $t.rollout.maxSurge) "0") (eq $v.autoscaling.kind "none") (lt (int $t.replicas) 2) }}
{{- fail "triton.rollout.maxSurge is 0 with one replica: an upgrade would leave nobody to answer. Set triton.replicas to 2, or maxSurge to 1." }}
{{- end }}

{{- include "voicestress.checkRepository" (list . "triton.modelRepository" $t.modelRepository) }}
{{- if $t.canary.enabled }}
{{- if ne $v.balancing.kind "grpcRoute" }}
{{- fail "triton.canary.enabled needs balancing.kind grpcRoute: the route gives each track its share." }}
{{- end }}
{{- include "voicestress.checkRepository" (list . "triton.canary.modelRepository" (mergeOverwrite (deepCopy $t.modelRepository) $t.canary.modelRepository)) }}
{{- end }}

{{- if and (eq $v.balancing.kind "grpcRoute") (not $v.balancing.grpcRoute.parentRefs) }}
{{- fail "balancing.kind is grpcRoute: name the Gateway in balancing.grpcRoute.parentRefs, such as [{name: public, namespace: gateways}]." }}
{{- end }}
{{- if and (eq $v.balancing.kind "grpcRoute") $v.mtls.enabled }}
{{- fail "mtls.enabled with balancing.kind grpcRoute: a Gateway would have to bring a client certificate, which Gateway API can't say for a route of gRPC. End mutual TLS at your Gateway, or use balancing.kind envoy." }}
{{- end }}

{{- if ne $v.autoscaling.kind "none" }}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) }}
{{- fail (printf "autoscaling.minReplicas is %d and maxReplicas %d: raise maxReplicas." (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}
{{- end }}
{{- if eq (int $v.autoscaling.minReplicas) 0 }}
{{- if ne $v.autoscaling.kind "keda" }}
{{- fail "autoscaling.minReplicas is 0, which an HPA can't do: set it to 1, or autoscaling.kind to keda with keda.wakeTriggers." }}
{{- else if not $v.autoscaling.keda.wakeTriggers }}
{{- fail "autoscaling.minReplicas is 0, and no Triton would be there to say that it is needed. Give autoscaling.keda.wakeTriggers something else to wake it, such as the gateway's rejections, or set minReplicas to 1." }}
{{- else }}
{{- $wakes := false }}
{{- range $v.autoscaling.keda.wakeTriggers }}
{{- /* Triton's own metrics, and what is recorded from them. */ -}}
{{- if not (regexMatch "\\b(nv_[a-z]+_|voicestress_(queue_seconds|windows_per_second|batch_size|pending_requests|rejected_ratio|failed_ratio)\\b)" (toJson .)) }}
{{- $wakes = true }}
{{- end }}
{{- end }}
{{- if not $wakes }}
{{- fail "autoscaling.minReplicas is 0, and autoscaling.keda.wakeTriggers asks for Triton's own metrics only, which nobody exports while no replica is there. Add one of something else, such as sum(increase(voicestress_gateway_rejections_total[2m])), or set minReplicas to 1." }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $v.autoscaling.kind "keda") (not $v.autoscaling.keda.prometheusUrl) }}
{{- fail "autoscaling.kind is keda: set autoscaling.keda.prometheusUrl, such as http://prometheus.monitoring.svc:9090." }}
{{- end }}

{{- if $v.mtls.enabled }}
{{- range tuple "serverSecretName" "clientSecretName" }}
{{- if not (get $v.mtls .) }}
{{- fail (printf "mtls.enabled: name the Secret with tls.crt, tls.key and ca.crt in mtls.%s (cert-manager makes such)." .) }}
{{- end }}
{{- end }}
{{- end }}

{{- $g := $v.gateway }}
{{- if $g.enabled }}
{{- if not (or $g.keys.secretName $g.keys.none) }}
{{- fail "gateway.keys.secretName is empty: make keys with `voicestress gateway-key NAME >> keys`, then `kubectl create secret generic voicestress-keys --from-file=keys`, and name it here; or set gateway.keys.none where something in front of the gateway asks for keys; or gateway.enabled to false." }}
{{- end }}
{{- if and $g.keys.secretName $g.keys.none }}
{{- fail "gateway.keys.secretName and gateway.keys.none contradict each other: empty one of them." }}
{{- end }}
{{- if lt (int $g.terminationGracePeriodSeconds) (int (add $g.drainSeconds 10)) }}
{{- fail (printf "gateway.terminationGracePeriodSeconds is %d: Kubernetes would kill the gateway while it drains. Set it to at least %d (drainSeconds %d + 10)." (int $g.terminationGracePeriodSeconds) (int (add $g.drainSeconds 10)) (int $g.drainSeconds)) }}
{{- end }}
{{- if le (int $g.drainSeconds) (int $g.drainDelaySeconds) }}
{{- fail (printf "gateway.drainSeconds is %d and includes drainDelaySeconds, %d: raise it, to leave requests in flight some time." (int $g.drainSeconds) (int $g.drainDelaySeconds)) }}
{{- end }}
{{- if and $g.ingress.enabled (not $g.ingress.host) }}
{{- fail "gateway.ingress.enabled: set gateway.ingress.host." }}
{{- end }}
{{- end }}

{{- if $v.archive.enabled }}
{{- if not $v.archive.source }}
{{- fail "archive.enabled: say in archive.source where the recordings are: a folder of the claim (/archive/…), a manifest, or a URL such as s3://bucket/calls." }}
{{- end }}
{{- if not $v.archive.resultsClaimName }}
{{- fail "archive.enabled: name the PersistentVolumeClaim for the results in archive.resultsClaimName; without one, an interrupted part would begin anew." }}
{{- end }}
{{- if and (hasPrefix "/archive" $v.archive.source) (not $v.archive.sourceClaimName) }}
{{- fail "archive.source is in /archive: name the claim that is mounted there in archive.sourceClaimName." }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list $ "path of the values" values): what the kind of repository needs is given. */}}
{{- define "voicestress.checkRepository" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}{{- $r := index . 2 -}}
{{- $needs := dict "pvc" "claimName" "s3" "url" "gcs" "url" "oci" "reference" "init" "image" -}}
{{- $need := get $needs $r.kind -}}
{{- if $need }}
{{- if not (get (get $r $r.kind) $need) }}
{{- fail (printf "%s.kind is %s: set %s.%s.%s." $path $r.kind $path $r.kind $need) }}
{{- end }}
{{- end }}
{{- if and (eq $r.kind "oci") (semverCompare "<1.31-0" $root.Capabilities.KubeVersion.Version) }}
{{- fail (printf "%s.kind is oci, and Kubernetes %s has no image volumes: they came with 1.31. Use init with an image that copies the models." $path $root.Capabilities.KubeVersion.Version) }}
{{- end }}
{{- end }}
