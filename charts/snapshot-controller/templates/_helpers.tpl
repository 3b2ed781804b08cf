{{- /* Names and blocks that several templates share. One release serves a cluster, so names are plain: those that upstream's users know. */}}

{{- define "labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: snapshot-stack
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Of one component's pods; never changes, since Deployments forbid it. */}}
{{- define "selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* registry/component:tag, or by digest. */}}
{{- define "image" -}}
{{- $image := .root.Values.image -}}
{{- if .digest -}}
{{ printf "%s/%s@%s" $image.registry .component .digest }}
{{- else -}}
{{ printf "%s/%s:%s" $image.registry .component ($image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{- define "podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}

{{- define "podLabels" -}}
{{- include "labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- with .settings.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* How a pod is pulled, ranked and placed. Softly away from its like, so that small clusters run it too. */}}
{{- define "placement" }}
{{- $settings := ternary .root.Values.controller .root.Values.webhook (eq .component "snapshot-controller") }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $settings.affinity }}
affinity: {{- toYaml $settings.affinity | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* A probe by HTTP, with all that the server would fill in. */}}
{{- define "probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
  scheme: {{ .scheme | default "HTTP" }}
initialDelaySeconds: {{ .delay | default 1 }}
periodSeconds: {{ .period }}
timeoutSeconds: 5
successThreshold: 1
failureThreshold: {{ .failures | default 3 }}
{{- end }}
