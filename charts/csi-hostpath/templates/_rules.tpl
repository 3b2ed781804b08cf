{{- /* Written by `npm run generate` from the components' own lists (src/access.ts of each): change it there. */}}
{{- define "rules.snapshotter" -}}
- { apiGroups: [''], resources: [events], verbs: [create, patch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotclasses], verbs: [list, watch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotcontents], verbs: [list, watch, patch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotcontents/status], verbs: [patch] }
{{- end }}

{{- define "rules.provisioner" -}}
- { apiGroups: [''], resources: [persistentvolumes], verbs: [list, watch, get, create, patch, delete] }
- { apiGroups: [''], resources: [persistentvolumeclaims], verbs: [list, watch, patch] }
- { apiGroups: [''], resources: [events], verbs: [create, patch] }
- { apiGroups: [''], resources: [nodes], verbs: [list, watch, get] }
- { apiGroups: ['storage.k8s.io'], resources: [storageclasses], verbs: [list, watch] }
- { apiGroups: ['storage.k8s.io'], resources: [csinodes], verbs: [list, watch] }
- { apiGroups: ['storage.k8s.io'], resources: [volumeattributesclasses], verbs: [list, watch] }
- { apiGroups: ['storage.k8s.io'], resources: [volumeattachments], verbs: [list, watch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshots], verbs: [list, watch, patch] }
- { apiGroups: ['snapshot.storage.k8s.io'], resources: [volumesnapshotcontents], verbs: [list, watch] }
{{- end }}

{{- define "rules.provisionerCrossNamespace" -}}
- { apiGroups: ['gateway.networking.k8s.io'], resources: [referencegrants], verbs: [list, watch] }
{{- end }}

{{- define "rules.leaderElection" -}}
- { apiGroups: ['coordination.k8s.io'], resources: [leases], verbs: [get, create, update] }
{{- end }}
