// Small worlds: every combination of what may be true of one snapshot, its content, its claim, its class and its
// driver, and then the real decisions of controller and sidecar, applied one action at a time in several orders
// until nothing moves. What must never happen is checked after each action, what must at last, at the end.
//
// The world's rules for an action are those of the API server (finalizers, preconditions) and of CSI (names are
// idempotent), spelled out here in a few lines; that the real execute does the same is for the tests beside this.
import { Annotation, Finalizer, contentPointsAt, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { decideContent as decideSidecar, type DriverAbilities } from '@snapshot-stack/csi-snapshotter';
import { decideClaim, decideContent, decideSnapshot, type SnapshotAction } from '@snapshot-stack/snapshot-controller';
import { expect, test } from 'vitest';
import { DRIVER, NOW, OTHER_UID, UID, aClaim, aClass, aContent, aSnapshot, aVolume } from '@snapshot-stack/snapshot-controller/testing';

type Answer = 'ready' | 'later' | 'finalError' | 'nonFinalThenReady';

interface World {
  snapshot: VolumeSnapshot | undefined;
  content: VolumeSnapshotContent | undefined;
  claimHeld: boolean;
  claimExists: boolean;
  classExists: boolean;
  answer: Answer;
  abilities: DriverAbilities;
  answered: boolean;
  restoring: boolean;
  now: number;
  /** Handles at the driver, and which of them are ready. */
  atDriver: Map<string, boolean>;
  created: number;
}

const HANDLE = 'id-1';
const ANOTHERS = 'anothers';

/** Cheaper than expect, of which there would be tens of millions. */
function must(holds: boolean | undefined, what: string): void {
  if (holds !== true) throw new Error(`broken: ${what}`);
}

function clone(world: World): World {
  return { ...structuredClone({ ...world, atDriver: undefined }), atDriver: new Map(world.atDriver) } as unknown as World;
}

/** What the API server does to an object that is deleted or loses a finalizer. */
function settleObject<T extends VolumeSnapshot | VolumeSnapshotContent>(object: T): T | undefined {
  const isGone = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
  return isGone ? undefined : object;
}

function applySnapshotAction(world: World, action: SnapshotAction): void {
  const { snapshot, content } = world;
  switch (action.kind) {
    case 'holdSnapshot':
      if (snapshot === undefined) return;
      snapshot.metadata.finalizers = [...(snapshot.metadata.finalizers ?? []), ...action.finalizers];
      if (action.className !== undefined) snapshot.spec.volumeSnapshotClassName = action.className;
      return;
    case 'holdClaim':
      world.claimHeld = true;
      return;
    case 'createContent':
      must(content === undefined, 'never two contents for one snapshot');
      must(world.claimHeld, 'the claim is held before the content is made');
      must(snapshot?.metadata.finalizers?.includes(Finalizer.snapshotAsSource), 'the snapshot is held before the content is made');
      world.content = structuredClone({
        ...action.content,
        metadata: { ...action.content.metadata, uid: 'new', creationTimestamp: new Date(world.now).toISOString() },
      });
      return;
    case 'bindContent':
      if (content === undefined || snapshot === undefined) return;
      must((content.spec.volumeSnapshotRef.uid ?? UID) === UID, "never bind another's content");
      content.spec.volumeSnapshotRef = { ...content.spec.volumeSnapshotRef, uid: UID };
      content.metadata.finalizers = [...new Set([...(content.metadata.finalizers ?? []), Finalizer.content])];
      delete content.metadata.annotations?.[Annotation.beingDeleted];
      return;
    case 'markContent':
      if (content === undefined) return;
      must(snapshot !== undefined && contentPointsAt(content, snapshot), "never mark another's content");
      content.metadata.annotations = { ...content.metadata.annotations, [Annotation.beingDeleted]: 'yes' };
      return;
    case 'deleteContent':
      if (content === undefined || snapshot === undefined) return;
      must(contentPointsAt(content, snapshot), "never delete another's content");
      must(content?.spec.deletionPolicy === 'Delete', 'Retain never deletes');
      must(!world.restoring, 'never delete what is being restored');
      content.metadata.deletionTimestamp ??= new Date(world.now).toISOString();
      world.content = settleObject(content);
      return;
    case 'releaseSnapshot':
      if (snapshot === undefined) return;
      if (content !== undefined && contentPointsAt(content, snapshot)) must(content?.spec.deletionPolicy === 'Retain', 'the hold outlives the content');
      snapshot.metadata.finalizers = (snapshot.metadata.finalizers ?? []).filter(
        (each) => each !== Finalizer.snapshotAsSource && each !== Finalizer.snapshotBound,
      );
      world.snapshot = settleObject(snapshot);
      return;
    case 'setStatus':
      if (snapshot === undefined) return;
      snapshot.status = Object.fromEntries(Object.entries({ ...snapshot.status, ...action.status }).filter(([, value]) => value !== null));
      return;
    case 'say':
  }
}

/** One step of the controller; true when it changed the world. `stopAfter` actions, as if the process died. */
function stepSnapshot(world: World, stopAfter = Infinity): boolean {
  const source = {
    namedClass: world.classExists ? aClass({ policy: world.content?.spec.deletionPolicy ?? 'Delete' }) : undefined,
    defaultClasses: [],
    claim: world.claimExists ? aClaim({ held: world.claimHeld }) : undefined,
    volume: world.claimExists ? aVolume() : undefined,
    node: undefined,
  };
  const restoring = world.restoring ? ['copy'] : [];
  const plan = decideSnapshot({ snapshot: world.snapshot, content: world.content, source, restoring, recordVolumeMode: true, now: world.now });
  if (plan.next.kind === 'after') world.now += plan.next.ms;
  for (const action of plan.actions.slice(0, stopAfter)) applySnapshotAction(world, structuredClone(action));
  return plan.actions.length > 0 || plan.next.kind === 'after';
}

function stepContent(world: World): boolean {
  const { content, snapshot } = world;
  const plan = decideContent({ content, snapshot });
  if (plan.kind === 'protect') content!.metadata.finalizers = [...(content!.metadata.finalizers ?? []), Finalizer.content];
  if (plan.kind === 'mark') {
    must(snapshot === undefined || !contentPointsAt(content!, snapshot), 'a content is only marked here when its snapshot is gone');
    content!.metadata.annotations = { ...content!.metadata.annotations, [Annotation.beingDeleted]: 'yes' };
  }
  return plan.kind === 'protect' || plan.kind === 'mark';
}

function stepClaim(world: World): boolean {
  const { snapshot } = world;
  const unready = snapshot === undefined || snapshot.status?.readyToUse === true ? [] : [{ snapshot, contentExists: world.content !== undefined }];
  const plan = decideClaim({ claim: world.claimExists ? aClaim({ held: world.claimHeld }) : undefined, unready });
  if (plan.kind !== 'release') return false;
  const isBeingCut =
    world.content?.metadata.annotations?.[Annotation.beingCreated] !== undefined && snapshot !== undefined && contentPointsAt(world.content, snapshot);
  const needed = isBeingCut && snapshot.status?.readyToUse !== true && (snapshot.metadata.finalizers?.includes(Finalizer.snapshotAsSource) ?? false);
  must(!needed, 'the finalizer of the claim outlives the need');
  world.claimHeld = false;
  return true;
}

/** One step of the sidecar and its driver. `dies`: after the call took effect, before the answer is recorded. */
function stepSidecar(world: World, dies = false): boolean {
  const plan = decideSidecar({ content: world.content, driver: DRIVER, abilities: world.abilities, createAnswered: world.answered });
  const content = world.content;
  switch (plan.kind) {
    case 'nothing':
      return false;
    case 'create':
      return createAtDriver(world, plan.keepGuard, dies);
    case 'check': {
      const ready = plan.by === 'trust' ? true : world.atDriver.get(plan.handle);
      if (ready === undefined)
        return plan.thenCreate && world.classExists ? createAtDriver(world, true, dies) : complain(content!, 'the driver does not know it');
      world.atDriver.set(plan.handle, true);
      const before = JSON.stringify(content!.status, (_k, v: unknown) => String(v));
      record(content!, plan.handle, true);
      delete content!.metadata.annotations?.[Annotation.beingCreated];
      return before !== JSON.stringify(content!.status, (_k, v: unknown) => String(v));
    }
    case 'dropGuard':
      delete content!.metadata.annotations?.[Annotation.beingCreated];
      return true;
    case 'delete':
      if (plan.handle !== undefined) {
        must(content?.spec.deletionPolicy === 'Delete', 'Retain never deletes');
        must(plan.handle !== ANOTHERS, "never another's snapshot");
        world.atDriver.delete(plan.handle);
        if (dies) return true;
      }
      content!.metadata.finalizers = content!.metadata.finalizers!.filter((each) => each !== Finalizer.content);
      world.content = settleObject(content!);
      return true;
  }
}

function createAtDriver(world: World, keepGuard: boolean, dies: boolean): boolean {
  const content = world.content!;
  if (!world.classExists && content.metadata.deletionTimestamp === undefined) return complain(content, 'its class does not exist');
  content.metadata.annotations = { ...content.metadata.annotations, [Annotation.beingCreated]: 'yes' };
  if (content.metadata.deletionTimestamp === undefined) content.metadata.finalizers = [...new Set([...(content.metadata.finalizers ?? []), Finalizer.content])];
  world.answered = false;
  if (world.answer === 'finalError') {
    world.answered = true;
    const isNews = complain(content, 'no');
    if (mayGo(content)) return true;
    delete content.metadata.annotations[Annotation.beingCreated];
    return isNews;
  }
  if (!world.atDriver.has(HANDLE)) world.created++;
  const ready = world.answer === 'ready' || world.atDriver.has(HANDLE);
  world.atDriver.set(HANDLE, ready);
  if (dies) return true;
  if (world.answer === 'nonFinalThenReady') {
    world.answer = 'ready'; // the first answer was lost on the way
    content.status = { ...content.status, readyToUse: false, error: { message: 'timed out' } };
    return true;
  }
  record(content, HANDLE, ready);
  world.answered = true;
  if (!mayGo(content) && (ready || !keepGuard)) delete content.metadata.annotations[Annotation.beingCreated];
  return true;
}

function mayGo(content: VolumeSnapshotContent): boolean {
  return content.metadata.deletionTimestamp !== undefined && content.metadata.annotations?.[Annotation.beingDeleted] === 'yes';
}

function complain(content: VolumeSnapshotContent, message: string): boolean {
  if (content.status?.error?.message === message) return false;
  content.status = { readyToUse: false, ...content.status, error: { message } };
  return true;
}

function record(content: VolumeSnapshotContent, handle: string, ready: boolean): void {
  const { error: _over, ...status } = content.status ?? {};
  content.status = { ...status, snapshotHandle: handle, creationTime: 1_795_435_200_123_456_789n, readyToUse: ready };
}

type Order = readonly ('snapshot' | 'content' | 'claim' | 'sidecar')[];
const ORDERS: readonly Order[] = [
  ['snapshot', 'content', 'sidecar', 'claim'],
  ['sidecar', 'claim', 'content', 'snapshot'],
  ['claim', 'sidecar', 'snapshot', 'content'],
];
const STEPS_MAX = 240;
// Deaths later than this fall into rounds that only repeat.
const DEATHS_MAX = 6;

/** Applies everybody's plans until nobody has anything to do; dies once, at the given step, where asked to. */
function settle(world: World, order: Order, dieAt: number | undefined): number {
  let steps = 0;
  for (let moved = true; moved;) {
    moved = false;
    for (const who of order) {
      const dies = steps === dieAt;
      if (dies) world.answered = false; // memory is lost
      if (who === 'snapshot') moved = stepSnapshot(world, dies ? 1 : Infinity) || moved;
      if (who === 'content') moved = stepContent(world) || moved;
      if (who === 'claim') moved = stepClaim(world) || moved;
      if (who === 'sidecar') moved = stepSidecar(world, dies) || moved;
      if (dies) moved = true;
      steps++;
      invariants(world);
      must(steps < STEPS_MAX, 'it settles');
    }
  }
  return steps;
}

function invariants({ snapshot, created, atDriver, content }: World): void {
  must(created <= 1, 'never two snapshots at the driver');
  must(atDriver.has(ANOTHERS), "another's snapshot stays");
  if (content?.spec.volumeSnapshotRef.uid === OTHER_UID) must(content.metadata.deletionTimestamp === undefined, "another's content stays");
  if (snapshot?.status?.readyToUse === true && content !== undefined && contentPointsAt(content, snapshot)) must(content.status?.readyToUse, 'ready is true');
}

function* worlds(): Generator<World> {
  yield* dynamicWorlds();
  yield* staticWorlds();
}

/** Pre-provisioned: the snapshot names its content, which names a snapshot, perhaps this one. */
function* staticWorlds(): Generator<World> {
  const content = 'hand';
  const snapshots = [
    undefined,
    ...[false, true].flatMap((deleted) => [
      ...(deleted ? [] : [aSnapshot({ content })]),
      aSnapshot({ content, held: true, deleted }),
      aSnapshot({ content, held: true, bound: true, ready: true, deleted }),
    ]),
  ];
  const ends = [{}, { marked: true }, { deleted: true }, { marked: true, deleted: true }];
  for (const snapshot of snapshots) {
    for (const uid of [undefined, UID, OTHER_UID]) {
      for (const policy of ['Delete', 'Retain'] as const) {
        for (const ready of [false, true]) {
          for (const end of uid === UID ? ends : [{}]) {
            const handle = uid === OTHER_UID ? ANOTHERS : HANDLE;
            const made = aContent({ name: content, handle, uid, policy, ready, held: uid !== undefined, ...end });
            if (uid === undefined && snapshot?.status !== undefined) continue;
            if (!isPossible(snapshot, made)) continue;
            for (const abilities of ABILITIES) yield* withRestore(makeWorld({ ...EMPTY, snapshot, content: made, abilities }));
          }
        }
      }
    }
    yield makeWorld({ ...EMPTY, snapshot, content: undefined, abilities: ABILITIES[0]! });
  }
}

/** The same world, and the same while a claim is being restored from the snapshot. */
function* withRestore(world: World): Generator<World> {
  yield world;
  const { snapshot, content } = world;
  const isFresh =
    content !== undefined && content.metadata.deletionTimestamp === undefined && content.metadata.annotations?.[Annotation.beingDeleted] === undefined;
  if (snapshot?.metadata.deletionTimestamp !== undefined && isFresh && contentPointsAt(content, snapshot)) yield { ...clone(world), restoring: true };
}

const EMPTY = { answer: 'ready' as const, classExists: false, claimExists: false, claimHeld: false };
const ABILITIES: readonly DriverAbilities[] = [
  { getSnapshot: true, listSnapshots: true },
  { getSnapshot: false, listSnapshots: true },
  { getSnapshot: false, listSnapshots: false },
];

function* dynamicWorlds(): Generator<World> {
  const snapshots: (VolumeSnapshot | undefined)[] = [
    undefined,
    ...[false, true].flatMap((deleted) => [
      ...(deleted ? [] : [aSnapshot()]),
      aSnapshot({ held: true, deleted }),
      aSnapshot({ held: true, bound: true, deleted }),
      aSnapshot({ held: true, bound: true, ready: true, deleted }),
    ]),
  ];
  const uids = [UID, OTHER_UID];
  const contents: (VolumeSnapshotContent | undefined)[] = [undefined];
  for (const uid of uids) {
    for (const policy of ['Delete', 'Retain'] as const) {
      for (const life of [{ creating: true }, {}, { creating: true, cut: true }, { cut: true }, { ready: true }, { creating: true, ready: true }]) {
        for (const end of [{}, { marked: true }, { deleted: true }, { marked: true, deleted: true }]) {
          if (uid === OTHER_UID && Object.keys(end).length > 0) continue;
          contents.push(aContent({ uid, policy, ...life, ...end }));
        }
      }
    }
  }
  for (const snapshot of snapshots) {
    for (const content of contents) {
      if (!isPossible(snapshot, content)) continue;
      for (const ability of ABILITIES) {
        for (const answer of ['ready', 'later', 'finalError', 'nonFinalThenReady'] as const) {
          for (const [classExists, claimExists] of [
            [true, true],
            [false, true],
            [true, false],
          ] as const) {
            for (const claimHeld of claimExists ? [false, true] : [false]) {
              if (!claimHeld && claimExists && content?.metadata.annotations?.[Annotation.beingCreated] !== undefined && snapshot !== undefined) continue;
              yield* withRestore(makeWorld({ snapshot, content, abilities: ability, answer, classExists, claimExists, claimHeld }));
            }
          }
        }
      }
    }
  }
}

/** What our own order of writes rules out is no world: content without a hold, ready without a ready content. */
function isPossible(snapshot: VolumeSnapshot | undefined, content: VolumeSnapshotContent | undefined): boolean {
  if (snapshot === undefined || content === undefined) return true;
  const isOwn = contentPointsAt(content, snapshot);
  if (!isOwn) return true;
  if (!snapshot.metadata.finalizers?.length) return false;
  if (snapshot.status?.readyToUse === true && content.status?.readyToUse !== true) return false;
  const isMarked = content.metadata.annotations?.[Annotation.beingDeleted] !== undefined;
  return snapshot.metadata.deletionTimestamp !== undefined || !isMarked;
}

function makeWorld(parts: Pick<World, 'snapshot' | 'content' | 'abilities' | 'answer' | 'classExists' | 'claimExists' | 'claimHeld'>): World {
  const atDriver = new Map([[ANOTHERS, true]]);
  const { status, spec } = parts.content ?? {};
  const isOwn = spec?.volumeSnapshotRef.uid !== OTHER_UID;
  if (spec?.source.snapshotHandle === HANDLE) atDriver.set(HANDLE, true);
  else if (isOwn && status?.snapshotHandle !== undefined) atDriver.set(HANDLE, status.readyToUse === true);
  const world = { ...parts, answered: false, restoring: false, now: NOW, atDriver, created: 0 };
  const copy = clone(world);
  if (!isOwn && copy.content?.status?.snapshotHandle !== undefined) copy.content.status.snapshotHandle = ANOTHERS;
  return copy;
}

/** What must be so at last, whatever the way there was. */
function checkEnd(start: World, end: World): void {
  const { snapshot, content } = end;
  const wasDeleted = start.snapshot?.metadata.deletionTimestamp !== undefined;
  if (wasDeleted) {
    must(snapshot === undefined, 'a deleted snapshot goes');
    if (end.claimExists) must(!end.claimHeld, 'nobody needs the claim');
    const startOwn = start.content?.spec.volumeSnapshotRef.uid === UID;
    if (start.content !== undefined && !startOwn)
      must(content !== undefined && content.metadata.deletionTimestamp === undefined, 'a content that is not its own stays');
    if (startOwn && start.content?.spec.deletionPolicy === 'Delete') {
      must(content === undefined, 'its content goes');
      must(!end.atDriver.has(HANDLE), 'nothing stays at the driver');
    }
    if (startOwn && start.content?.spec.deletionPolicy === 'Retain' && start.atDriver.has(HANDLE)) must(end.atDriver.has(HANDLE), 'Retain keeps the data');
    return;
  }
  if (start.snapshot === undefined) return;
  const isMisbound = content !== undefined && !contentPointsAt(content, snapshot!);
  const isLost = start.content === undefined && start.snapshot.status?.creationTime !== undefined;
  const isStatic = start.snapshot.spec.source.volumeSnapshotContentName !== undefined;
  const isHopeless =
    (isStatic ? start.content === undefined : start.answer === 'finalError') || start.content?.metadata.deletionTimestamp !== undefined || isMisbound || isLost;
  const canBeMade = isStatic || (end.classExists && end.claimExists);
  const isMade = content?.status?.readyToUse === true;
  if (!isHopeless && canBeMade) must(snapshot?.status?.readyToUse, 'a possible snapshot becomes ready');
  if (isMade && !isMisbound) must(snapshot?.status?.error === undefined, 'an error goes when it is over');
  if (snapshot?.status?.readyToUse !== true) must((snapshot?.status?.error?.message ?? '') !== '', 'who waits says for what');
  if (snapshot?.status?.readyToUse === true && end.claimExists) must(!end.claimHeld, 'a ready snapshot needs no claim');
}

/** A whole life: while a restore goes on nothing is taken from it, and once it is over everything goes on. */
function live(world: World, order: Order, dieAt?: number): number {
  const steps = settle(world, order, dieAt);
  if (!world.restoring) return steps;
  must(world.snapshot !== undefined && world.content !== undefined, 'what is being restored stays');
  must(world.snapshot?.status?.error?.message?.includes('being restored'), 'who waits says for what');
  world.restoring = false;
  return steps + settle(world, order, undefined);
}

/** Adds to a failure the world that it happened in. */
function within<T>(start: World, order: Order, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const shown = JSON.stringify({ ...start, atDriver: [...start.atDriver] }, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    throw new Error(`${(error as Error).message.split('\n')[0]} in the world ${shown}, order ${order.join(', ')}`, { cause: error });
  }
}

test('every small world settles, none is harmed, and dying at any step changes nothing', () => {
  let count = 0;
  let runs = 0;
  let steps = 0;
  for (const start of worlds()) {
    count++;
    for (const order of ORDERS) {
      const calm = clone(start);
      const length = within(start, order, () => live(calm, order));
      within(start, order, () => checkEnd(start, calm));
      runs++;
      steps += length;
      for (let dieAt = 0; dieAt < Math.min(length, DEATHS_MAX); dieAt++) {
        const rough = clone(start);
        steps += within(start, order, () => live(rough, order, dieAt));
        within(start, order, () => checkEnd(start, rough));
        runs++;
      }
    }
  }
  console.log(`explored ${count} worlds in ${runs} runs of ${steps} steps`);
  expect(count).toBeGreaterThan(1_000);
}, 120_000);
