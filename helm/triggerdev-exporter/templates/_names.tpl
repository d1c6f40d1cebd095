{{/* Names, labels and addresses of things. Nothing is decided here. */}}

{{- define "triggerdev-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters: a StatefulSet adds a hash to it in a label that holds 63. */}}
{{- define "triggerdev-exporter.fullname" -}}
{{- $name := include "triggerdev-exporter.name" . -}}
{{- $whole := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $whole | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "triggerdev-exporter.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "triggerdev-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "triggerdev-exporter.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What never changes in the life of a release: selectors are immutable, and so is a volume claim's template. */}}
{{- define "triggerdev-exporter.instanceLabels" -}}
app.kubernetes.io/name: {{ include "triggerdev-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "triggerdev-exporter.selectorLabels" -}}
{{ include "triggerdev-exporter.instanceLabels" . }}
app.kubernetes.io/component: exporter
{{- end -}}

{{- define "triggerdev-exporter.labels" -}}
{{ include "triggerdev-exporter.instanceLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: triggerdev-exporter
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "triggerdev-exporter.image" -}}
{{- $registry := .Values.global.imageRegistry | default .Values.image.registry -}}
{{- $repository := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (ne $registry "") -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Where people and the test find the program. */}}
{{- define "triggerdev-exporter.url" -}}
{{- printf "%s://%s.%s.svc:%v" .Values.web.scheme (include "triggerdev-exporter.fullname" .) (include "triggerdev-exporter.namespace" .) .Values.service.port -}}
{{- end -}}

{{/* Where things lie inside the container. */}}
{{- define "triggerdev-exporter.places" -}}
config: /etc/triggerdev-exporter/config
alerts: /etc/triggerdev-exporter/alerts
web: /etc/triggerdev-exporter/web
test: /run/secrets/test
keys: /run/secrets/triggerdev-exporter
state: /var/lib/triggerdev-exporter
{{- end -}}

{{/* Milliseconds in a duration of Prometheus: 1m30s is 90000. */}}
{{- define "triggerdev-exporter.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|[smhd])" . -1 -}}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}
