// A content may not claim a snapshot that is bound to another content: the two would fight over it, and deleting the
// snapshot could delete the data of either.
import { contentNameFor, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import type { Finding } from '../review/verdict.ts';
import { crossRule, type CrossRule } from './rule.ts';

const NAME = 'content-bound-elsewhere';

export interface BindingSeen {
  /** The content that is written. */
  readonly content: VolumeSnapshotContent;
  /** The snapshot that its reference names, if there is one. */
  readonly snapshot: VolumeSnapshot | undefined;
  /** All contents whose references name it too. */
  readonly rivals: readonly VolumeSnapshotContent[];
}

/** The name of the content that the snapshot belongs to, other than this one. */
function boundElsewhere({ content, snapshot, rivals }: BindingSeen): string | undefined {
  if (snapshot === undefined) return undefined;
  const { uid } = snapshot.metadata;
  const ref = content.spec.volumeSnapshotRef;
  // The reference means a snapshot of the same name that is gone: it claims nothing of this one.
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== uid) return undefined;
  const name = content.metadata.name ?? '';
  // What the snapshot itself asks for is never in the way, whatever else refers to it.
  if (name === (snapshot.spec.source.volumeSnapshotContentName ?? contentNameFor(snapshot))) return undefined;
  const bound = snapshot.status?.boundVolumeSnapshotContentName;
  if (bound !== undefined && bound !== '') return bound === name ? undefined : bound;
  return rivals.find(({ metadata, spec }) => metadata.name !== name && spec.volumeSnapshotRef.uid === uid)?.metadata.name;
}

export function decideBinding(seen: BindingSeen): Finding[] {
  const other = boundElsewhere(seen);
  if (other === undefined) return [];
  const { namespace = '', name = '' } = seen.content.spec.volumeSnapshotRef;
  return [
    {
      kind: 'deny',
      rule: NAME,
      field: 'spec.volumeSnapshotRef',
      message: `VolumeSnapshot ${namespace}/${name} is already bound to VolumeSnapshotContent ${other}`,
      remedy: `refer to a VolumeSnapshot of another name, one whose spec.source.volumeSnapshotContentName is ${seen.content.metadata.name ?? 'this content'}`,
      reason: 'Invalid',
    },
  ];
}

export const contentBoundElsewhere: CrossRule = crossRule<VolumeSnapshotContent, BindingSeen>({
  name: NAME,
  kinds: ['snapshot.storage.k8s.io/VolumeSnapshotContent'],
  concerns: ({ object, old }) => {
    const [now, before] = [object.spec.volumeSnapshotRef, old?.spec.volumeSnapshotRef];
    return now.name !== before?.name || now.namespace !== before?.namespace || now.uid !== before?.uid;
  },
  observe: async ({ object: content }, look) => {
    const { namespace = '', name = '' } = content.spec.volumeSnapshotRef;
    const ref = { namespace, name };
    const seen = { content, snapshot: look.snapshot(ref), rivals: look.contentsFor(ref) };
    // A cache may still hold a snapshot that was made anew since: nobody is refused on its word alone.
    return boundElsewhere(seen) === undefined ? seen : { ...seen, snapshot: await look.presentSnapshot(ref) };
  },
  decide: decideBinding,
});
