{{- /* A file of monitoring/ (for release rune in rune-system) with this release's names: (list $ "alerts.yaml"). */ -}}
{{- define "rune.monitoringFile" -}}
{{- $root := index . 0 -}}
{{- $text := $root.Files.Get (printf "monitoring/%s" (index . 1)) | replace "rune-system" "@namespace@" -}}
{{- range list "operator" "loader" "registry" "nats" "mlflow" "serving" "learning" -}}
{{- $text = replace (printf "rune-%s" .) (printf "%s-%s" (include "rune.name" $root) .) $text -}}
{{- end -}}
{{- replace "@namespace@" $root.Release.Namespace $text -}}
{{- end }}

{{- /* Alerts about features that this release doesn't use. */ -}}
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
