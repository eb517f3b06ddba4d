{{- define "rune.natsConfig" -}}
server_name: rune
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
max_payload: 8MB
pid_file: /tmp/nats.pid
jetstream {
  store_dir: /data
  max_file_store: {{ .Values.nats.maxFileStore }}
  max_memory_store: 64MB
}
# The keys that the server trusts, from the operator's Secret.
include nats-auth.conf
{{- end }}
