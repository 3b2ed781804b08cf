// What to do about one claim, from all that is known of it. Pure: no clock, no client, no chance.
//
// A claim that we provision for carries our finalizer from before the driver is asked until its volume is saved
// as a PersistentVolume. So whatever dies when, a volume that may exist at the driver has a claim that says so:
//
//   Pending ──mark──▶ marked ──hold source──▶ CreateVolume ──▶ PersistentVolume saved ──unmark──▶ Bound
//                       │ deleted
//                       └──▶ abandon: ask for the volume again (same name, same volume), delete it, let go
import {
  Annotation,
  Finalizer,
  Label,
  hasFinalizer,
  isBeingDeleted,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
  isReachableFrom,
} from '@snapshot-stack/api-types';
import { classNameOf, type DataSource } from '../cluster.ts';
import type { VolumeAttributesClass } from '../kinds.ts';
import type { ClaimPlan, Origin } from './plan.ts';
import { judgeClone, judgeSnapshot } from './source.ts';

/** On a claim while a volume may exist for it at the driver that no PersistentVolume tells of. */
export const CLAIM_FINALIZER = 'provisioner.storage.kubernetes.io/volume-being-created';

export interface SeenClaim {
  claim: PersistentVolumeClaim | undefined;
  storageClass: StorageClass | undefined;
  driver: string;
  abilities: { snapshots: boolean; clones: boolean; modify: boolean };
  /** The name that this claim's volume gets. */
  volumeName: string;
  /** The volume of that name. */
  volume: PersistentVolume | undefined;
  source: DataSource | undefined;
  snapshot: VolumeSnapshot | undefined;
  content: VolumeSnapshotContent | undefined;
  sourceClaim: PersistentVolumeClaim | undefined;
  sourceVolume: PersistentVolume | undefined;
  /** Whether the source's namespace lets this claim use it. */
  sourceGranted: boolean;
  crossNamespace: boolean;
  preventModeConversion: boolean;
  /** In node-local mode: only claims that were scheduled to this node, or taken for it. */
  node: string | undefined;
  /** The labels of the place that this node's volumes are at. */
  labels: Readonly<Record<string, string>>;
  /** In node-local mode: claims that are bound at once are taken too. */
  nodeTakesImmediate: boolean;
  /** The one that the claim names. */
  attributesClass: VolumeAttributesClass | undefined;
  honoursAttributes: boolean;
}

const settled = (why: string): Extract<ClaimPlan, { kind: 'settled' }> => ({ kind: 'settled', why });
const blocked = (why: string): Extract<ClaimPlan, { kind: 'blocked' }> => ({ kind: 'blocked', why });

function isOurs(claim: PersistentVolumeClaim, driver: string): boolean {
  const annotations = claim.metadata.annotations ?? {};
  return (annotations[Annotation.storageProvisioner] ?? annotations[Annotation.storageProvisionerBeta]) === driver;
}

export function decideClaim(seen: SeenClaim): ClaimPlan {
  const { claim, storageClass, driver, volume } = seen;
  if (claim === undefined) return settled('the claim is gone');
  const marked = hasFinalizer(claim, CLAIM_FINALIZER);
  const saved = volume !== undefined && volume.spec.claimRef?.uid === claim.metadata.uid ? volume : undefined;
  if (!isOurs(claim, driver)) return settled(`the claim is not for ${driver}`);
  const selected = claim.metadata.annotations?.[Annotation.selectedNode] ?? '';
  // Before anything else: its volume, if there is one, is at that node's driver, and this one knows nothing of it.
  if (seen.node !== undefined && selected !== '' && selected !== seen.node) return settled(`the claim is for node ${selected}, not for ${seen.node}`);
  if (isBeingDeleted(claim)) {
    if (!marked) return settled('the claim is being deleted, and nothing was begun for it');
    return { kind: 'abandon', claim, storageClass, origin: originForAbandon(seen), attributesClass: seen.attributesClass, saved };
  }
  const bound = claim.spec.volumeName ?? '';
  // Bound to a volume that somebody else made, while ours was under way: ours, if the driver made it, must go.
  if (marked && saved === undefined && bound !== '' && bound !== seen.volumeName)
    return { kind: 'abandon', claim, storageClass, origin: originForAbandon(seen), attributesClass: seen.attributesClass, saved };
  if (saved !== undefined || bound !== '') return marked ? { kind: 'unmark', claim } : settled('the claim has its volume');
  if (storageClass === undefined) return { kind: 'waiting', why: `waiting for StorageClass ${classNameOf(claim) ?? ''}, which does not exist` };
  if (storageClass.provisioner !== driver) return settled(`the class ${storageClass.metadata.name ?? ''} is of ${storageClass.provisioner}`);
  if (storageClass.volumeBindingMode === 'WaitForFirstConsumer' && selected === '') return settled('a pod that uses the claim has to be scheduled first');
  if (seen.node !== undefined && selected === '') {
    const elsewhere = sourceElsewhere(seen);
    if (elsewhere !== undefined) return settled(elsewhere);
    return seen.nodeTakesImmediate
      ? { kind: 'own', claim, storageClass, node: seen.node }
      : settled('the claim has no node yet, and none is to be taken for it');
  }
  if (claim.spec.selector !== undefined) return blocked('the claim has a selector; a volume cannot be made to fit it, only an existing one can');
  const source = judgeSource(seen, claim);
  if (source.kind === 'settled' || source.kind === 'waiting' || source.kind === 'blocked') return source;
  const attributes = judgeAttributes(seen, claim);
  if (attributes !== undefined) return attributes;
  if (!marked) return { kind: 'mark', claim };
  if (source.origin !== undefined && !isHeld(source.origin)) return { kind: 'hold', origin: source.origin };
  return { kind: 'provision', claim, storageClass, origin: source.origin, attributesClass: seen.attributesClass };
}

