{{- /* A file of monitoring/, which names release rune in namespace rune-system, with the names of this release: (list $ "alerts.yaml"). */ -}}
{{- define "rune.monitoringFile" -}}
{{- $root := index . 0 -}}
{{- $text := $root.Files.Get (printf "monitoring/%s" (index . 1)) | replace "rune-system" "@namespace@" -}}
{{- range list "operator" "loader" "registry" "nats" "mlflow" "serving" "learning" -}}
{{- $text = replace (printf "rune-%s" .) (printf "%s-%s" (include "rune.name" $root) .) $text -}}
{{- end -}}
{{- replace "@namespace@" $root.Release.Namespace $text -}}
{{- end }}

{{- /* Alerts about what this release doesn't have. */ -}}
{{- define "rune.needlessAlerts" -}}
{{- if not .Values.operator.leaderElection }}
- RuneOperatorWithoutLeader
{{- end }}
{{- if not .Values.registry.embedded }}
- RuneRegistryAbsent
{{- end }}
{{- if not .Values.nats.embedded }}
- RuneNATSAbsent
- RuneLogVolumeFillsUp
{{- end }}
{{- if not (and .Values.mlflow.enabled .Values.mlflow.embedded) }}
- RuneMLflowAbsent
{{- end }}
{{- end }}
