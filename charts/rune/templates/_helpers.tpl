{{- /* Prefix of every name: the release's name, with "rune" added if it doesn't contain it, and without dots, which names of Services can't have. */ -}}
{{- define "rune.name" -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if contains "rune" $release }}{{ $release | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-rune" ($release | trunc 35 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- /* Labels that select the pods of one component: (list $ "registry"). */ -}}
{{- define "rune.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: rune
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* Labels of all objects of one component. */ -}}
{{- define "rune.labels" -}}
{{- $root := index . 0 -}}
{{ include "rune.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The repository of an image, with global.imageRegistry in place of its host. */ -}}
{{- define "rune.repository" -}}
{{- $root := index . 0 -}}
{{- $repository := (index $root.Values.images (index . 1)).repository -}}
{{- $registry := $root.Values.global.imageRegistry -}}
{{- if $registry }}{{ printf "%s/%s" $registry (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") }}{{ else }}{{ $repository }}{{ end }}
{{- end }}

{{- /* The reference of an image, by digest if there is one. */ -}}
{{- define "rune.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.images (index . 1) -}}
{{- include "rune.repository" . }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* Security contexts that satisfy the restricted Pod Security Standard. */ -}}
{{- define "rune.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "rune.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Where a pod may run: nodeSelector and tolerations of these values. */ -}}
{{- define "rune.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "rune.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Clients of the embedded services: the operator and its pods in watched namespaces, but never a sandbox. */ -}}
{{- define "rune.clients" -}}
- podSelector:
    matchLabels:
      {{- include "rune.selector" (list . "operator") | nindent 6 }}
- namespaceSelector:
    {{- with .Values.watchNamespaces }}
    matchExpressions:
      - { key: kubernetes.io/metadata.name, operator: In, values: {{ append . $.Release.Namespace | uniq | toJson }} }
    {{- else }} {}
    {{- end }}
  podSelector:
    matchExpressions:
      - { key: rune.dev/component, operator: Exists }
      - { key: rune.dev/component, operator: NotIn, values: [sandbox] }
{{- end }}

{{- /* Where the credentials of a subscriber to events are: (list $ "audit"). */ -}}
{{- define "rune.subscriberSecret" -}}
{{- printf "%s-events-%s" (include "rune.name" (index . 0)) (index . 1) }}
{{- end }}

{{- /* Addresses, as pods of every namespace reach them. */ -}}
{{- define "rune.registryURL" -}}
{{- if .Values.registry.embedded }}http://{{ include "rune.name" . }}-registry.{{ .Release.Namespace }}.svc:5000{{ else }}{{ .Values.registry.url }}{{ end }}
{{- end }}

{{- define "rune.registryRealm" -}}
{{- .Values.registry.realm | default (printf "http://%s-operator.%s.svc:8082/token" (include "rune.name" .) .Release.Namespace) }}
{{- end }}

{{- define "rune.natsURL" -}}
{{- if .Values.nats.embedded }}nats://{{ include "rune.name" . }}-nats.{{ .Release.Namespace }}.svc:4222{{ else }}{{ .Values.nats.url }}{{ end }}
{{- end }}

{{- define "rune.mlflowURL" -}}
{{- if .Values.mlflow.embedded }}http://{{ include "rune.name" . }}-mlflow.{{ .Release.Namespace }}.svc:5000{{ else }}{{ .Values.mlflow.url }}{{ end }}
{{- end }}
