// The checks that many calls share. Source: CSI spec, "Size Limits" and the required fields of each message.
import { CsiError, type VolumeCapability } from '@snapshot-stack/csi';
import type { AccessType, SnapshotRow, State, VolumeRow } from './state/state.ts';

const NAME_BYTES_MAX = 128;
// oxlint-disable-next-line no-control-regex -- the specification names these control characters
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/;

export function invalidArgument(message: string): CsiError {
  return new CsiError('INVALID_ARGUMENT', message);
}

/** @throws CsiError INVALID_ARGUMENT */
export function checkName(name: string, what: string): void {
  if (name === '') throw invalidArgument(`${what} has no name`);
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    throw invalidArgument(`the name of ${what} has ${Buffer.byteLength(name)} bytes; at most ${NAME_BYTES_MAX} are allowed`);
  if (CONTROL.test(name)) throw invalidArgument(`the name of ${what} holds control characters`);
}

/** @throws CsiError INVALID_ARGUMENT */
export function required(value: string, field: string): void {
  if (value === '') throw invalidArgument(`${field} is missing`);
}

/** An id as it may stand in a message: short, and without what confuses a terminal. */
export function shown(id: string): string {
  const text = JSON.stringify(id.slice(0, 80));
  return id.length > 80 ? `${text}…` : text;
}

/** @throws CsiError NOT_FOUND */
export function volumeOf(state: State, id: string): VolumeRow {
  required(id, 'volume_id');
  const row = state.volume(id);
  if (row === undefined || row.phase !== 'ready') throw new CsiError('NOT_FOUND', `there is no volume ${shown(id)}`);
  return row;
}

/** @throws CsiError NOT_FOUND */
export function snapshotOf(state: State, id: string): SnapshotRow {
  const row = state.snapshot(id);
  if (row === undefined || row.phase !== 'ready') throw new CsiError('NOT_FOUND', `there is no snapshot ${shown(id)}`);
  return row;
}

const MODES_MAX = 7;

/** The one access type of all capabilities. @throws CsiError INVALID_ARGUMENT when there is none, or both */
export function accessTypeOf(capabilities: readonly VolumeCapability[]): AccessType {
  if (capabilities.length === 0) throw invalidArgument('volume_capabilities are missing');
  const types = new Set(capabilities.map(accessTypeOfOne));
  if (types.size > 1) throw invalidArgument('a volume is either a block device or a file system; the capabilities ask for both');
  return [...types][0] as AccessType;
}

export function accessTypeOfOne(capability: VolumeCapability): AccessType {
  const type = capability.accessType?.$case;
  if (type === undefined) throw invalidArgument('a volume capability has no access type (block or mount)');
  const mode = capability.accessMode?.mode ?? 0;
  if (mode <= 0 || mode > MODES_MAX) throw invalidArgument('a volume capability has no known access mode');
  return type;
}

/** Page numbers as tokens break when entries go; ours are the last id of the page before. */
export function decodeToken(token: string): string {
  if (token === '') return '';
  const match = /^after:([0-9a-f-]{36}|csi-[0-9a-f]{64})$/.exec(token);
  if (match === null) throw new CsiError('ABORTED', `the starting_token ${shown(token)} is none of ours; start the listing again without one`);
  return match[1] as string;
}

export function encodeToken(id: string): string {
  return `after:${id}`;
}

export function checkMaxEntries(maxEntries: number): void {
  if (maxEntries < 0) throw invalidArgument(`max_entries is ${maxEntries}; it may not be negative`);
}
