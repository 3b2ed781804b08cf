// Which change brings which keys back. Every question that a decision asks of another object has its line here,
// so that a snapshot goes on the moment its class, claim, volume or content comes.
import { Finalizer, isBeingDeleted, jsonEqual, keyOf, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import type { WorkQueue } from '@snapshot-stack/runtime';
import { ANY, NO_CLASS, isProtected, snapshotsRestoredBy, type Cluster } from './cluster.ts';
import { snapshotKeyOf } from './content/observe.ts';
import type { Operations } from './operations.ts';
import { claimKeyOf } from './snapshot/questions.ts';

export interface Queues {
  snapshots: WorkQueue;
  contents: WorkQueue;
  claims: WorkQueue;
}

export function connectTriggers(cluster: Cluster, queues: Queues, operations: Operations): void {
  const wakeUnready = (index: 'unreadyByClass' | 'unreadyByClaim' | 'withoutContent', value: string): void => {
    for (const snapshot of cluster.snapshots.cache.byIndex(index, value)) queues.snapshots.add(keyOf(snapshot));
  };
  onSnapshots(cluster, queues, operations);
  onContents(cluster, queues);

  cluster.classes.on({
    added: ({ metadata }) => {
      wakeUnready('unreadyByClass', metadata.name ?? '');
      wakeUnready('unreadyByClass', NO_CLASS);
    },
    updated: ({ metadata }) => {
      wakeUnready('unreadyByClass', metadata.name ?? '');
      wakeUnready('unreadyByClass', NO_CLASS);
    },
    // One default less may leave exactly one.
    deleted: () => wakeUnready('unreadyByClass', NO_CLASS),
  });

  cluster.claims.on({
    added: (claim) => {
      wakeUnready('unreadyByClaim', keyOf(claim));
      if (isProtected(claim)) queues.claims.add(keyOf(claim));
    },
    updated: (claim, old) => {
      const isOtherForSnapshots =
        claim.status?.phase !== old.status?.phase || claim.spec.volumeName !== old.spec.volumeName || isBeingDeleted(claim) !== isBeingDeleted(old);
      if (isOtherForSnapshots || (isBeingDeleted(claim) && isProtected(claim) !== isProtected(old))) wakeUnready('unreadyByClaim', keyOf(claim));
      for (const key of snapshotsRestoredBy(old)) queues.snapshots.add(key);
      if (isProtected(claim)) queues.claims.add(keyOf(claim));
    },
    deleted: (claim) => {
      wakeUnready('unreadyByClaim', keyOf(claim));
      for (const key of snapshotsRestoredBy(claim)) queues.snapshots.add(key);
    },
  });

  cluster.volumes.on({
    added: ({ spec }) => wakeUnready('unreadyByClaim', `${spec.claimRef?.namespace ?? ''}/${spec.claimRef?.name ?? ''}`),
    updated: ({ spec }, old) => {
      if (spec.claimRef?.uid !== old.spec.claimRef?.uid) wakeUnready('unreadyByClaim', `${spec.claimRef?.namespace ?? ''}/${spec.claimRef?.name ?? ''}`);
    },
  });

  cluster.nodes?.on({
    added: () => wakeUnready('withoutContent', ANY),
    // Nodes report their state all the time; only their labels matter here.
    updated: ({ metadata }, old) => {
      if (!jsonEqual(metadata.labels, old.metadata.labels)) wakeUnready('withoutContent', ANY);
    },
  });
}

function onSnapshots({ snapshots }: Cluster, queues: Queues, operations: Operations): void {
  // A claim is let go by: becoming ready, losing the hold, going.
  const wakeClaim = (snapshot: VolumeSnapshot): void => {
    const claim = claimKeyOf(snapshot);
    if (claim !== undefined) queues.claims.add(claim);
  };
  const isHolding = ({ metadata, status }: VolumeSnapshot): boolean =>
    status?.readyToUse !== true && (metadata.finalizers?.includes(Finalizer.snapshotAsSource) ?? false);
  snapshots.on({
    added: (snapshot) => queues.snapshots.add(keyOf(snapshot)),
    updated: (snapshot, old) => {
      queues.snapshots.add(keyOf(snapshot));
      if (isHolding(old) && !isHolding(snapshot)) wakeClaim(snapshot);
    },
    deleted: (snapshot) => {
      operations.gone(snapshot);
      queues.snapshots.add(keyOf(snapshot));
      wakeClaim(snapshot);
    },
  });
}

function onContents({ contents, snapshots }: Cluster, queues: Queues): void {
  const wake = (content: VolumeSnapshotContent): void => {
    queues.contents.add(keyOf(content));
    queues.snapshots.add(snapshotKeyOf(content));
  };
  contents.on({
    added: wake,
    updated: (content, old) => {
      wake(content);
      if (snapshotKeyOf(old) !== snapshotKeyOf(content)) queues.snapshots.add(snapshotKeyOf(old));
    },
    deleted: (content) => {
      wake(content);
      // A snapshot that lost its content may need its claim no more.
      const snapshot = snapshots.cache.get(snapshotKeyOf(content));
      const claim = snapshot === undefined ? undefined : claimKeyOf(snapshot);
      if (claim !== undefined) queues.claims.add(claim);
    },
  });
}

/** Looks at everything again; costs no write where nothing has changed. */
export function resync(cluster: Cluster, queues: Queues): void {
  for (const snapshot of cluster.snapshots.cache.list()) queues.snapshots.add(keyOf(snapshot));
  for (const content of cluster.contents.cache.list()) queues.contents.add(keyOf(content));
  for (const claim of cluster.claims.cache.list()) if (isProtected(claim)) queues.claims.add(keyOf(claim));
}
