// The list of all generators: add one here, and `npm run generate` and its --check know it.
import { snapshotCrdFiles } from '@snapshot-stack/api-types';
import { builtinSchemas } from './builtin-schemas.ts';
import { crdChart } from '../charts/crds.ts';
import { chartRules } from '../charts/rules.ts';
import { chartReadmes } from '../charts/values-table.ts';
import { flagsReference } from '../reference/flags.ts';
import { metricsReference } from '../reference/metrics.ts';
import { namesReference } from '../reference/names.ts';
import type { Generator } from './generator.ts';
import { proto } from './proto.ts';

const crds: Generator = {
  name: 'crds',
  files: async () => new Map([...(await snapshotCrdFiles())].map(([name, text]) => [`packages/api-types/crds/${name}`, text])),
};

export const generators: readonly Generator[] = [
  crds,
  crdChart,
  chartRules,
  chartReadmes,
  flagsReference,
  metricsReference,
  namesReference,
  builtinSchemas,
  proto,
];
