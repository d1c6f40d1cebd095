{{/* The program's config, made of values: which keys, which files, and what cannot be right. */}}

{{/*
Each target with its place: {file, secret, key, own, config}. `own` is the secret key itself, if the chart keeps it; `secret` is
empty where somebody else brings the key. A list as JSON; without `targets` there is one that says nothing.
*/}}
{{- define "triggerdev-exporter.targets" -}}
{{- $auth := .Values.auth -}}
{{- $places := include "triggerdev-exporter.places" . | fromYaml -}}
{{- $found := list -}}
{{- range $number, $target := .Values.targets | default (list (dict "secretKey" $auth.secretKey)) -}}
{{- $own := get $target "secretKey" | default "" -}}
{{- $elsewhere := or (get $target "secret_key_file") (get $target "secret_key_env") -}}
{{- $secret := get $target "existingSecret" | default (ternary "" $auth.existingSecret (or (ne $own "") (not (empty $elsewhere)))) -}}
{{- $file := printf "target-%d" $number -}}
{{- if and $own (or (get $target "existingSecret") (and (not $.Values.targets) $auth.existingSecret)) -}}
{{- fail "a secret key is given twice: keep secretKey or existingSecret, not both" -}}
{{- end -}}
{{- if and $elsewhere (or $own (get $target "existingSecret")) -}}
{{- fail "a secret key is given twice: keep secret_key_file or secret_key_env, or let the chart mount it" -}}
{{- end -}}
{{- if hasPrefix "tr_pat_" $own -}}
{{- fail "a secretKey begins with tr_pat_: that is the access token of a person, who can do much more; take the secret key of an environment (tr_prod_, tr_stg_, tr_preview_ or tr_dev_)" -}}
{{- end -}}
{{- if not (or $own $secret $elsewhere) -}}
{{- fail (printf "there is no secret key to watch with: set auth.existingSecret to a Secret that holds the secret key of your Trigger.dev environment under %q (or auth.secretKey to the key itself, for a first try)" $auth.existingSecretKey) -}}
{{- end -}}
{{- $config := omit $target "existingSecret" "existingSecretKey" "secretKey" -}}
{{- if not $elsewhere }}{{ $_ := set $config "secret_key_file" (printf "%s/%s" $places.keys $file) }}{{ end -}}
{{- $key := get $target "existingSecretKey" | default $auth.existingSecretKey -}}
{{- $found = append $found (dict "file" $file "own" $own "secret" $secret "key" $key "config" $config) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- define "triggerdev-exporter.ownKeys" -}}
{{- range include "triggerdev-exporter.targets" . | fromJsonArray }}
{{- if .own }}
{{ .file }}: {{ .own | b64enc | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "triggerdev-exporter.config" -}}
{{- $places := include "triggerdev-exporter.places" . | fromYaml -}}
{{- $targets := list -}}
{{- range include "triggerdev-exporter.targets" . | fromJsonArray -}}
{{- $targets = append $targets .config -}}
{{- end -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "targets" $targets -}}
{{- $_ := set $config "state" (printf "%s/state.db" $places.state) -}}
{{- $web := dict "listen" (printf "%s:%v" .Values.listenAddress .Values.containerPort) -}}
{{- if .Values.web.existingSecret -}}
{{- $web = merge $web (dict "config_file" (printf "%s/web.yml" $places.web) "open" .Values.web.open) -}}
{{- end -}}
{{- $_ := set $config "web" $web -}}
{{- if or .Values.alerts.files .Values.alerts.existingConfigMaps -}}
{{- $alerts := get $config "alerts" | default dict -}}
{{- $_ := set $config "alerts" (set $alerts "files" (list (printf "%s/*.yml" $places.alerts))) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* What of the config needs a new pod (docs/operating.md). */}}
{{- define "triggerdev-exporter.restart" -}}
{{- $config := include "triggerdev-exporter.config" . | fromYaml -}}
{{- toJson (list $config.web.listen $config.state (dig "log" "format" "" $config) (dig "traces" "enabled" "" $config)) -}}
{{- end -}}

{{/* Rule files, by name: what is written as YAML becomes text. */}}
{{- define "triggerdev-exporter.ruleFiles" -}}
{{- range $name, $file := .Values.alerts.files }}
{{ $name }}: |
  {{- ternary $file (toYaml $file) (kindIs "string" $file) | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The shipped rules for Prometheus in the mode that is wanted, and the names of all shipped alerts. */}}
{{- define "triggerdev-exporter.promRules" -}}
{{- $wanted := .Files.Get (printf "files/rules/%s.rules.yml" .Values.prometheusRule.mode) | fromYaml -}}
{{- $every := .Files.Get "files/rules/held.rules.yml" | fromYaml -}}
{{- $names := list -}}
{{- range $every.groups }}{{ range .rules }}{{ with .alert }}{{ $names = append $names . }}{{ end }}{{ end }}{{ end -}}
{{- toJson (dict "groups" $wanted.groups "names" $names) -}}
{{- end -}}

