// The schemas of an OpenAPI document: built-in types from their pages, custom resources from their definitions.
// Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
import type { BuiltinType } from '../builtin/schemas/catalogue.ts';
import { builtinType, qualify } from '../builtin/schemas/catalogue.ts';
import type { Field, FieldType } from '../builtin/schemas/notation.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { JsonObject, Schema } from '../schema/schema.ts';

type Descriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

const API_VERSION =
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources';
const KIND =
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds';
const METADATA = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

const REF = '#/components/schemas/';
const refTo = (name: string): JsonObject => ({ $ref: `${REF}${name}` });

const SCALARS: Readonly<Record<string, JsonObject>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  time: { type: 'string', format: 'date-time' },
  microtime: { type: 'string', format: 'date-time' },
  intOrString: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  rawExtension: { type: 'object' },
  fieldsV1: { type: 'object' },
};

/** Collects the schemas that a document needs, each once. */
export class Components {
  readonly schemas: Record<string, JsonObject> = {};
  readonly #descriptions: Descriptions;

  constructor(descriptions: Descriptions) {
    this.#descriptions = descriptions;
  }

  /** Adds a resource's kind and list. @returns the name of the kind's schema, undefined when nothing is known of it */
  addResource(definition: ResourceDefinition, builtin: BuiltinType | undefined): string | undefined {
    const gvk = [{ group: definition.group, kind: definition.kind, version: definition.version }];
    const name = builtin === undefined ? this.#addCustom(definition, gvk) : this.#addBuiltin(builtin, gvk);
    if (name === undefined) return undefined;
    this.schemas[`${name}List`] = {
      description: `${definition.listKind} is a list of ${definition.kind}`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { description: API_VERSION, type: 'string' },
        kind: { description: KIND, type: 'string' },
        metadata: { description: 'Standard list metadata.', allOf: [refTo(this.#addBuiltin(builtinType('meta.v1.ListMeta')))] },
        items: { description: `List of ${definition.plural}.`, type: 'array', items: { allOf: [refTo(name)], default: {} } },
      },
      'x-kubernetes-group-version-kind': [{ group: definition.group, kind: definition.listKind, version: definition.version }],
    };
    return name;
  }

  #addBuiltin(type: BuiltinType, gvk?: readonly JsonObject[]): string {
    const name = type.openApiName;
    if (Object.hasOwn(this.schemas, name)) return name;
    const texts = this.#descriptions[type.name] ?? {};
    const schema: JsonObject = { ...(texts[''] === undefined ? {} : { description: texts[''] }), type: 'object' };
    this.schemas[name] = schema; // before its fields: types may contain themselves
    const properties: JsonObject =
      type.apiVersion === undefined ? {} : { apiVersion: { description: API_VERSION, type: 'string' }, kind: { description: KIND, type: 'string' } };
    for (const field of type.fields.values()) properties[field.name] = this.#property(type.page, field, texts[field.name]);
    schema['properties'] = properties;
    const required = [...type.fields.values()].filter((field) => field.required).map((field) => field.name);
    if (required.length > 0) schema['required'] = required;
    if (type.schema['x-kubernetes-map-type'] !== undefined) schema['x-kubernetes-map-type'] = type.schema['x-kubernetes-map-type'];
    if (gvk !== undefined) schema['x-kubernetes-group-version-kind'] = gvk;
    return name;
  }

  #property(page: string, field: Field, description: string | undefined): JsonObject {
    const base = this.#typed(page, field.type);
    const extensions = {
      ...(field.default === undefined ? {} : { default: field.default }),
      ...(field.mapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': field.mapKeys }),
      ...(field.listType === undefined ? {} : { [field.type.kind === 'list' ? 'x-kubernetes-list-type' : 'x-kubernetes-map-type']: field.listType }),
      ...(field.mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.mergeKey }),
      ...(field.strategy === undefined && field.mergeKey === undefined ? {} : { 'x-kubernetes-patch-strategy': field.strategy ?? 'merge' }),
    };
    const text = description === undefined ? {} : { description };
    // In OpenAPI 3.0 nothing may stand beside a $ref.
    return '$ref' in base ? { ...text, allOf: [base], ...extensions } : { ...text, ...base, ...extensions };
  }

  #typed(page: string, type: FieldType): JsonObject {
    switch (type.kind) {
      case 'list':
        return { type: 'array', items: this.#typed(page, type.of) };
      case 'map':
        return { type: 'object', additionalProperties: this.#typed(page, type.of) };
      case 'ref':
        return refTo(this.#addBuiltin(builtinType(qualify(page, type.name))));
      default:
        return { ...SCALARS[type.name] };
    }
  }

  #addCustom(definition: ResourceDefinition, gvk: readonly JsonObject[]): string | undefined {
    const name = `${definition.group.split('.').reverse().join('.')}.${definition.version}.${definition.kind}`;
    const schema: Schema = definition.schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const metadata = { description: METADATA, allOf: [refTo(this.#addBuiltin(builtinType('meta.v1.ObjectMeta')))] };
    const properties = { apiVersion: { description: API_VERSION, type: 'string' }, kind: { description: KIND, type: 'string' }, metadata };
    this.schemas[name] = { ...schema, properties: { ...schema.properties, ...properties }, 'x-kubernetes-group-version-kind': gvk };
    return name;
  }
}
