// The cells of printer columns. Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor.
import { stringifyJson } from '@snapshot-stack/api-types';
import { isDateTime } from '../schema/formats.ts';
import type { JsonPath } from './json-path.ts';
import { findAll, parsePath } from './json-path.ts';

export interface ColumnSource {
  readonly type: string;
  readonly jsonPath: string;
}

/** Makes the function that gives an object's cell of a column; null where the object has no fitting value. */
export function cellReader(column: ColumnSource): (object: unknown, nowMs: number) => string | number | boolean | null {
  const path = readable(column.jsonPath);
  if (path === undefined) return () => null;
  return (object, nowMs) => {
    const values = findAll(path, object);
    if (values.length === 0) return null;
    return column.type === 'string' ? values.map(asText).join(' ') : cellOf(column.type, values[0], nowMs);
  };
}

function readable(jsonPath: string): JsonPath | undefined {
  try {
    return parsePath(jsonPath);
  } catch {
    return undefined; // refused when the definition was written; one stored by older rules has empty cells
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : stringifyJson(value);
}

function cellOf(type: string, value: unknown, nowMs: number): string | number | boolean | null {
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : typeof value === 'bigint' ? Number(value) : null;
    case 'number':
      return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return isDateTime(value) ? age(nowMs - Date.parse(value)) : '<invalid>';
    default:
      return null;
  }
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

// `2h5m`: two units while the first is small, the second left out when it is zero.
function twoUnits(ms: number, [unit, name]: readonly [number, string], [lesser, lesserName]: readonly [number, string]): string {
  const rest = Math.floor((ms % unit) / lesser);
  return `${Math.floor(ms / unit)}${name}${rest === 0 ? '' : `${rest}${lesserName}`}`;
}

/** How long ago, as kubectl shows it: `5s`, `2m30s`, `3h15m`, `4d`. Source: k8s.io/apimachinery/pkg/util/duration. */
export function age(ms: number): string {
  if (ms < -2 * SECOND) return '<invalid>';
  if (ms < 0) return '0s';
  if (ms < 2 * MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < 10 * MINUTE) return twoUnits(ms, [MINUTE, 'm'], [SECOND, 's']);
  if (ms < 3 * HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < 8 * HOUR) return twoUnits(ms, [HOUR, 'h'], [MINUTE, 'm']);
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}h`;
  if (ms < 8 * DAY) return twoUnits(ms, [DAY, 'd'], [HOUR, 'h']);
  if (ms < 2 * YEAR) return `${Math.floor(ms / DAY)}d`;
  if (ms < 8 * YEAR) return twoUnits(ms, [YEAR, 'y'], [DAY, 'd']);
  return `${Math.floor(ms / YEAR)}y`;
}