function isHeld(origin: Origin): boolean {
  return origin.kind === 'snapshot' ? hasFinalizer(origin.snapshot, Finalizer.snapshotBeingRestored) : hasFinalizer(origin.source, Finalizer.claimBeingCloned);
}

type Judged = { kind: 'origin'; origin: Origin | undefined } | Extract<ClaimPlan, { kind: 'settled' | 'waiting' | 'blocked' }>;

function judgeSource(seen: SeenClaim, claim: PersistentVolumeClaim): Judged {
  const { source, driver } = seen;
  if (source === undefined) return { kind: 'origin', origin: undefined };
  const isSnapshot = source.kind === 'VolumeSnapshot' && source.group === 'snapshot.storage.k8s.io';
  const isClaim = source.kind === 'PersistentVolumeClaim' && source.group === '';
  if (source.kind === 'VolumeSnapshot' && !isSnapshot)
    return blocked(`the data source is a VolumeSnapshot of the group "${source.group}"; the group must be snapshot.storage.k8s.io`);
  if (!isSnapshot && !isClaim) return settled(`a ${source.kind} fills this claim; a populator for that kind is expected to do it`);
  const refused = foreignProblem(seen, claim, source);
  if (refused !== undefined) return blocked(refused);
  if (isSnapshot && !seen.abilities.snapshots) return blocked(`the driver ${driver} cannot restore snapshots`);
  if (isClaim && !seen.abilities.clones) return blocked(`the driver ${driver} cannot clone volumes`);
  const verdict = isSnapshot
    ? judgeSnapshot({ claim, source, snapshot: seen.snapshot, content: seen.content, driver, preventModeConversion: seen.preventModeConversion })
    : judgeClone({ claim, source, from: seen.sourceClaim, volume: seen.sourceVolume, driver });
  return verdict.kind === 'ok' ? { kind: 'origin', origin: verdict.origin } : verdict;
}

/** Node-local: a snapshot or volume of another node's driver can be read only there. */
function sourceElsewhere({ source, content, sourceVolume, node, labels }: SeenClaim): string | undefined {
  const of = content?.metadata.labels?.[Label.managedBy];
  if (source?.kind === 'VolumeSnapshot' && of !== undefined && node !== of) return `its snapshot is at node ${of}, whose provisioner takes the claim`;
  if (source?.kind === 'PersistentVolumeClaim' && sourceVolume !== undefined && !isReachableFrom(sourceVolume, { labels }))
    return 'the volume to clone is at another node, whose provisioner takes the claim';
  return undefined;
}

/** What keeps the claim from the attributes that it asks for; undefined where nothing does. */
function judgeAttributes({ attributesClass, honoursAttributes, abilities, driver }: SeenClaim, { spec }: PersistentVolumeClaim): ClaimPlan | undefined {
  const name = spec.volumeAttributesClassName ?? '';
  if (name === '' || !honoursAttributes) return undefined;
  if (!abilities.modify)
    return blocked(`the claim names VolumeAttributesClass ${name}, and the driver ${driver} lacks MODIFY_VOLUME; make a claim without, or use another driver`);
  if (attributesClass === undefined) return { kind: 'waiting', why: `waiting for VolumeAttributesClass ${name}, which does not exist` };
  if (attributesClass.driverName !== driver) return blocked(`VolumeAttributesClass ${name} is of the driver ${attributesClass.driverName}, not of ${driver}`);
  return undefined;
}

/** Source: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#cross-namespace-data-sources */
function foreignProblem(seen: SeenClaim, claim: PersistentVolumeClaim, source: DataSource): string | undefined {
  if (source.namespace === (claim.metadata.namespace ?? '')) return undefined;
  if (!seen.crossNamespace)
    return `the data source is in namespace ${source.namespace}; that needs the feature gate CrossNamespaceVolumeDataSource=true of the provisioner`;
  if (seen.sourceGranted) return undefined;
  return `namespace ${source.namespace} does not let claims of namespace ${claim.metadata.namespace ?? ''} use its ${source.kind} ${source.name}; its owner can allow it with a ReferenceGrant`;
}

/** The origin that CreateVolume was called with, as far as it can still be known. */
function originForAbandon(seen: SeenClaim): Origin | undefined {
  const { source, snapshot, content, sourceClaim, sourceVolume } = seen;
  // A handle that is lost is left out: an empty one would be refused, and the refusal taken for "there is none".
  const snapshotHandle = content?.status?.snapshotHandle ?? '';
  if (source?.kind === 'VolumeSnapshot' && snapshot !== undefined && snapshotHandle !== '') return { kind: 'snapshot', handle: snapshotHandle, snapshot };
  const volumeHandle = sourceVolume?.spec.csi?.volumeHandle ?? '';
  if (source?.kind === 'PersistentVolumeClaim' && sourceClaim !== undefined && volumeHandle !== '')
    return { kind: 'volume', handle: volumeHandle, source: sourceClaim };
  return undefined;
}

/** `<prefix>-<uid>`; with a length, the uid without dashes and cut. */
export function volumeNameFor(claim: PersistentVolumeClaim, prefix: string, uuidLength: number): string {
  const uid = claim.metadata.uid ?? '';
  return `${prefix}-${uuidLength === -1 ? uid : uid.replaceAll('-', '').slice(0, uuidLength)}`;
}
