// The six kinds, as CRD objects and as the YAML files that packages/api-types/crds holds (npm run generate).
import { toCustomResourceDefinition, type CustomResourceDefinition, type Kind } from './definition.ts';
import { volumeGroupSnapshotClassKind } from './volume-group-snapshot-class.ts';
import { volumeGroupSnapshotContentKind } from './volume-group-snapshot-content.ts';
import { volumeGroupSnapshotKind } from './volume-group-snapshot.ts';
import { volumeSnapshotClassKind } from './volume-snapshot-class.ts';
import { volumeSnapshotContentKind } from './volume-snapshot-content.ts';
import { volumeSnapshotKind } from './volume-snapshot.ts';

export const snapshotKinds: readonly Kind[] = [
  volumeSnapshotClassKind,
  volumeSnapshotContentKind,
  volumeSnapshotKind,
  volumeGroupSnapshotClassKind,
  volumeGroupSnapshotContentKind,
  volumeGroupSnapshotKind,
];

/** The CustomResourceDefinitions of all six kinds: fresh objects, ready to be created in a cluster. */
export function snapshotCrds(): CustomResourceDefinition[] {
  return snapshotKinds.map(toCustomResourceDefinition);
}

/** File name (as upstream names them) to YAML text. The YAML library is loaded only here: every process imports this package. */
export async function snapshotCrdFiles(): Promise<Map<string, string>> {
  const { stringify } = await import('yaml');
  const head = '# Written by `npm run generate` from packages/api-types/src/crds: change it there.\n---\n';
  // Short keys and values would otherwise be shared as anchors, which few people like to read.
  const text = (crd: CustomResourceDefinition): string => head + stringify(crd, { lineWidth: 120, aliasDuplicateObjects: false });
  return new Map(snapshotCrds().map((crd) => [`${crd.spec.group}_${crd.spec.names.plural}.yaml`, text(crd)]));
}
