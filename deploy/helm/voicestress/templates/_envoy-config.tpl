{{/* Envoy in front of the replicas: least request, health checks, outlier detection, and what Triton can't limit itself. */}}

{{- define "voicestress.envoyTls" -}}
common_tls_context:
  tls_certificates:
    - certificate_chain: {filename: /etc/voicestress/{{ .certificate }}/tls.crt}
      private_key: {filename: /etc/voicestress/{{ .certificate }}/tls.key}
  validation_context:
    trusted_ca: {filename: /etc/voicestress/{{ .certificate }}/ca.crt}
    {{- with .expect }}
    match_typed_subject_alt_names:
      - san_type: DNS
        matcher: {exact: {{ . }}}
    {{- end }}
  alpn_protocols: [h2]
{{- end }}

{{- define "voicestress.envoyConfig" -}}
{{- $e := .Values.balancing.envoy -}}
{{- $host := printf "%s-triton.%s.svc" (include "voicestress.name" .) .Release.Namespace -}}
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
static_resources:
  listeners:
    - name: grpc
      address: {socket_address: {address: 0.0.0.0, port_value: 8001}}
      # Requests are of one recording's window each; a caller may not make Envoy hold more than one of them a stream.
      per_connection_buffer_limit_bytes: {{ int64 $e.maxRequestBytes }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: grpc
                codec_type: HTTP2
                http2_protocol_options: {max_concurrent_streams: 256}
                # Connections end of age, as Triton's own do, so that clients find new Envoys.
                common_http_protocol_options:
                  max_connection_duration: 300s
                drain_timeout: 10s
                route_config:
                  name: triton
                  virtual_hosts:
                    - name: triton
                      domains: ["*"]
                      # Scoring has no side effects: what another replica may answer is asked there.
                      retry_policy:
                        retry_on: connect-failure,refused-stream,reset,unavailable
                        num_retries: 3
                        retry_host_predicate:
                          - name: envoy.retry_host_predicates.previous_hosts
                            typed_config:
                              "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
                        host_selection_retry_max_attempts: 10
                        retry_back_off: {base_interval: 0.025s, max_interval: 0.25s}
                      routes:
                        - match: {safe_regex: {regex: "/inference\\.GRPCInferenceService/(ModelInfer|ModelConfig|ModelMetadata|ModelReady|ModelStatistics|ServerLive|ServerReady|ServerMetadata)"}}
                          # The client's deadline (grpc-timeout) counts.
                          route: {cluster: triton, timeout: 0s, max_stream_duration: {grpc_timeout_header_max: 0s}}
                        - match: {prefix: /grpc.health.v1.Health/}
                          route: {cluster: triton}
                        # Nothing else: no shared memory, model control, tracing; no streams, whose length nobody limits.
                        - match: {prefix: /}
                          direct_response: {status: 403}
                http_filters:
                  # Whole requests only, and none larger than this.
                  - name: envoy.filters.http.buffer
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
                      max_request_bytes: {{ int64 $e.maxRequestBytes }}
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          {{- if .Values.mtls.enabled }}
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: true
              {{- include "voicestress.envoyTls" (dict "certificate" "tls") | nindent 14 }}
          {{- end }}
    # Readiness and Prometheus' statistics, and nothing else of the admin interface.
    - name: metrics
      address: {socket_address: {address: 0.0.0.0, port_value: 9902}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: metrics
                route_config:
                  virtual_hosts:
                    - name: admin
                      domains: ["*"]
                      routes:
                        - match: {path: /ready}
                          route: {cluster: admin}
                        - match: {path: /metrics}
                          route: {cluster: admin, prefix_rewrite: /stats/prometheus}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: admin
      type: STATIC
      load_assignment:
        cluster_name: admin
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
    - name: triton
      # The headless Service's name has an address for each replica that is ready and not being stopped.
      type: STRICT_DNS
      dns_refresh_rate: 2s
      respect_dns_ttl: false
      load_assignment:
        cluster_name: triton
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: {{ $host }}, port_value: 8001}}}
      # Of three drawn, the one with the fewest requests. Whoever refuses at once has none: a scan of all would choose it
      # again and again, a draw finds another; two would leave a pair of replicas uneven.
      lb_policy: LEAST_REQUEST
      least_request_lb_config: {choice_count: 3}
      connect_timeout: 1s
      # By default, Envoy asks the dead again once more than half are dead.
      common_lb_config: {healthy_panic_threshold: {value: 0}}
      # A replica that left the name is healthy until it is told to stop: it finishes what it has, and gets no more.
      ignore_health_on_host_removal: true
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config:
            http2_protocol_options:
              connection_keepalive: {interval: 20s, timeout: 10s}
      health_checks:
        - timeout: 5s
          interval: 2s
          # Before it has had a request too: the default, a minute, would leave a new Envoy blind for that long.
          no_traffic_interval: 2s
          unhealthy_threshold: 2
          healthy_threshold: 1
          grpc_health_check: {}
      # Healthy by its own account, but its answers say otherwise. Turning away what is too much (UNAVAILABLE, which is a
      # 503 here) is no fault: only lost and refused connections count.
      outlier_detection:
        split_external_local_origin_errors: true
        consecutive_local_origin_failure: 2
        enforcing_consecutive_5xx: 0
        enforcing_consecutive_gateway_failure: 0
        enforcing_success_rate: 0
        enforcing_local_origin_success_rate: 0
        interval: 2s
        base_ejection_time: 10s
        max_ejection_percent: 50
      circuit_breakers:
        thresholds:
          - max_requests: {{ int64 $e.maxRequests }}
            max_pending_requests: {{ int64 $e.maxRequests }}
            # With a replica, all that it was at work on is lost at once and asked for again: of two, that is half. More
            # than that is no lost replica, and asking again would only add to it.
            retry_budget: {budget_percent: {value: 50}, min_retry_concurrency: 64}
      {{- if .Values.mtls.enabled }}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: {{ default $host .Values.mtls.serverName }}
          {{- include "voicestress.envoyTls" (dict "certificate" "client-tls" "expect" (default $host .Values.mtls.serverName)) | nindent 10 }}
      {{- end }}
{{- end }}

{{/* Before Envoy is stopped: end connections gracefully (it answers POST only, and its image has bash but no curl), wait. */}}
{{- define "voicestress.envoyDrain" -}}
- bash
- -c
- |
  exec 3<>/dev/tcp/127.0.0.1/9901
  printf 'POST /drain_listeners?graceful&skip_exit HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' >&3
  sleep {{ int64 .Values.balancing.envoy.drainSeconds }}
{{- end }}
