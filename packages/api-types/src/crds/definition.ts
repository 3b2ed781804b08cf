// From a kind with its versions to the CustomResourceDefinition object that the API server takes.
// Source of the shape: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
import type { KubeObject } from '../meta.ts';
import { text, toOpenApi, type Schema } from '../schema.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
}

/** One version of a kind; `members` stand beside apiVersion, kind and metadata. */
export interface KindVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated?: boolean;
  /** Replaces the warning that the API server makes up for a deprecated version. */
  readonly deprecationWarning?: string;
  readonly members: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

/** All that is needed to write the CRD of one kind, and to check its objects. */
export interface Kind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  readonly description: string;
  /** Names in a `k8s.io` group need the API review that let them in. */
  readonly approvedBy: string;
  readonly columns: readonly PrinterColumn[];
  /** Newest first. */
  readonly versions: readonly KindVersion[];
}

export interface CustomResourceDefinition extends KubeObject {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: KubeObject['metadata'] & { name: string; annotations: Record<string, string> };
  spec: {
    group: string;
    names: { kind: string; listKind: string; plural: string; singular: string; shortNames?: string[] };
    scope: 'Namespaced' | 'Cluster';
    versions: CustomResourceDefinitionVersion[];
    conversion?: Record<string, unknown>;
  };
}

export interface CustomResourceDefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  additionalPrinterColumns?: PrinterColumn[];
  schema: { openAPIV3Schema: Record<string, unknown> };
  subresources?: { status: Record<string, never> };
}

const AGE: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** The schema of a whole object of one version. */
export function objectSchema(kind: Kind, version: KindVersion): Schema {
  return {
    type: 'object',
    description: kind.description,
    required: version.required,
    properties: {
      apiVersion: text('The API group and version that this object is written in, for example snapshot.storage.k8s.io/v1.'),
      kind: text('The kind of this object, in CamelCase. It cannot be changed.'),
      metadata: { type: 'object' },
      ...version.members,
    },
  };
}

/** Builds the CustomResourceDefinition of a kind: a fresh object at each call, the caller may change it. */
export function toCustomResourceDefinition(kind: Kind): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}`, annotations: { 'api-approved.kubernetes.io': kind.approvedBy } },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        shortNames: [...kind.shortNames],
        singular: kind.kind.toLowerCase(),
      },
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      versions: kind.versions.map((version) => versionOf(kind, version)),
    },
  };
}

function versionOf(kind: Kind, version: KindVersion): CustomResourceDefinitionVersion {
  return {
    name: version.name,
    served: version.served,
    storage: version.storage,
    ...(version.deprecated === true && { deprecated: true }),
    ...(version.deprecationWarning !== undefined && { deprecationWarning: version.deprecationWarning }),
    additionalPrinterColumns: [...kind.columns, AGE].map((column) => ({ ...column })),
    schema: { openAPIV3Schema: toOpenApi(objectSchema(kind, version)) },
    ...(kind.hasStatus && { subresources: { status: {} } }),
  };
}
