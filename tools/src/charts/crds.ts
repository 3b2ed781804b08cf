// The CRDs as templates of the controller's chart: upgraded by `helm upgrade`, and kept when the chart is uninstalled.
import { snapshotCrdFiles } from '@snapshot-stack/api-types';
import type { Generator } from '../generate/generator.ts';

const DIR = 'charts/snapshot-controller/templates/crds';
const HEAD = '{{- /* Written by `npm run generate` from packages/api-types/src/crds: change it there. */}}\n{{- if .Values.crds.enabled }}\n';
const CONVERTED = 'volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io';
const KEEP = '    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n';
const LABELS = '  labels: {{- include "labels" . | nindent 4 }}\n';
const CONVERSION = `  {{- if and .Values.webhook.enabled .Values.webhook.conversion }}
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig:
        service: { name: snapshot-validation-service, namespace: {{ .Release.Namespace }}, path: /convert, port: 443 }
  {{- else }}
  conversion: { strategy: None }
  {{- end }}
`;
// The first annotation of every definition; the policy goes before it.
const ANNOTATIONS = /^( {2}annotations:\n)/m;
const SPEC = /^spec:\n/m;

function asTemplate(name: string, text: string): string {
  if (!ANNOTATIONS.test(text)) throw new Error(`the definition ${name} has no annotations to put helm.sh/resource-policy beside`);
  if (text.includes('{{')) throw new Error(`the definition ${name} holds "{{", which Helm would take for a template`);
  const body = text
    .replace(/^#.*\n---\n/, '')
    .replace(ANNOTATIONS, `${LABELS}$1${KEEP}`)
    .replace(SPEC, `spec:\n${name.includes(CONVERTED.split('.')[0] ?? '') ? CONVERSION : '  conversion: { strategy: None }\n'}`);
  return `${HEAD}${body}{{- end }}\n`;
}

export const crdChart: Generator = {
  name: 'crd-chart',
  files: async () => {
    const files = await snapshotCrdFiles();
    const names = [...files.keys()]
      .map((file) => /_(.+)\.yaml$/.exec(file)?.[1])
      .map((plural, index) => `${plural}.${[...files.keys()][index]?.split('_')[0]}`);
    const list = `{{- define "crdNames" }}${JSON.stringify(names)}{{- end }}\n`;
    return new Map([[`${DIR}/_names.tpl`, list], ...[...files].map(([name, text]): [string, string] => [`${DIR}/${name}`, asTemplate(name, text)])]);
  },
};
