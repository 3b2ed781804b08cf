// The shape of a custom resource as plain data, and its two readings: the OpenAPI schema inside a CRD, and
// (in validate.ts) a check in TypeScript. Builders keep the definitions in crds/ short enough to read as a table.
import type { Rule } from './rule.ts';

export interface Schema {
  readonly type: 'object' | 'string' | 'integer' | 'boolean' | 'array';
  readonly description?: string;
  readonly format?: 'int64' | 'date-time';
  readonly pattern?: string;
  readonly minimum?: number;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly intOrString?: boolean;
  readonly atomic?: boolean;
  readonly rules?: readonly Rule[];
}

/** What a builder takes beside the description; undefined members are left out. */
type More = Partial<Omit<Schema, 'type' | 'description'>>;

export function text(description: string, more: More = {}): Schema {
  return { type: 'string', description, ...more };
}

export function flag(description: string): Schema {
  return { type: 'boolean', description };
}

export function int64(description: string, more: More = {}): Schema {
  return { type: 'integer', format: 'int64', description, ...more };
}

export function dateTime(description: string): Schema {
  return { type: 'string', format: 'date-time', description };
}

// The pattern controller-gen writes for resource.Quantity, so that both CRDs accept the same texts.
const QUANTITY = String.raw`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`;

export function quantity(description: string): Schema {
  return { type: 'string', description, pattern: QUANTITY, intOrString: true };
}

/** Members whose schema is undefined are left out: that is how versions with fewer fields are written. */
export function record(description: string, members: Record<string, Schema | undefined>, more: More = {}): Schema {
  const properties = Object.fromEntries(Object.entries(members).filter((entry): entry is [string, Schema] => entry[1] !== undefined));
  return { type: 'object', description, properties, ...more };
}

export function listOf(items: Schema, description: string, more: More = {}): Schema {
  return { type: 'array', description, items, ...more };
}

export function mapOf(values: Schema, description: string, more: More = {}): Schema {
  return { type: 'object', description, additionalProperties: values, ...more };
}

/** The schema as a CRD carries it (openAPIV3Schema). Source: apiextensions.k8s.io/v1 JSONSchemaProps. */
export function toOpenApi(schema: Schema): Record<string, unknown> {
  return withoutUndefined({
    description: schema.description,
    type: schema.type,
    format: schema.format,
    pattern: schema.pattern,
    minimum: schema.minimum,
    enum: schema.enum,
    required: schema.required,
    properties: schema.properties && Object.fromEntries(Object.entries(schema.properties).map(([name, member]) => [name, toOpenApi(member)])),
    additionalProperties: schema.additionalProperties && toOpenApi(schema.additionalProperties),
    items: schema.items && toOpenApi(schema.items),
    'x-kubernetes-int-or-string': schema.intOrString,
    'x-kubernetes-map-type': schema.atomic === true && schema.type === 'object' ? 'atomic' : undefined,
    'x-kubernetes-list-type': schema.atomic === true && schema.type === 'array' ? 'atomic' : undefined,
    'x-kubernetes-validations': schema.rules && schema.rules.length > 0 ? schema.rules.map(({ cel, message }) => ({ rule: cel, message })) : undefined,
  });
}

function withoutUndefined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
