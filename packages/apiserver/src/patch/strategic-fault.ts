// What a strategic merge patch made that its Go type cannot hold, in the words of the converter that it goes through
// (JSON bodies and the other patches go through a decoder with other words).
// Source: k8s.io/apimachinery/pkg/runtime/converter.go.
import { isObject, memberSchema, type Schema } from '../schema/schema.ts';

/** The first fault; undefined when the value fits. */
export function strategicFault(value: unknown, schema: Schema | undefined): string | undefined {
  if (value === null || value === undefined || schema === undefined) return undefined;
  if (schema.type === 'array') return Array.isArray(value) ? first(value, () => schema.items) : `cannot restore slice from ${goKind(value)}`;
  if (schema.properties !== undefined || schema.type === 'object') {
    if (!isObject(value)) return schema.properties === undefined ? `cannot restore map from ${goKind(value)}` : `cannot restore struct from: ${goKind(value)}`;
    const names = Object.keys(value);
    return first(
      names.map((name) => value[name]),
      (index) => memberSchema(schema, names[index] ?? ''),
    );
  }
  return scalarFault(value, schema);
}

function first(values: readonly unknown[], schemaAt: (index: number) => Schema | undefined): string | undefined {
  for (const [index, value] of values.entries()) {
    const fault = strategicFault(value, schemaAt(index));
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const KINDS: Readonly<Record<string, string>> = { string: 'string', boolean: 'bool', integer: 'int64', number: 'float64' };

// Formatted texts (times, quantities, bytes) have decoders of their own.
function scalarFault(value: unknown, schema: Schema): string | undefined {
  const wanted = schema.format === 'int32' ? 'int32' : KINDS[schema.type ?? ''];
  if (wanted === undefined || (schema.type === 'string' && schema.format !== undefined)) return undefined;
  const found = goKind(value);
  const fits = found === wanted || (found === 'int64' && (wanted === 'int32' || wanted === 'float64'));
  return fits ? undefined : `cannot convert ${found === 'map' ? 'map[string]interface {}' : found === 'slice' ? '[]interface {}' : found} to ${wanted}`;
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'bigint' ? 'int64' : typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'map';
}
