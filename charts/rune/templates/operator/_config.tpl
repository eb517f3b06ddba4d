{{- /* The operator's configuration; its schema is controllers/shared/config.ts. */ -}}
{{- define "rune.config" -}}
operatorNamespace: {{ .Release.Namespace | quote }}
watchNamespaces: {{ toJson .Values.watchNamespaces }}
keysSecret: {{ .Values.keysSecret | quote }}
leaderElection: {{ .Values.operator.leaderElection }}
images:
  {{- range $key := list "adapterLoader" "vllm" "trainer" "agent" "evaluator" "sandbox" }}
  {{- $image := index $.Values.images $key }}
  {{ $key }}:
    repository: {{ include "rune.repository" (list $ $key) }}
    tag: {{ $image.tag | default $.Chart.AppVersion | quote }}
    digest: {{ $image.digest | default "" | quote }}
  {{- end }}
imagePullPolicy: {{ .Values.imagePullPolicy }}
imagePullSecrets: {{ toJson .Values.global.imagePullSecrets }}
registry:
  url: {{ include "rune.registryURL" . }}
  {{- with .Values.registry.credentialsSecret }}
  credentialsSecret: {{ . | quote }}
  {{- end }}
  {{- with .Values.registry.caConfigMap }}
  caConfigMap: {{ . | quote }}
  {{- end }}
nats:
  url: {{ include "rune.natsURL" . }}
{{- if .Values.mlflow.enabled }}
mlflow:
  url: {{ include "rune.mlflowURL" . }}
  experiment: {{ .Values.mlflow.experiment | quote }}
{{- end }}
{{- if .Values.events.enabled }}
events:
  retentionDays: {{ int64 .Values.events.retentionDays }}
  maxMebibytes: {{ int64 .Values.events.maxMebibytes }}
  subscribers:
    {{- range .Values.events.subscribers }}
    - name: {{ .name | quote }}
      secret: {{ include "rune.subscriberSecret" (list $ .name) }}
      {{- with .namespace }}
      namespace: {{ . | quote }}
      {{- end }}
    {{- else }} []
    {{- end }}
{{- end }}
{{- $hub := dict }}
{{- range $key, $value := .Values.hub }}
{{- if $value }}{{ $_ := set $hub $key $value }}{{ end }}
{{- end }}
hub: {{ toJson $hub }}
pods:
  labels: {{ toJson .Values.pods.labels }}
  annotations: {{ toJson .Values.pods.annotations }}
jobs:
  ttlSecondsAfterFinished: {{ int64 .Values.jobs.ttlSecondsAfterFinished }}
  {{- include "rune.scheduling" .Values.jobs | nindent 2 }}
helpers:
  {{- toYaml .Values.helpers | nindent 2 }}
gpuResourceName: {{ .Values.gpuResourceName }}
engine:
  {{- toYaml .Values.engine | nindent 2 }}
sandbox:
  uidRange:
    start: {{ int64 .Values.sandbox.uidRange.start }}
    size: {{ int64 .Values.sandbox.uidRange.size }}
  memory: {{ .Values.sandbox.memory | quote }}
  cpu: {{ .Values.sandbox.cpu | quote }}
  {{- with .Values.sandbox.cpuRequest }}
  cpuRequest: {{ . | quote }}
  {{- end }}
  timeoutSeconds: {{ .Values.sandbox.timeoutSeconds }}
  {{- with .Values.sandbox.runtimeClassName }}
  runtimeClassName: {{ . | quote }}
  {{- end }}
  landlockSubstitutes: {{ toJson .Values.sandbox.landlockSubstitutes }}
agent:
  {{- toYaml .Values.agent | nindent 2 }}
canary:
  host: {{ include "rune.name" . }}-canary.{{ .Release.Namespace }}.svc
{{- with .Values.clusterDNS }}
clusterDNS: {{ . | quote }}
{{- end }}
{{- end }}
