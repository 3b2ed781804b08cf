// Kubernetes quantities ("1Gi", "1.5G", "100m", "1e3"), exact. A value is kept as an integer of nano units, the
// least that a quantity can say, so no size is rounded on its way through a double.
// Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

export interface Quantity {
  /** The value times 10^9. */
  readonly nano: bigint;
  /** How it was written, and will be written again. */
  readonly format: QuantityFormat;
}

const NANO = 1_000_000_000n;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const QUANTITY = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/;

/**
 * Reads a quantity; a number stands for itself. Digits below nano are rounded away from zero, as Go does.
 * @throws RangeError naming the text when it is no quantity
 */
export function parseQuantity(text: string | number): Quantity {
  const match = QUANTITY.exec(String(text).trim());
  const [, sign, whole = '', fraction = '', binary, decimal, exponent] = match ?? [];
  if (match === null || whole + fraction === '') throw new RangeError(`"${text}" is no quantity; write a number with an optional suffix, such as 10Gi`);
  const digits = BigInt(whole + fraction);
  const magnitude = scale(digits, fraction.length, binary, decimal, exponent);
  const nano = sign === '-' ? -magnitude : magnitude;
  return { nano, format: formatOf(magnitude, binary, exponent) };
}

function scale(digits: bigint, places: number, binary: string | undefined, decimal: string | undefined, exponent: string | undefined): bigint {
  const factor = binary === undefined ? 1n : 1n << BigInt(10 * BINARY.indexOf(binary));
  const power = 9 - places + (decimal === undefined ? 0 : 3 * DECIMAL.indexOf(decimal) - 9) + Number(exponent ?? 0);
  const value = digits * factor;
  return power >= 0 ? value * 10n ** BigInt(power) : divideUp(value, 10n ** BigInt(-power));
}

function formatOf(magnitude: bigint, binary: string | undefined, exponent: string | undefined): QuantityFormat {
  if (exponent !== undefined) return 'DecimalExponent';
  // A binary fraction of one has no binary spelling.
  return binary !== undefined && (magnitude === 0n || magnitude >= NANO) ? 'BinarySI' : 'DecimalSI';
}

/** The canonical spelling, the same that Go's resource.Quantity gives: no fraction, the largest suffix that fits. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const isSmall = nano > -1024n * NANO && nano < 1024n * NANO;
  if (format === 'BinarySI' && !isSmall && nano % NANO === 0n) return binaryText(nano / NANO);
  return decimalText(nano, format === 'DecimalExponent');
}

function binaryText(value: bigint): string {
  const [mantissa, steps] = stripFactor(value, 1024n, BINARY.length - 1);
  return `${mantissa}${BINARY[steps]}`;
}

function decimalText(nano: bigint, exponential: boolean): string {
  const [mantissa, steps] = stripFactor(nano, 1000n, DECIMAL.length - 1);
  const exponent = 3 * steps - 9;
  if (!exponential) return `${mantissa}${DECIMAL[steps]}`;
  return exponent === 0 ? String(mantissa) : `${mantissa}e${exponent}`;
}

function stripFactor(value: bigint, factor: bigint, most: number): [mantissa: bigint, steps: number] {
  let mantissa = value;
  let steps = 0;
  while (steps < most && mantissa % factor === 0n) {
    mantissa /= factor;
    steps++;
  }
  return [mantissa, steps];
}

/** -1, 0 or 1 as `left` is less than, equal to or more than `right`; the spelling does not count. */
export function compareQuantities(left: Quantity | string | number, right: Quantity | string | number): -1 | 0 | 1 {
  const a = asQuantity(left).nano;
  const b = asQuantity(right).nano;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * The whole number at or above the value (for a size: its bytes), as Go's Quantity.Value().
 * @throws RangeError when a text is no quantity
 */
export function bytesOf(value: Quantity | string | number): bigint {
  const { nano } = asQuantity(value);
  return nano < 0n ? -divideUp(-nano, NANO) : divideUp(nano, NANO);
}

/** A size in bytes as a quantity text: `1Gi` for 1073741824n. */
export function formatBytes(bytes: bigint | number, format: QuantityFormat = 'BinarySI'): string {
  return formatQuantity({ nano: BigInt(bytes) * NANO, format });
}

function asQuantity(value: Quantity | string | number): Quantity {
  return typeof value === 'object' ? value : parseQuantity(value);
}

function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
