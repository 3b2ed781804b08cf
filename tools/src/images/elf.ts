// What is needed of the ELF format: which shared libraries a program asks for, for which machine it is, and a copy
// without the parts that are never loaded. Source: the System V ABI, chapters 4 and 5; 64-bit little-endian only.

const MAGIC = 0x464c457f;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PROGRAM_HEADER_BYTES = 56;
const TYPE = { load: 1, dynamic: 2, interpreter: 3 } as const;
const TAG = { end: 0, needed: 1, stringTable: 5 } as const;
const MACHINES: Readonly<Record<number, string>> = { 62: 'amd64', 183: 'arm64' };
// Where the ELF header keeps the offset of the section headers, and their size, number and names' index.
const SECTION_OFFSET_AT = 0x28;
const SECTION_COUNTS_AT = 0x3a;
const SECTION_COUNTS_BYTES = 6;
const HEADER_BYTES = 64;

interface Segment {
  type: number;
  offset: number;
  address: number;
  fileBytes: number;
}

export function isElf(data: Buffer): boolean {
  return data.length > HEADER_BYTES && data.readUInt32LE(0) === MAGIC && data[4] === CLASS_64 && data[5] === LITTLE_ENDIAN;
}

/** `amd64`, `arm64`, or the number of a machine that is not known here. */
export function machineOf(data: Buffer): string {
  const machine = data.readUInt16LE(18);
  return MACHINES[machine] ?? String(machine);
}

function segmentsOf(data: Buffer): Segment[] {
  const start = Number(data.readBigUInt64LE(32));
  return Array.from({ length: data.readUInt16LE(56) }, (_unused, i) => {
    const at = start + i * PROGRAM_HEADER_BYTES;
    return {
      type: data.readUInt32LE(at),
      offset: Number(data.readBigUInt64LE(at + 8)),
      address: Number(data.readBigUInt64LE(at + 16)),
      fileBytes: Number(data.readBigUInt64LE(at + 32)),
    };
  });
}

function text(data: Buffer, at: number): string {
  return data.toString('latin1', at, data.indexOf(0, at));
}

function offsetOf(segments: readonly Segment[], address: number): number {
  const home = segments.find(({ type, address: start, fileBytes }) => type === TYPE.load && address >= start && address < start + fileBytes);
  if (home === undefined) throw new Error(`the address 0x${address.toString(16)} is in no segment of the file`);
  return address - home.address + home.offset;
}

/** The names that the loader looks for: DT_NEEDED, and the path of the loader itself where one is asked for. */
export function neededBy(data: Buffer): { libraries: string[]; interpreter: string | undefined } {
  const segments = segmentsOf(data);
  const interpreter = segments.find(({ type }) => type === TYPE.interpreter);
  const dynamic = segments.find(({ type }) => type === TYPE.dynamic);
  const [offsets, libraries]: [number[], string[]] = [[], []];
  let strings = 0;
  for (let at = dynamic?.offset ?? 0; dynamic !== undefined && at < dynamic.offset + dynamic.fileBytes; at += 16) {
    const [tag, value] = [Number(data.readBigInt64LE(at)), Number(data.readBigUInt64LE(at + 8))];
    if (tag === TAG.end) break;
    if (tag === TAG.needed) offsets.push(value);
    if (tag === TAG.stringTable) strings = offsetOf(segments, value);
  }
  for (const offset of offsets) libraries.push(text(data, strings + offset));
  return { libraries, interpreter: interpreter === undefined ? undefined : text(data, interpreter.offset) };
}

/**
 * A copy without symbols, debug information and section headers: all that comes after what the loader maps. The
 * symbols that libraries and native addons are linked by are mapped, and stay.
 */
export function withoutSymbols(data: Buffer): Buffer {
  const end = Math.max(...segmentsOf(data).map(({ offset, fileBytes }) => offset + fileBytes));
  const small = Buffer.from(data.subarray(0, end));
  small.writeBigUInt64LE(0n, SECTION_OFFSET_AT);
  small.fill(0, SECTION_COUNTS_AT, SECTION_COUNTS_AT + SECTION_COUNTS_BYTES);
  return small;
}
