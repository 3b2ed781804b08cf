// All built-in types as schemas, made from the pages at first use. A type is made once and shared, so that what is
// compiled from a schema can be cached by its identity; members are getters, because types may contain themselves.
import type { Schema } from '../../schema/schema.ts';
import type { Field, FieldType, TypePage } from './notation.ts';
import { parseField } from './notation.ts';
import { admissionregistrationV1 } from './pages/admissionregistration-v1.ts';
import { apiextensionsV1 } from './pages/apiextensions-v1.ts';
import { appsV1 } from './pages/apps-v1.ts';
import { authenticationV1 } from './pages/authentication-v1.ts';
import { authorizationV1 } from './pages/authorization-v1.ts';
import { autoscalingV1 } from './pages/autoscaling-v1.ts';
import { coordinationV1 } from './pages/coordination-v1.ts';
import { coreV1 } from './pages/core-v1.ts';
import { eventsV1 } from './pages/events-v1.ts';
import { metaV1 } from './pages/meta-v1.ts';
import { networkingV1 } from './pages/networking-v1.ts';
import { policyV1 } from './pages/policy-v1.ts';
import { rbacV1 } from './pages/rbac-v1.ts';
import { storageV1 } from './pages/storage-v1.ts';

/** Page name (`core.v1`) to page. */
export const pages: ReadonlyMap<string, TypePage> = new Map([
  ['admissionregistration.v1', admissionregistrationV1],
  ['apiextensions.v1', apiextensionsV1],
  ['apps.v1', appsV1],
  ['authentication.v1', authenticationV1],
  ['authorization.v1', authorizationV1],
  ['autoscaling.v1', autoscalingV1],
  ['coordination.v1', coordinationV1],
  ['core.v1', coreV1],
  ['events.v1', eventsV1],
  ['meta.v1', metaV1],
  ['networking.v1', networkingV1],
  ['policy.v1', policyV1],
  ['rbac.v1', rbacV1],
  ['storage.v1', storageV1],
]);

/** A built-in struct: its fields as on the wire, and the schema made from them. */
export interface BuiltinType {
  /** `core.v1.ConfigMap` */
  readonly name: string;
  readonly page: string;
  /** `io.k8s.api.core.v1.ConfigMap` */
  readonly openApiName: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Set for kinds (objects with apiVersion, kind and metadata). */
  readonly apiVersion: string | undefined;
  readonly schema: Schema;
}

const typesByName = new Map<string, BuiltinType>();
const kinds = new Map<string, string>();
for (const [page, { types }] of pages) {
  for (const [name, lines] of Object.entries(types)) {
    const apiVersion = /^object (\S+)/.exec(lines[''] ?? '')?.[1];
    if (apiVersion !== undefined) kinds.set(`${apiVersion}/${name}`, `${page}.${name}`);
  }
}

/** The full name of a type that a page refers to: `LabelSelector` in `meta.v1` is `meta.v1.LabelSelector`. */
export function qualify(page: string, reference: string): string {
  return reference.includes('.') ? reference : `${page}.${reference}`;
}

/** The type `core.v1.ConfigMap`. @throws Error when no page has it */
export function builtinType(name: string): BuiltinType {
  const known = typesByName.get(name);
  if (known !== undefined) return known;
  const page = name.slice(0, name.lastIndexOf('.'));
  const short = name.slice(page.length + 1);
  const lines = pages.get(page)?.types[short];
  if (lines === undefined) throw new Error(`no built-in type ${name}: add it to its page in builtin/schemas/pages`);
  const made = makeType(name, page, short, lines);
  typesByName.set(name, made);
  return made;
}

/** The built-in kind of an apiVersion (`v1`, `storage.k8s.io/v1`), undefined when there is none. */
export function builtinKind(apiVersion: string, kind: string): BuiltinType | undefined {
  const name = kinds.get(`${apiVersion}/${kind}`);
  return name === undefined ? undefined : builtinType(name);
}

function makeType(name: string, page: string, short: string, lines: Readonly<Record<string, string>>): BuiltinType {
  const fields = new Map<string, Field>();
  for (const [field, text] of Object.entries(lines)) if (field !== '') fields.set(field, parseField(field, text));
  const flags = lines[''] ?? '';
  const isKind = flags.startsWith('object ');
  return {
    name,
    page,
    openApiName: `${pages.get(page)?.prefix ?? page}.${short}`,
    fields,
    apiVersion: isKind ? flags.slice('object '.length) : undefined,
    schema: structSchema(page, fields, isKind, flags === 'atomic'),
  };
}

function structSchema(page: string, fields: ReadonlyMap<string, Field>, isKind: boolean, atomic: boolean): Schema {
  const properties: Record<string, Schema> = isKind ? { apiVersion: { type: 'string' }, kind: { type: 'string' } } : {};
  for (const field of fields.values()) lazily(properties, field.name, () => fieldSchema(page, field));
  const required = [...fields.values()].filter((field) => field.required).map((field) => field.name);
  return {
    type: 'object',
    properties,
    ...(required.length === 0 ? {} : { required }),
    ...(atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  };
}

function lazily<T>(target: Record<string, T>, name: string, make: () => T): void {
  Object.defineProperty(target, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      const value = make();
      Object.defineProperty(target, name, { value, enumerable: true });
      return value;
    },
  });
}

function fieldSchema(page: string, field: Field): Schema {
  const base = typeSchema(page, field.type);
  const extra = {
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(field.mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.mergeKey }),
    ...patchStrategy(field),
    ...(field.mapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': field.mapKeys }),
    ...collectionType(field),
  };
  return Object.keys(extra).length === 0 ? base : { ...base, ...extra };
}

function patchStrategy({ strategy, mergeKey }: Field): Partial<Schema> {
  const value = strategy ?? (mergeKey === undefined ? undefined : 'merge');
  return value === undefined ? {} : { 'x-kubernetes-patch-strategy': value };
}

function collectionType({ type, listType }: Field): Partial<Schema> {
  if (listType === undefined) return {};
  if (type.kind === 'list') return { 'x-kubernetes-list-type': listType };
  return { 'x-kubernetes-map-type': 'atomic' };
}

function typeSchema(page: string, type: FieldType): Schema {
  switch (type.kind) {
    case 'list':
      return { type: 'array', items: typeSchema(page, type.of) };
    case 'map':
      return { type: 'object', additionalProperties: typeSchema(page, type.of) };
    case 'ref':
      return builtinType(qualify(page, type.name)).schema;
    default:
      return scalarSchema(type.name);
  }
}

const anything: Schema = { 'x-kubernetes-preserve-unknown-fields': true };
const intOrString: Schema = { 'x-kubernetes-int-or-string': true };

// What JSON may stand in a scalar's place; the format `quantity` is ours (kube-apiserver's document says only string).
const scalarSchemas: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  quantity: { type: 'string', format: 'quantity' },
  time: { type: 'string', format: 'date-time' },
  microtime: { type: 'string', format: 'microtime' },
  intOrString,
};

function scalarSchema(name: string): Schema {
  if (name === 'schemaOrArray' || name === 'schemaOrBool' || name === 'schemaOrStrings') return unionSchema(name);
  return scalarSchemas[name] ?? anything;
}

// apiextensions' unions of a schema with something else: known fields stay known where the value is a schema.
function unionSchema(name: string): Schema {
  const schema = builtinType('apiextensions.v1.JSONSchemaProps').schema;
  return name === 'schemaOrArray' ? { ...schema, items: schema } : schema;
}
