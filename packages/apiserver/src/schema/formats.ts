// The string formats that kube-apiserver checks; a format that is not here is not checked at all.
// Source: k8s.io/kube-openapi/pkg/validation/strfmt and the supported formats of apiextensions.
import { isIPv4, isIPv6 } from 'node:net';

type Check = (text: string) => boolean;

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:?\d\d)$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const GO_DURATION = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*$/;
const WORD_DURATION =
  /^(?:\d+\s*(?:ns|nano|nanos|nanosecond|nanoseconds|us|µs|micro|micros|microsecond|microseconds|ms|milli|millis|millisecond|milliseconds|s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days|w|wk|wks|week|weeks)\s*)+$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const HOSTNAME = /^([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*\.?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function isDate(year: string, month: string, day: string): boolean {
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  return m >= 1 && m <= 12 && d >= 1 && d <= new Date(Date.UTC(2000 + (y % 400), m, 0)).getUTCDate();
}

/** RFC 3339 date and time. */
export function isDateTime(text: string): boolean {
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = DATE_TIME.exec(text) ?? [];
  return year !== '' && isDate(year, month, day) && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
}

function isFullDate(text: string): boolean {
  const [, year = '', month = '', day = ''] = DATE.exec(text) ?? [];
  return year !== '' && isDate(year, month, day);
}

/** A block of addresses such as 10.0.0.0/8. */
export function isCidr(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,3}$/.test(length) || (length.length > 1 && length.startsWith('0'))) return false;
  if (isIPv4(address)) return Number(length) <= 32;
  return isIPv6(address) && !address.includes('%') && Number(length) <= 128;
}

function isUri(text: string): boolean {
  return text.startsWith('/') ? !/\s/.test(text) : URL.canParse(text);
}

function digitsSum(text: string, weigh: (digit: number, index: number) => number): number {
  return Array.from(text).reduce((sum, one, index) => sum + weigh(one === 'X' ? 10 : Number(one), index), 0);
}

function isIsbn10(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, '');
  return /^\d{9}[\dX]$/.test(digits) && digitsSum(digits, (digit, index) => digit * (10 - index)) % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, '');
  return /^\d{13}$/.test(digits) && digitsSum(digits, (digit, index) => digit * (index % 2 === 0 ? 1 : 3)) % 10 === 0;
}

function isCreditCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  const doubled = (digit: number): number => (digit * 2 > 9 ? digit * 2 - 9 : digit * 2);
  return (
    digits.length >= 12 && digits.length <= 19 && digitsSum(digits, (digit, index) => ((digits.length - index) % 2 === 0 ? doubled(digit) : digit)) % 10 === 0
  );
}

const uuid = (version: string, variant = '[0-9a-f]'): Check =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'));

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['bsonobjectid', matches(/^[0-9a-f]{24}$/i)],
  ['uri', isUri],
  ['email', matches(/^[^\s@<>]+@[^\s@<>]+$/)],
  ['hostname', (text) => text.length <= 255 && HOSTNAME.test(text)],
  ['ipv4', isIPv4],
  ['ipv6', isIPv6],
  ['cidr', isCidr],
  ['mac', matches(/^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\2){6}[0-9a-f]{2})$/i)],
  ['uuid', uuid('[0-9a-f]')],
  ['uuid3', uuid('3')],
  ['uuid4', uuid('4', '[89ab]')],
  ['uuid5', uuid('5', '[89ab]')],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i)],
  ['rgbcolor', matches(/^rgb\(\s*(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*(?:,\s*(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*){2}\)$/)],
  ['byte', matches(BASE64)],
  ['password', () => true],
  ['date', isFullDate],
  ['duration', (text) => text === '0' || GO_DURATION.test(text) || WORD_DURATION.test(text)],
  ['date-time', isDateTime],
  ['datetime', isDateTime],
  ['k8s-short-name', (text) => text.length <= 63 && LABEL.test(text)],
  ['k8s-long-name', (text) => text.length <= 253 && SUBDOMAIN.test(text)],
]);

/** The check of a format, undefined when the format is not checked. */
export function formatCheck(format: string | undefined): Check | undefined {
  return format === undefined ? undefined : checks.get(format);
}
