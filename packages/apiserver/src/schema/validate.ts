// Validation of a value against a structural schema, with the messages and field paths of kube-apiserver. A schema is
// compiled once into a Checker and kept by identity. Source: k8s.io/kube-openapi/pkg/validation/validate and
// k8s.io/apiextensions-apiserver/pkg/apiserver/validation (ratcheting: errors of unchanged values are forgiven).
import { jsonEqual } from '@snapshot-stack/api-types';
import { checkCombinations } from './combinations.ts';
import { correlate } from './correlate.ts';
import type { FieldError } from './field-error.ts';
import { invalid, notSupported, quoteValue, required, tooLong, tooMany, typeInvalid } from './field-error.ts';
import { formatCheck } from './formats.ts';
import type { Pattern } from './regexp.ts';
import { compilePattern } from './regexp.ts';
import type { Report } from './report.ts';
import { fieldAt } from './report.ts';
import type { JsonObject, Schema } from './schema.ts';
import { isObject } from './schema.ts';

/**
 * All schema errors of a value.
 * @param old the stored value on update: what did not change is not complained about
 * @param prefix for a part of an object, such as `status`: field becomes `status.x`, messages speak of `x`
 */
export function validate(value: unknown, schema: Schema, old?: unknown, prefix = ''): FieldError[] {
  const report: Report = { errors: [], prefix };
  checkerOf(schema).check(value, old, '', report);
  return report.errors;
}

const checkers = new WeakMap<Schema, Checker>();

export function checkerOf(schema: Schema): Checker {
  const known = checkers.get(schema);
  if (known !== undefined) return known;
  const made = new Checker(schema);
  checkers.set(schema, made);
  return made;
}

const NUMBER_FORMATS: ReadonlySet<string> = new Set(['int32', 'int64', 'float', 'double', 'uint32', 'uint64']);

function typesOf(schema: Schema): readonly string[] {
  if (schema['x-kubernetes-int-or-string'] === true) return ['integer', 'string'];
  return schema.type === undefined || schema.type === '' ? [] : [schema.type];
}

