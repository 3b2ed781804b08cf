// The list of all generators: add one here, and `npm run generate` and its --check know it.
import { snapshotCrdFiles } from '@snapshot-stack/api-types';
import { builtinSchemas } from './builtin-schemas.ts';
import { crdChart } from './crd-chart.ts';
import type { Generator } from './generator.ts';
import { proto } from './proto.ts';

const crds: Generator = {
  name: 'crds',
  files: async () => new Map([...(await snapshotCrdFiles())].map(([name, text]) => [`packages/api-types/crds/${name}`, text])),
};

export const generators: readonly Generator[] = [crds, crdChart, builtinSchemas, proto];
