{{/* The pod's template: one for StatefulSet and Deployment, so that they cannot drift. */}}

{{- define "triggerdev-exporter.pod" -}}
{{- $places := include "triggerdev-exporter.places" . | fromYaml -}}
{{- $name := include "triggerdev-exporter.fullname" . -}}
metadata:
  labels:
    {{- include "triggerdev-exporter.selectorLabels" . | nindent 4 }}
    {{- with merge (dict) .Values.podLabels .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # What the program cannot take up while it runs.
    checksum/restart: {{ include "triggerdev-exporter.restart" . | sha256sum }}
    {{- if .Values.restartOnChange }}
    checksum/config: {{ include "triggerdev-exporter.config" . | sha256sum }}
    checksum/alerts: {{ include "triggerdev-exporter.ruleFiles" . | sha256sum }}
    checksum/keys: {{ include "triggerdev-exporter.ownKeys" . | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: exporter
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "triggerdev-exporter.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "triggerdev-exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        {{- include "triggerdev-exporter.env" . | trim | nindent 8 }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ .Values.containerPort }}
          protocol: TCP
      {{- with .Values.startupProbe }}
      startupProbe:
        httpGet: {path: /-/healthy, port: metrics, scheme: {{ upper $.Values.web.scheme }}}
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.livenessProbe }}
      livenessProbe:
        httpGet: {path: /-/healthy, port: metrics, scheme: {{ upper $.Values.web.scheme }}}
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.readinessProbe }}
      readinessProbe:
        httpGet: {path: /-/ready, port: metrics, scheme: {{ upper $.Values.web.scheme }}}
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: config, mountPath: {{ $places.config }}, readOnly: true}
        {{- if include "triggerdev-exporter.alertSources" . }}
        - {name: alerts, mountPath: {{ $places.alerts }}, readOnly: true}
        {{- end }}
        {{- if include "triggerdev-exporter.keySources" . }}
        - {name: keys, mountPath: {{ $places.keys }}, readOnly: true}
        {{- end }}
        {{- if .Values.web.existingSecret }}
        - {name: web, mountPath: {{ $places.web }}, readOnly: true}
        {{- end }}
        - {name: state, mountPath: {{ $places.state }}}
        # SQLite sorts what is large in a file.
        - {name: tmp, mountPath: /tmp}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ $name }}
        defaultMode: 288 # 0440; YAML 1.2 would read the octal as 440
    {{- with include "triggerdev-exporter.alertSources" . }}
    # Rules and secrets of receivers in one directory: a rule names a secret by its file.
    - name: alerts
      projected:
        defaultMode: 288 # 0440; YAML 1.2 would read the octal as 440
        sources:
          {{- . | trim | nindent 10 }}
    {{- end }}
    {{- with include "triggerdev-exporter.keySources" . }}
    - name: keys
      projected:
        defaultMode: 288 # 0440; YAML 1.2 would read the octal as 440
        sources:
          {{- . | trim | nindent 10 }}
    {{- end }}
    {{- with .Values.web.existingSecret }}
    - name: web
      secret:
        secretName: {{ . }}
        defaultMode: 288 # 0440; YAML 1.2 would read the octal as 440
    {{- end }}
    {{- if not .Values.persistence.enabled }}
    - name: state
      emptyDir:
        sizeLimit: {{ .Values.persistence.emptyDirSizeLimit }}
    {{- else if .Values.persistence.existingClaim }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" "dnsConfig" "hostAliases" }}
  {{- with get $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "triggerdev-exporter.env" -}}
{{- $here := get (dict "0.0.0.0" "127.0.0.1" "[::]" "[::1]") .Values.listenAddress | default .Values.listenAddress }}
# Both so that commands find them: kubectl exec … -- triggerdev-exporter doctor
- {name: TRIGGERDEV_EXPORTER_CONFIG, value: {{ (include "triggerdev-exporter.places" . | fromYaml).config }}/config.yml}
- {name: TRIGGERDEV_EXPORTER_URL, value: {{ printf "%s://%s:%v" .Values.web.scheme $here .Values.containerPort | quote }}}
{{- with .Values.otlp }}
{{- if .endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ quote .endpoint }}}
- {name: OTEL_EXPORTER_OTLP_PROTOCOL, value: {{ quote .protocol }}}
{{- with .existingSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: {{ $.Values.otlp.existingSecretKey }}}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "triggerdev-exporter.keySources" -}}
{{- $name := include "triggerdev-exporter.fullname" . -}}
{{- range include "triggerdev-exporter.targets" . | fromJsonArray }}
{{- if or .own .secret }}
- secret:
    name: {{ ternary (printf "%s-keys" $name) .secret (ne .own "") }}
    items:
      - {key: {{ ternary .file .key (ne .own "") }}, path: {{ .file }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "triggerdev-exporter.alertSources" -}}
{{- $name := include "triggerdev-exporter.fullname" . -}}
{{- with .Values.alerts -}}
{{- if .files }}
- configMap: {name: {{ $name }}-alerts}
{{- end }}
{{- range .existingConfigMaps }}
- configMap: {name: {{ . }}}
{{- end }}
{{- if .secrets }}
- secret: {name: {{ $name }}-alerts}
{{- end }}
{{- range .existingSecrets }}
- secret:
    name: {{ .name }}
    {{- with .keys }}
    items:
      {{- range . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}
