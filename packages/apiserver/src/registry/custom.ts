// Resources that a CustomResourceDefinition adds: served once its names are accepted.
import type { KubeObject } from '@snapshot-stack/api-types';
import { selectorName } from '../crd/selectable-fields.ts';
import type { Definition, DefinitionVersion } from '../crd/types.ts';
import { AGE_DESCRIPTION } from '../builtin/columns.ts';
import { compareVersions } from '../discovery/discovery.ts';
import { type PrinterColumn, type ResourceDefinition, type Verb } from './resource.ts';

export type CustomResourceDefinition = KubeObject & Definition;

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: AGE_DESCRIPTION,
};

// The order in which discovery lists them for custom resources.
const CUSTOM_VERBS: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

function deprecationOf({ spec }: Definition, version: DefinitionVersion): string | undefined {
  if (version.deprecated !== true) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const head = `${spec.group}/${version.name} ${spec.names.kind} is deprecated`;
  const better = spec.versions.filter((other) => other.served && other.deprecated !== true && compareVersions(other.name, version.name) < 0);
  const [best] = better.map((other) => other.name).sort(compareVersions);
  return best === undefined ? head : `${head}; use ${spec.group}/${best} ${spec.names.kind}`;
}

/** One definition for each served version. */
export function customDefinitions(crd: CustomResourceDefinition): ResourceDefinition[] {
  return crd.spec.versions.filter((version) => version.served).map((version) => versionDefinition(crd, version));
}

function versionDefinition(crd: CustomResourceDefinition, version: DefinitionVersion): ResourceDefinition {
  const { group, names, scope } = crd.spec;
  const warning = deprecationOf(crd, version);
  const scale = version.subresources?.scale;
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
    verbs: CUSTOM_VERBS,
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => selectorName(jsonPath)),
    columns: (version.additionalPrinterColumns as PrinterColumn[] | undefined) ?? [AGE],
    schema: version.schema?.openAPIV3Schema,
    custom: true,
    origin: crd,
    ...(warning === undefined ? {} : { deprecationWarning: warning }),
    ...(scale === undefined ? {} : { scale }),
    subresources: scale === undefined ? [] : ['scale'],
    strategy: { hasStatus: version.subresources?.status !== undefined, hasGeneration: true },
  };
}
