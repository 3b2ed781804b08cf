// The CRDs as templates of a chart: upgraded by `helm upgrade`, and kept when the chart is uninstalled.
import { snapshotCrdFiles } from '@snapshot-stack/api-types';
import type { Generator } from './generator.ts';

const HEAD = '# Written by `npm run generate` from packages/api-types/src/crds: change it there.\n';
// The first annotation of every definition; the policy goes before it.
const ANNOTATIONS = /^( {2}annotations:\n)/m;

function asTemplate(name: string, text: string): string {
  if (!ANNOTATIONS.test(text)) throw new Error(`the definition ${name} has no annotations to put helm.sh/resource-policy beside`);
  if (text.includes('{{')) throw new Error(`the definition ${name} holds "{{", which Helm would take for a template`);
  const body = text.replace(/^#.*\n---\n/, '');
  return HEAD + body.replace(ANNOTATIONS, '$1    helm.sh/resource-policy: keep\n');
}

export const crdChart: Generator = {
  name: 'crd-chart',
  files: async () => new Map([...(await snapshotCrdFiles())].map(([name, text]) => [`charts/snapshot-crds/templates/${name}`, asTemplate(name, text)])),
};