{{/* What a schema cannot tell. Each sentence says what to do. */}}
{{- define "triggerdev-exporter.check" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "replicas is 0 or 1: two would count every run twice, spend your rate limit twice, and send every message twice" -}}
{{- end -}}
{{- if and .Values.targets .Values.auth.secretKey -}}
{{- fail "auth.secretKey is the key of one environment; with targets, write secretKey into them" -}}
{{- end -}}
{{- if and .Values.web.existingSecret (not (has "probes" .Values.web.open)) -}}
{{- fail "web.open lacks probes: Kubernetes has no password, and would end the pod" -}}
{{- end -}}
{{- if and (eq .Values.web.scheme "https") (not .Values.web.existingSecret) -}}
{{- fail "web.scheme is https, and there is no certificate: name a Secret with web.yml in web.existingSecret" -}}
{{- end -}}
{{- range $where, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "service.labels" .Values.service.labels -}}
{{- range $name := keys (include "triggerdev-exporter.selectorLabels" $ | fromYaml) | sortAlpha -}}
{{- if hasKey $labels $name -}}
{{- fail (printf "%s sets %s, by which our objects find each other; take another name (nameOverride is for app.kubernetes.io/name)" $where $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := dict -}}
{{- range .Values.targets -}}
{{- with get . "name" -}}
{{- if hasKey $names . -}}
{{- fail (printf "two targets are called %q; give each a name of its own" .) -}}
{{- end -}}
{{- $_ := set $names . true -}}
{{- end -}}
{{- end -}}
{{- range $name, $file := .Values.alerts.files -}}
{{- if kindIs "string" $file -}}
{{- with get (fromYaml $file) "Error" -}}
{{- fail (printf "alerts.files: %s is no YAML: %s" $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.monitor -}}
{{- if and .enabled .interval .scrapeTimeout -}}
{{- $longest := include "triggerdev-exporter.milliseconds" .interval | int64 -}}
{{- if gt (include "triggerdev-exporter.milliseconds" .scrapeTimeout | int64) $longest -}}
{{- fail (printf "monitor.scrapeTimeout (%s) is longer than monitor.interval (%s); Prometheus would refuse its whole configuration" .scrapeTimeout .interval) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $known := dict -}}
{{- range $name := keys .Values.alerts.files .Values.alerts.secrets -}}
{{- if hasKey $known $name -}}
{{- fail (printf "alerts.files and alerts.secrets both hold %q, and lie in one directory" $name) -}}
{{- end -}}
{{- $_ := set $known $name true -}}
{{- end -}}
{{- range .Values.alerts.existingSecrets -}}
{{- range $name := .keys -}}
{{- if hasKey $known $name -}}
{{- fail (printf "two files of alerts are called %q, and lie in one directory" $name) -}}
{{- end -}}
{{- $_ := set $known $name true -}}
{{- end -}}
{{- end -}}
{{- if .Values.prometheusRule.enabled -}}
{{- include "triggerdev-exporter.checkRules" . -}}
{{- end -}}
{{- end -}}

{{- define "triggerdev-exporter.checkRules" -}}
{{- $rules := include "triggerdev-exporter.promRules" . | fromJson -}}
{{- $native := get .Values.config "alerts" | default dict -}}
{{- $shipped := ternary (get $native "shipped") true (hasKey $native "shipped") -}}
{{- $off := get $native "disable" | default list -}}
{{- range $name := concat .Values.prometheusRule.disable (keys .Values.prometheusRule.overrides | sortAlpha) -}}
{{- if not (has $name $rules.names) -}}
{{- fail (printf "prometheusRule names an alert %q, and no shipped rule is called that; they are %s" $name (join ", " $rules.names)) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.prometheusRule.mode "held") (not $shipped) -}}
{{- fail "prometheusRule.mode held passes on what the program decides, and config.alerts.shipped: false keeps it from deciding; use mode promql" -}}
{{- end -}}
{{- $told := list -}}
{{- range $rules.groups }}{{ range .rules }}{{ with .alert -}}
{{- if not (has . $.Values.prometheusRule.disable) }}{{ $told = append $told . }}{{ end -}}
{{- end }}{{ end }}{{ end -}}
{{- range $name := keys .Values.prometheusRule.overrides | sortAlpha -}}
{{- if not (has $name $told) -}}
{{- fail (printf "prometheusRule.overrides names %q, which mode %s does not have or prometheusRule.disable leaves out" $name $.Values.prometheusRule.mode) -}}
{{- end -}}
{{- end -}}
{{- $twice := list -}}
{{- range $told -}}
{{- if and $shipped (not (has . $off)) }}{{ $twice = append $twice . }}{{ end -}}
{{- end -}}
{{- if and $twice (include "triggerdev-exporter.receivers" .) (not .Values.alerts.allowBoth) -}}
{{- fail (printf "prometheusRule and the receivers in alerts.files (%s) would both tell of %s: everybody would be told twice. Leave one of them out, disable these alerts in one (prometheusRule.disable; with mode promql also config.alerts.disable), or say alerts.allowBoth: true if your routes tell of others" (include "triggerdev-exporter.receivers" .) (join ", " $twice)) -}}
{{- end -}}
{{- end -}}

{{/* The names of receivers in files of rules that the chart can see. */}}
{{- define "triggerdev-exporter.receivers" -}}
{{- $found := list -}}
{{- range $name, $file := .Values.alerts.files -}}
{{- $read := $file -}}
{{- if kindIs "string" $file }}{{ $read = fromYaml $file }}{{ end -}}
{{- $found = concat $found (keys (get $read "receivers" | default dict) | sortAlpha) -}}
{{- end -}}
{{- join ", " $found -}}
{{- end -}}
