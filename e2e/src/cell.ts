// The matrix of provisioning and restore: every combination has a name, and each is either possible, or impossible
// for a reason that is told.

export const DIMENSIONS = {
  provisioning: ['dynamic', 'pre-provisioned'],
  policy: ['Delete', 'Retain'],
  mode: ['Filesystem', 'Block'],
  size: ['same size', 'larger', 'too small'],
  binding: ['Immediate', 'WaitForFirstConsumer'],
  conversion: ['mode kept', 'converted with leave', 'converted without'],
  snapshotClass: ['named class', 'default class', 'no class'],
  source: ['snapshot', 'clone'],
} as const;

export type Cell = { readonly [D in keyof typeof DIMENSIONS]: (typeof DIMENSIONS)[D][number] };

export type CellResult = 'passed' | 'failed' | 'impossible';

export interface CellOutcome {
  name: string;
  result: CellResult;
  ms: number;
  /** Why it is impossible, how it failed, or what was seen. */
  detail: string;
}

export function nameOf(cell: Cell): string {
  return Object.values(cell).join(' · ');
}

export function allCells(): Cell[] {
  let cells: Record<string, string>[] = [{}];
  for (const [dimension, values] of Object.entries(DIMENSIONS)) cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [dimension]: value })));
  return cells as unknown as Cell[];
}

/** Why a combination cannot be, whatever the implementation; undefined when it can. */
export function impossible(cell: Cell): string | undefined {
  if (cell.source !== 'clone') return undefined;
  if (cell.provisioning !== 'dynamic' || cell.policy !== 'Delete' || cell.snapshotClass !== 'named class')
    return 'a clone is made of a claim: it has no snapshot that could be pre-provisioned, kept, or of a class';
  return cell.conversion === 'mode kept' ? undefined : 'a clone keeps its mode: there is no content that could carry leave to convert it';
}