function isIntegral(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

/** The type that a JSON value has in messages. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return isIntegral(value) ? 'integer' : 'number';
    case 'object':
      return 'object';
    default:
      return typeof value;
  }
}

/** A schema made ready for checking values. */
export class Checker {
  readonly #schema: Schema;
  readonly #types: readonly string[];
  readonly #format: ((text: string) => boolean) | undefined;
  readonly #pattern: Pattern | undefined;
  readonly #badPattern: string | undefined;
  readonly #enum: ReadonlySet<unknown> | undefined;
  readonly #properties: readonly (readonly [string, () => Checker])[];
  readonly #known: ReadonlySet<string>;
  readonly #combines: boolean;
  // Schemas without any constraint of their own are let through with no further look.
  readonly #free: boolean;

  constructor(schema: Schema) {
    this.#schema = schema;
    this.#types = typesOf(schema);
    this.#format = formatCheck(schema.format);
    try {
      this.#pattern = schema.pattern === undefined ? undefined : compilePattern(schema.pattern);
    } catch (error) {
      this.#badPattern = String(error);
    }
    this.#enum = schema.enum !== undefined && schema.enum.every((one) => typeof one !== 'object') ? new Set(schema.enum) : undefined;
    const properties = Object.entries(schema.properties ?? {});
    this.#properties = properties.map(([name, property]) => [name, () => checkerOf(property)]);
    this.#known = new Set(properties.map(([name]) => name));
    this.#combines = schema.allOf !== undefined || schema.anyOf !== undefined || schema.oneOf !== undefined || schema.not !== undefined;
    this.#free = Object.keys(schema).length === 0;
  }

  /**
   * Adds the errors of a value to the report.
   * @returns how many checks were made, which decides the best of several failed alternatives (anyOf, oneOf)
   */
  check(value: unknown, old: unknown, path: string, report: Report): number {
    if (this.#free) return 1;
    const before = report.errors.length;
    const count = this.#checkAll(value, old, path, report);
    if (report.errors.length > before && old !== undefined && jsonEqual(value, old)) report.errors.length = before;
    return count;
  }

  #checkAll(value: unknown, old: unknown, path: string, report: Report): number {
    let count = this.#types.length > 0 ? 2 : 1;
    this.#checkType(value, path, report);
    if (this.#schema.enum !== undefined) this.#checkEnum(value, path, report);
    if (value === null || value === undefined) return count;
    if (this.#combines) {
      count += checkCombinations(this.#schema, path, report, (branch, inner) => checkerOf(branch).check(value, old, path, inner));
    }
    switch (typeof value) {
      case 'string':
        this.#checkString(value, path, report);
        return count + 1;
      case 'number':
      case 'bigint':
        this.#checkNumber(value, path, report);
        return count + 1;
      case 'object':
        return count + 1 + (Array.isArray(value) ? this.#checkList(value, old, path, report) : this.#checkObject(value as JsonObject, old, path, report));
      default:
        return count;
    }
  }

  #checkType(value: unknown, path: string, report: Report): void {
    const types = this.#types;
    if (types.length === 0 && this.#schema.format === undefined) return;
    if (value === null) {
      if (types.length > 0 && this.#schema.nullable !== true) this.#wrongType(path, report, types.join(','), 'null');
      return;
    }
    const found = typeName(value);
    if (types.length === 1 && types[0] === found) return;
    const fits = types.includes(found) || (found === 'integer' && types.includes('number'));
    if (fits) return;
    const isText = found === 'string' || found === 'array';
    const { format } = this.#schema;
    if (!isText && format !== undefined && !NUMBER_FORMATS.has(format)) return this.#wrongType(path, report, format, formatOf(value));
    const numeric = types.includes('number') || types.includes('integer');
    if (!numeric && format !== undefined && isText) return;
    if (types.length > 0) this.#wrongType(path, report, types.join(','), found);
  }

  #wrongType(path: string, report: Report, wanted: string, found: string): void {
    report.errors.push(typeInvalid(fieldAt(report, path), found, `${path} in body must be of type ${wanted}: ${JSON.stringify(found)}`));
  }

  #checkEnum(value: unknown, path: string, report: Report): void {
    const values = this.#schema.enum ?? [];
    if (this.#enum?.has(value) === true || (typeof value === 'object' && values.some((one) => jsonEqual(one, value)))) return;
    const supported = values.map((one) => (typeof one === 'string' ? one : quoteValue(one)));
    report.errors.push(notSupported(fieldAt(report, path), value, supported));
  }

  #checkString(value: string, path: string, report: Report): void {
    const { maxLength, minLength, pattern, format } = this.#schema;
    if (this.#format !== undefined && !this.#format(value)) {
      report.errors.push(typeInvalid(fieldAt(report, path), value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`));
    }
    if (maxLength !== undefined && value.length > maxLength && lengthOf(value) > maxLength) {
      report.errors.push(tooLong(fieldAt(report, path), maxLength));
    } else if (minLength !== undefined && lengthOf(value) < minLength) {
      this.#refuse(value, path, report, `should be at least ${minLength} chars long`);
    } else if (this.#badPattern !== undefined) {
      this.#refuse(value, path, report, `should match '${pattern}', but pattern is invalid: ${this.#badPattern}`);
    } else if (this.#pattern !== undefined && !this.#pattern.test(value)) {
      this.#refuse(value, path, report, `should match '${pattern}'`);
    }
  }

  #refuse(value: unknown, path: string, report: Report, why: string): void {
    report.errors.push(invalid(fieldAt(report, path), value, `${path} in body ${why}`));
  }

  #checkNumber(value: number | bigint, path: string, report: Report): void {
    const { multipleOf, maximum, minimum, exclusiveMaximum, exclusiveMinimum } = this.#schema;
    this.#checkRange(value, path, report);
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) this.#refuse(value, path, report, `should be a multiple of ${multipleOf}`);
    if (maximum !== undefined && (value > maximum || (exclusiveMaximum === true && Number(value) === maximum))) {
      this.#refuse(value, path, report, exclusiveMaximum === true ? `should be less than ${maximum}` : `should be less than or equal to ${maximum}`);
    }
    if (minimum !== undefined && (value < minimum || (exclusiveMinimum === true && Number(value) === minimum))) {
      this.#refuse(value, path, report, exclusiveMinimum === true ? `should be greater than ${minimum}` : `should be greater than or equal to ${minimum}`);
    }
  }

  #checkRange(value: number | bigint, path: string, report: Report): void {
    if (this.#types[0] !== 'integer') return;
    const { format } = this.#schema;
    const limit = format === 'int32' ? 2 ** 31 : 2 ** 63;
    if (isIntegral(value) && value >= -limit && value < limit) return;
    const name = format === undefined || format === '' ? '(default format)' : `with format ${format}`;
    report.errors.push(invalid(report.prefix, '', `Checked value must be of type integer ${name} in ${path}`));
  }

  #checkList(list: readonly unknown[], old: unknown, path: string, report: Report): number {
    const { items, minItems, maxItems } = this.#schema;
    let count = 0;
    if (items !== undefined) {
      const checker = checkerOf(items);
      const oldItem = old === undefined ? undefined : correlate(old, this.#schema);
      for (let index = 0; index < list.length; index++) {
        count += checker.check(list[index], oldItem?.(list[index], index), `${path}[${index}]`, report);
      }
    }
    if (minItems !== undefined && list.length < minItems) {
      report.errors.push(invalid(fieldAt(report, path), list.length, `${path} in body should have at least ${minItems} items`));
    }
    if (maxItems !== undefined && list.length > maxItems) report.errors.push(tooMany(fieldAt(report, path), list.length, maxItems));
    return count;
  }

  #checkObject(object: JsonObject, old: unknown, path: string, report: Report): number {
    const { minProperties, maxProperties } = this.#schema;
    if (minProperties !== undefined || maxProperties !== undefined) {
      const size = Object.keys(object).length;
      if (minProperties !== undefined && size < minProperties) {
        report.errors.push(invalid(fieldAt(report, path), size, `${path} in body should have at least ${minProperties} properties`));
        return 0;
      }
      if (maxProperties !== undefined && size > maxProperties) {
        report.errors.push(tooMany(fieldAt(report, path), size, maxProperties));
        return 0;
      }
    }
    const oldObject = isObject(old) ? old : undefined;
    const count = this.#checkRest(object, oldObject, path, report) + this.#checkProperties(object, oldObject, path, report);
    for (const name of this.#schema.required ?? []) {
      if (!Object.hasOwn(object, name)) report.errors.push(required(fieldAt(report, `${path}.${name}`)));
    }
    return count;
  }

  #checkProperties(object: JsonObject, old: JsonObject | undefined, path: string, report: Report): number {
    let count = 0;
    for (const [name, checker] of this.#properties) {
      const value = object[name];
      if (value === undefined || !Object.hasOwn(object, name)) continue;
      count += checker().check(value, old?.[name], path === '' ? name : `${path}.${name}`, report);
    }
    return count;
  }

  #checkRest(object: JsonObject, old: JsonObject | undefined, path: string, report: Report): number {
    const rest = this.#schema.additionalProperties;
    if (rest === undefined || rest === true) return 0;
    let count = 0;
    for (const name of Object.keys(object)) {
      if (this.#known.has(name)) continue;
      if (rest !== false) count += checkerOf(rest).check(object[name], old?.[name], `${path}.${name}`, report);
      else report.errors.push(invalid(fieldAt(report, path), '', `${path}.${name} in body is a forbidden property`));
    }
    return count;
  }
}

function formatOf(value: unknown): string {
  if (typeof value === 'bigint') return 'int64';
  if (typeof value !== 'number') return '';
  return Number.isInteger(value) ? 'int64' : 'double';
}

// Length counts code points, as Go counts runes.
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function isMultiple(value: number | bigint, of: number): boolean {
  if (typeof value === 'bigint') return Number.isInteger(of) && value % BigInt(of) === 0n;
  return Number.isInteger(value / of);
}
