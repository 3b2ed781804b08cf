// The shape half of validation: types, required members, enums, patterns, bounds. It speaks as the API server does.
// A null counts as absent, since no field of these kinds is nullable.
import type { Schema } from './schema.ts';
import type { Violation } from './validate.ts';

/** All faults of a value against its schema, in the order of the schema; [] when its shape is sound. */
export function shapeFaults(schema: Schema, value: unknown, path = ''): Violation[] {
  const found = typeName(value);
  if (!typesOf(schema).includes(found)) {
    const wanted = typesOf(schema).join(',');
    return [fault(path, 'type', `must be of type ${wanted}: "${found}"`, `write a value of type ${wanted}`)];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => (schema.items ? shapeFaults(schema.items, item, `${path}[${index}]`) : []));
  if (typeof value === 'object' && value !== null) return memberFaults(schema, value, path);
  return valueFaults(schema, value, path);
}

function memberFaults(schema: Schema, value: object, path: string): Violation[] {
  const absent = (name: string) => !Object.hasOwn(value, name) || (Reflect.get(value, name) ?? undefined) === undefined;
  const missing = (schema.required ?? []).filter(absent).map((name) => fault(join(path, name), 'required', 'Required value', `set ${join(path, name)}`));
  const present = Object.keys(value).filter((name) => !absent(name));
  const inner = present.flatMap((name) => {
    const member = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : schema.additionalProperties;
    return member === undefined ? [] : shapeFaults(member, Reflect.get(value, name), join(path, name));
  });
  return [...missing, ...inner];
}

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function valueFaults(schema: Schema, value: unknown, path: string): Violation[] {
  const shown = JSON.stringify(typeof value === 'bigint' ? String(value) : value);
  if (schema.enum !== undefined && !schema.enum.includes(String(value))) {
    const supported = schema.enum.map((choice) => `"${choice}"`).join(', ');
    return [fault(path, 'enum', `Unsupported value: ${shown}: supported values: ${supported}`, `write one of ${supported}`)];
  }
  if (schema.format === 'date-time' && !(RFC3339.test(String(value)) && Number.isFinite(Date.parse(String(value))))) {
    return [fault(path, 'format', `must be of type date-time: ${shown}`, 'write an RFC 3339 time such as 2026-01-31T12:00:00Z')];
  }
  if (schema.pattern !== undefined && typeof value === 'string' && !new RegExp(schema.pattern).test(value)) {
    return [fault(path, 'pattern', `should match '${schema.pattern}'`, 'write a quantity such as 1Gi')];
  }
  if (schema.minimum !== undefined && (value as number | bigint) < schema.minimum) {
    return [fault(path, 'minimum', `should be greater than or equal to ${schema.minimum}`, `write at least ${schema.minimum}`)];
  }
  return [];
}

function typesOf(schema: Schema): string[] {
  return schema.intOrString === true ? ['integer', 'string'] : [schema.type];
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function fault(field: string, rule: string, message: string, remedy: string): Violation {
  return { field, rule, message, remedy };
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
