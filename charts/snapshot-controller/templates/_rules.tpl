{{- /* Written by `npm run generate` from the components' own lists (src/access.ts of each): change it there. */}}
{{- define "rules.controller" -}}
- { apiGroups: [''], resources: [persistentvolumes], verbs: [list, watch] }
- { apiGroups: [''], resources: [persistentvolumeclaims], verbs: [list, watch, patch] }
- { apiGroups: [''], resources: [events], verbs: [create, patch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotclasses], verbs: [list, watch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotcontents], verbs: [get, list, watch, create, patch, delete] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshots], verbs: [get, list, watch, patch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshots/status], verbs: [patch] }
{{- end }}

{{- define "rules.controllerDistributed" -}}
- { apiGroups: [''], resources: [nodes], verbs: [list, watch] }
{{- end }}

{{- define "rules.leaderElection" -}}
- { apiGroups: ['coordination.k8s.io'], resources: [leases], verbs: [get, create, update] }
{{- end }}

{{- define "rules.webhook" -}}
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshots], verbs: [get, list, watch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotcontents], verbs: [list, watch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotclasses], verbs: [list, watch] }
- { apiGroups: ['groupsnapshot.storage.k8s.io'], resources: [volumegroupsnapshotclasses], verbs: [list] }
- { apiGroups: ['storage.k8s.io'], resources: [csidrivers], verbs: [list, watch] }
- { apiGroups: [''], resources: [persistentvolumeclaims], verbs: [list] }
- { apiGroups: ['authorization.k8s.io'], resources: [subjectaccessreviews], verbs: [create] }
{{- end }}

{{- define "rules.webhookBundles" -}}
- { apiGroups: ['admissionregistration.k8s.io'], resources: [validatingwebhookconfigurations], resourceNames: [validation-webhook.snapshot.storage.k8s.io, validation-webhook.groupsnapshot.storage.k8s.io], verbs: [list, watch, patch] }
- { apiGroups: ['apiextensions.k8s.io'], resources: [customresourcedefinitions], resourceNames: [volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io], verbs: [list, watch, patch] }
{{- end }}

{{- define "rules.webhookSecret" -}}
- { apiGroups: [''], resources: [secrets], resourceNames: [{{ .Values.webhook.certificates.secretName }}], verbs: [list, watch, update] }
- { apiGroups: [''], resources: [secrets], verbs: [create] }
{{- end }}
