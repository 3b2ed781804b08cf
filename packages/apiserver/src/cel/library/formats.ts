// format.<name>() with validate(), and semver(). Sources: k8s.io/apiserver/pkg/cel/library/{format,semverlib}.go.
import { formatCheck } from '../../schema/formats.ts';
import type { Definition } from '../functions.ts';
import type { OpaqueValue } from '../values.ts';
import { CelError, Optional } from '../values.ts';

class NamedFormat implements OpaqueValue {
  readonly typeName = 'kubernetes.NamedFormat';
  readonly name: string;
  readonly faults: (text: string) => readonly string[];
  constructor(name: string, faults: (text: string) => readonly string[]) {
    this.name = name;
    this.faults = faults;
  }
  equals(other: unknown): boolean {
    return other instanceof NamedFormat && other.name === this.name;
  }
}

interface NameRule {
  readonly pattern: RegExp;
  readonly limit: number;
  readonly text: string;
}

const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const label: NameRule = { pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, limit: 63, text: LABEL };
const subdomain: NameRule = { pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, limit: 253, text: SUBDOMAIN };
const label1035: NameRule = { pattern: /^[a-z]([-a-z0-9]*[a-z0-9])?$/, limit: 63, text: LABEL_1035 };
const qualified: NameRule = { pattern: /^([a-z0-9.-]{1,253}\/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/, limit: 317, text: QUALIFIED };
const labelValue: NameRule = { pattern: /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/, limit: 63, text: VALUE };

const named = (name: string, { pattern, limit, text }: NameRule, isPrefix = false): [string, NamedFormat] => [
  name,
  new NamedFormat(name, (value) => {
    const full = isPrefix ? value.replace(/-$/, 'a') : value;
    return [...(value.length > limit ? [`must be no more than ${limit} bytes`] : []), ...(pattern.test(full) ? [] : [text])];
  }),
];

const checked = (name: string, format: string, fault: string): [string, NamedFormat] => [
  name,
  new NamedFormat(name, (text) => (formatCheck(format)?.(text) === false ? [fault] : [])),
];

const formats: ReadonlyMap<string, NamedFormat> = new Map([
  named('dns1123Label', label),
  named('dns1123Subdomain', subdomain),
  named('dns1035Label', label1035),
  named('qualifiedName', qualified),
  named('dns1123LabelPrefix', label, true),
  named('dns1123SubdomainPrefix', subdomain, true),
  named('dns1035LabelPrefix', label1035, true),
  named('labelValue', labelValue),
  checked('uri', 'uri', 'invalid URI for request'),
  checked('uuid', 'uuid', 'does not match the UUID format'),
  checked('byte', 'byte', 'invalid base64'),
  checked('date', 'date', 'invalid date'),
  checked('datetime', 'date-time', 'invalid datetime'),
]);

class Semver implements OpaqueValue {
  readonly typeName = 'kubernetes.Semver';
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];
  constructor(numbers: readonly bigint[], pre: readonly string[]) {
    this.numbers = numbers;
    this.pre = pre;
  }
  equals(other: unknown): boolean {
    return other instanceof Semver && compareVersions(this, other) === 0n;
  }
}

const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

// With normalize: a leading v, missing parts and leading zeros are allowed.
function normalized(text: string): string {
  const [core = '', ...rest] = text.replace(/^v/, '').split(/(?=[-+])/);
  const numbers = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
  return [...numbers, '0', '0'].slice(0, Math.max(3, numbers.length)).join('.') + rest.join('');
}

function semver(text: string, normalize = false): Semver {
  const match = SEMVER.exec(normalize ? normalized(text) : text);
  if (match === null) throw new CelError(`Invalid character(s) found in version ${JSON.stringify(text)}`);
  return new Semver(
    [match[1], match[2], match[3]].map((part) => BigInt(part ?? 0)),
    match[4]?.split('.') ?? [],
  );
}

function isSemver(text: string, normalize = false): boolean {
  return SEMVER.test(normalize ? normalized(text) : text);
}

function compareVersions(one: Semver, other: Semver): bigint {
  for (let index = 0; index < 3; index++) {
    const difference = (one.numbers[index] ?? 0n) - (other.numbers[index] ?? 0n);
    if (difference !== 0n) return difference > 0n ? 1n : -1n;
  }
  if (one.pre.length === 0 || other.pre.length === 0) return BigInt(Math.sign(other.pre.length - one.pre.length));
  return comparePre(one.pre, other.pre);
}

function comparePre(one: readonly string[], other: readonly string[]): bigint {
  for (let index = 0; index < Math.max(one.length, other.length); index++) {
    const [left, right] = [one[index], other[index]];
    if (left === right) continue;
    if (left === undefined || right === undefined) return left === undefined ? -1n : 1n;
    const [leftIsNumber, rightIsNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
    if (leftIsNumber && rightIsNumber) return BigInt(left) > BigInt(right) ? 1n : -1n;
    if (leftIsNumber !== rightIsNumber) return leftIsNumber ? -1n : 1n;
    return left > right ? 1n : -1n;
  }
  return 0n;
}

const part =
  (index: number) =>
  ({ numbers }: Semver): bigint =>
    numbers[index] ?? 0n;

export const namedFormats: readonly Definition[] = [
  ...[...formats].map(([name, format]): Definition => [`format.${name}(): NamedFormat`, () => format]),
  ['format.named(string): optional<NamedFormat>', (name: string) => (formats.has(name) ? new Optional(formats.get(name)) : Optional.none)],
  [
    'NamedFormat.validate(string): optional<list<string>>',
    (format: NamedFormat, text: string) => {
      const faults = format.faults(text);
      return faults.length === 0 ? Optional.none : new Optional(faults);
    },
  ],
  ['isSemver(string): bool', (text: string) => isSemver(text)],
  ['isSemver(string, bool): bool', isSemver],
  ['semver(string): Semver', (text: string) => semver(text)],
  ['semver(string, bool): Semver', semver],
  ['Semver.major(): int', part(0)],
  ['Semver.minor(): int', part(1)],
  ['Semver.patch(): int', part(2)],
  ['Semver.isGreaterThan(Semver): bool', (one: Semver, other: Semver) => compareVersions(one, other) > 0n],
  ['Semver.isLessThan(Semver): bool', (one: Semver, other: Semver) => compareVersions(one, other) < 0n],
  ['Semver.compareTo(Semver): int', compareVersions],
];
