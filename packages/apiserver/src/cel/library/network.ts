// ip(), cidr() and url(). Sources: k8s.io/apiserver/pkg/cel/library/{ip,cidr,urls}.go.
import { BlockList, SocketAddress, isIP } from 'node:net';
import { isCidr } from '../../schema/formats.ts';
import type { Definition } from '../functions.ts';
import type { OpaqueValue } from '../values.ts';
import { CelError } from '../values.ts';

type Family = 'ipv4' | 'ipv6';

class Ip implements OpaqueValue {
  readonly typeName = 'net.IP';
  readonly family: Family;
  readonly text: string;
  constructor(text: string) {
    this.family = isIP(text) === 4 ? 'ipv4' : 'ipv6';
    this.text = this.family === 'ipv4' ? text : new SocketAddress({ address: text, family: 'ipv6' }).address;
  }
  equals(other: unknown): boolean {
    return other instanceof Ip && other.text === this.text;
  }
  isIn(block: string, length: number): boolean {
    const list = new BlockList();
    list.addSubnet(block, length, block.includes(':') ? 'ipv6' : 'ipv4');
    return list.check(this.text, this.family);
  }
}

class Cidr implements OpaqueValue {
  readonly typeName = 'net.CIDR';
  readonly ip: Ip;
  readonly length: number;
  constructor(text: string) {
    const [address = '', length = '0'] = text.split('/');
    this.ip = new Ip(address);
    this.length = Number(length);
  }
  equals(other: unknown): boolean {
    return other instanceof Cidr && other.length === this.length && other.ip.equals(this.ip);
  }
  contains(ip: Ip): boolean {
    return ip.family === this.ip.family && ip.isIn(this.ip.text, this.length);
  }
  masked(): Cidr {
    const size = this.ip.family === 'ipv4' ? 32 : 128;
    const mask = ((1n << BigInt(this.length)) - 1n) << BigInt(size - this.length);
    return new Cidr(`${toText(toNumber(this.ip.text) & mask, this.ip.family)}/${this.length}`);
  }
}

function toNumber(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const middle = tail === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...middle, ...back].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}

function toText(value: bigint, family: Family): string {
  const [count, bits] = family === 'ipv4' ? [4, 8n] : [8, 16n];
  const parts = Array.from({ length: count }, (_, index) => (value >> (BigInt(count - 1 - index) * bits)) & ((1n << bits) - 1n));
  return family === 'ipv4' ? parts.join('.') : parts.map((part) => part.toString(16)).join(':');
}

const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes('%') && !/^::ffff:\d/i.test(text);

function ip(text: string): Ip {
  if (!isAddress(text))
    throw new CelError(`IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`);
  return new Ip(text);
}

function cidr(text: string): Cidr {
  if (!isCidr(text))
    throw new CelError(`CIDR ${JSON.stringify(text)} parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): no '/'`);
  return new Cidr(text);
}

function isCanonical(text: string): boolean {
  return ip(text).text === text;
}

class Url implements OpaqueValue {
  readonly typeName = 'kubernetes.URL';
  readonly text: string;
  readonly parts: URL;
  constructor(text: string) {
    this.text = text;
    this.parts = new URL(text, 'relative://');
  }
  equals(other: unknown): boolean {
    return other instanceof Url && other.text === this.text;
  }
  get relative(): boolean {
    return this.text.startsWith('/');
  }
}

// Go's url.ParseRequestURI wants an absolute URI or an absolute path.
const isUrl = (text: string): boolean => !/\s/.test(text) && (text.startsWith('/') || (/^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text)));

function url(text: string): Url {
  if (!isUrl(text)) throw new CelError(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`);
  return new Url(text);
}

function authority(text: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(text)?.[1] ?? '';
}

const portOf = (text: string): string => /:(\d*)$/.exec(authority(text))?.[1] ?? '';

function query({ parts }: Url): Map<string, string[]> {
  return new Map([...new Set(parts.searchParams.keys())].map((name) => [name, parts.searchParams.getAll(name)]));
}

const within =
  (block: string, length: number) =>
  (address: Ip): boolean =>
    address.isIn(block, length) && address.family === (block.includes(':') ? 'ipv6' : 'ipv4');
const either =
  (...checks: readonly ((address: Ip) => boolean)[]) =>
  (address: Ip): boolean =>
    checks.some((check) => check(address));
const isLoopback = either(within('127.0.0.0', 8), within('::1', 128));
const isLinkLocalUnicast = either(within('169.254.0.0', 16), within('fe80::', 10));
const isLinkLocalMulticast = either(within('224.0.0.0', 24), within('ff02::', 16));
const isMulticast = either(within('224.0.0.0', 4), within('ff00::', 8));
const isUnspecified = (address: Ip): boolean => address.text === '0.0.0.0' || address.text === '::';

function isGlobalUnicast(address: Ip): boolean {
  return !isUnspecified(address) && !isLoopback(address) && !isMulticast(address) && !isLinkLocalUnicast(address) && address.text !== '255.255.255.255';
}

export const network: readonly Definition[] = [
  ['isIP(string): bool', isAddress],
  ['ip(string): IP', ip],
  ['ip.isCanonical(string): bool', isCanonical],
  ['string(IP): string', ({ text }: Ip) => text],
  ['IP.family(): int', ({ family }: Ip) => (family === 'ipv4' ? 4n : 6n)],
  ['IP.isUnspecified(): bool', isUnspecified],
  ['IP.isLoopback(): bool', isLoopback],
  ['IP.isLinkLocalMulticast(): bool', isLinkLocalMulticast],
  ['IP.isLinkLocalUnicast(): bool', isLinkLocalUnicast],
  ['IP.isGlobalUnicast(): bool', isGlobalUnicast],
  ['isCIDR(string): bool', isCidr],
  ['cidr(string): CIDR', cidr],
  ['string(CIDR): string', (block: Cidr) => `${block.ip.text}/${block.length}`],
  ['CIDR.containsIP(IP): bool', (block: Cidr, address: Ip) => block.contains(address)],
  ['CIDR.containsIP(string): bool', (block: Cidr, address: string) => block.contains(ip(address))],
  ['CIDR.containsCIDR(CIDR): bool', (block: Cidr, other: Cidr) => other.length >= block.length && block.contains(other.ip)],
  ['CIDR.containsCIDR(string): bool', (block: Cidr, other: string) => cidr(other).length >= block.length && block.contains(cidr(other).ip)],
  ['CIDR.ip(): IP', (block: Cidr) => block.ip],
  ['CIDR.masked(): CIDR', (block: Cidr) => block.masked()],
  ['CIDR.prefixLength(): int', (block: Cidr) => BigInt(block.length)],
  ['isURL(string): bool', isUrl],
  ['url(string): URL', url],
  ['URL.getScheme(): string', (one: Url) => (one.relative ? '' : one.parts.protocol.slice(0, -1))],
  ['URL.getHost(): string', (one: Url) => authority(one.text)],
  [
    'URL.getHostname(): string',
    (one: Url) =>
      authority(one.text)
        .replace(/:\d*$/, '')
        .replace(/^\[(.*)\]$/, '$1'),
  ],
  ['URL.getPort(): string', (one: Url) => portOf(one.text)],
  ['URL.getEscapedPath(): string', (one: Url) => one.parts.pathname],
  ['URL.getQuery(): map<string, list<string>>', query],
];
