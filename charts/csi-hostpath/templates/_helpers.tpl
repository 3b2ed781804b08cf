{{- /* Labels of every object. */}}
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

{{/* Labels that select the pods. */}}
{{- define "selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: hostpath-driver
{{- end }}

{{/* An image: dict "root" $ "component" name. */}}
{{- define "image" -}}
{{ .root.Values.image.registry }}/{{ .component }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* A sidecar is root to reach the driver's socket, and has no other power. */}}
{{- define "sidecarSecurity" -}}
runAsUser: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* A sidecar: dict "root" $ "component" image "port" number "settings" values "args" list. */}}
{{- define "sidecar" -}}
- name: {{ .component }}
  image: {{ include "image" . }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --http-endpoint=:{{ .port }}
    - --logging-format=json
    - --v={{ .root.Values.driver.verbosity }}
    - --extra-create-metadata
    {{- if eq .root.Values.mode "distributed" }}
    - --node-deployment
    {{- end }}
    {{- range concat .args .settings.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    - name: NODE_NAME
      valueFrom: { fieldRef: { apiVersion: v1, fieldPath: spec.nodeName } }
    - name: POD_NAME
      valueFrom: { fieldRef: { apiVersion: v1, fieldPath: metadata.name } }
    - name: NAMESPACE
      valueFrom: { fieldRef: { apiVersion: v1, fieldPath: metadata.namespace } }
  ports:
    - { name: {{ .portName }}, containerPort: {{ .port }}, protocol: TCP }
  readinessProbe:
    httpGet: { path: /readyz, port: {{ .portName }}, scheme: HTTP }
    periodSeconds: 5
  resources: {{- toYaml .settings.resources | nindent 4 }}
  securityContext: {{- include "sidecarSecurity" . | nindent 4 }}
  volumeMounts:
    - { name: socket, mountPath: /csi }
{{- end }}
