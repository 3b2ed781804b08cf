// Resources that a CustomResourceDefinition adds: served as soon as the definition is stored.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { Schema } from '../schema/schema.ts';
import { ALL_VERBS, type PrinterColumn, type ResourceDefinition } from './resource.ts';

export interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: Schema };
  subresources?: { status?: object; scale?: object };
  additionalPrinterColumns?: PrinterColumn[];
  selectableFields?: { jsonPath: string }[];
}

export interface CustomResourceDefinition extends KubeObject {
  spec: {
    group: string;
    scope: 'Namespaced' | 'Cluster';
    names: { plural: string; singular?: string; kind: string; listKind?: string; shortNames?: string[]; categories?: string[] };
    versions: CrdVersion[];
  };
  status?: { conditions?: Condition[]; acceptedNames?: object; storedVersions?: string[] };
}

interface Condition {
  type: string;
  status: 'True' | 'False';
  reason: string;
  message: string;
  lastTransitionTime: string;
}

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
};

function deprecationOf(crd: CustomResourceDefinition, version: CrdVersion): string | undefined {
  if (version.deprecated !== true) return undefined;
  return version.deprecationWarning ?? `${crd.spec.group}/${version.name} ${crd.spec.names.kind} is deprecated`;
}

/** One definition for each served version; none while the definition is being deleted for good. */
export function customDefinitions(crd: CustomResourceDefinition): ResourceDefinition[] {
  const { group, names, scope } = crd.spec;
  return crd.spec.versions
    .filter((version) => version.served)
    .map((version) => {
      const warning = deprecationOf(crd, version);
      return {
        group,
        version: version.name,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        kind: names.kind,
        listKind: names.listKind ?? `${names.kind}List`,
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        namespaced: scope === 'Namespaced',
        verbs: ALL_VERBS,
        selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, '')),
        columns: version.additionalPrinterColumns ?? [AGE],
        schema: version.schema?.openAPIV3Schema,
        custom: true,
        ...(warning === undefined ? {} : { deprecationWarning: warning }),
        subresources: version.subresources?.scale === undefined ? [] : ['scale'],
        strategy: { hasStatus: version.subresources?.status !== undefined, hasGeneration: true },
      };
    });
}

/** What the server says of a definition once its names are accepted and it is served. */
export function establishedStatus(crd: CustomResourceDefinition, now: string): CustomResourceDefinition['status'] {
  const { names, versions } = crd.spec;
  const stored = versions.filter((version) => version.storage).map((version) => version.name);
  const before = crd.status?.storedVersions ?? [];
  return {
    conditions: [
      { type: 'NamesAccepted', status: 'True', lastTransitionTime: now, reason: 'NoConflicts', message: 'no conflicts found' },
      { type: 'Established', status: 'True', lastTransitionTime: now, reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' },
    ],
    acceptedNames: { ...names, singular: names.singular ?? names.kind.toLowerCase(), listKind: names.listKind ?? `${names.kind}List` },
    storedVersions: [...new Set([...before, ...stored])],
  };
}
