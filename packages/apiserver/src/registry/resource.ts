// What the server has to know of one served resource: a page of data, from which every verb follows.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { FieldError } from '../schema/field-error.ts';
import type { Definition, ScaleSubresource } from '../crd/types.ts';
import type { Schema } from '../schema/schema.ts';
import type { NameRule } from './metadata.ts';

export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  format?: string;
  description?: string;
  jsonPath: string;
  priority?: number;
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

/** What a resource does beyond the rules that all share. All of it is pure; objects may be changed in place. */
export interface Strategy {
  /** Fills in defaults and drops what a client may not set, before validation. */
  prepareCreate?(object: KubeObject, now: string): void;
  prepareUpdate?(object: KubeObject, old: KubeObject): void;
  /** As prepareUpdate, for changes that come through /status. */
  prepareStatus?(object: KubeObject, old: KubeObject, now: string): void;
  validate?(object: KubeObject, old: KubeObject | undefined): FieldError[];
  /** Changes to the spec do not come through /status, and the other way round; true where the kind has both. */
  hasStatus: boolean;
  /** metadata.generation counts changes of the spec. */
  hasGeneration: boolean;
  /** How strict the kind is about its names; RFC 1123 subdomain by default. */
  nameRule?: NameRule;
  /** DELETE answers with the object instead of a Status. */
  returnsDeletedObject?: boolean;
  /** Seconds that a deletion waits for an agent to confirm; 0 or undefined deletes at once. */
  graceSeconds?(object: KubeObject): number;
  /** True while the object may not go although no finalizer holds it (a Namespace's spec.finalizers). */
  isHeld?(object: KubeObject): boolean;
  /** A deletion does not write deletionGracePeriodSeconds (Namespaces). */
  hasNoGracePeriod?: boolean;
  /** PUT on a name that does not exist creates it. */
  allowsCreateOnUpdate?: boolean;
  /** PUT without resourceVersion overwrites whatever is there. */
  allowsUnconditionalUpdate?: boolean;
}

/** A resource that shows the objects of another one, of the same plural, in its own words. */
export interface ResourceView {
  /** Of the resource that stores them. */
  group: string;
  version: string;
  show(stored: KubeObject): KubeObject;
  store(view: KubeObject): KubeObject;
}

export interface ResourceDefinition {
  group: string;
  version: string;
  plural: string;
  singular: string;
  kind: string;
  listKind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  verbs: readonly Verb[];
  /** Fields that `fieldSelector` may name besides metadata.name and metadata.namespace. */
  selectableFields: readonly string[];
  columns: readonly PrinterColumn[];
  /** Structural schema of the whole object; undefined accepts anything. */
  schema: Schema | undefined;
  /** True for kinds defined by a CustomResourceDefinition. */
  custom: boolean;
  /** Set when its objects are those of another resource. */
  view?: ResourceView;
  /** That definition. */
  origin?: Definition;
  /** Where its scale subresource finds replicas and selector. */
  scale?: ScaleSubresource;
  /** Sent as a Warning header with each answer, for deprecated versions. */
  deprecationWarning?: string;
  /** Subresources besides status, for example `scale`. */
  subresources: readonly string[];
  strategy: Strategy;
}

/** Where its objects are stored: versions of one resource share them. */
export function storageKeyOf({ group, plural, view }: Pick<ResourceDefinition, 'group' | 'plural' | 'view'>): string {
  return `${view?.group ?? group}/${plural}`;
}

export function groupVersionOf(definition: Pick<ResourceDefinition, 'group' | 'version'>): string {
  return definition.group === '' ? definition.version : `${definition.group}/${definition.version}`;
}

export const ALL_VERBS: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
