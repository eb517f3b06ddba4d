{{- define "rune.registryConfig" -}}
version: 0.1
log:
  level: info
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  # Weights are written once: nothing can be deleted, and no tag is trusted.
  delete:
    enabled: false
  cache:
    blobdescriptor: inmemory
http:
  # The secret with which unfinished uploads survive a restart comes from the environment (registry.yaml).
  addr: :5000
  relativeurls: true
auth:
  token:
    # Where people's clients get a token; Rune's own pods have theirs.
    realm: {{ include "rune.registryRealm" . }}
    service: rune-registry
    issuer: rune-operator
    jwks: /etc/distribution/registry.jwks
    signingalgorithms: [ES256]
{{- end }}
