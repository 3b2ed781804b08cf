// Whatever a client sends, the answer is a code that CSI names for that call; the driver neither breaks nor calls
// its own defects the caller's. What an ordinary volume holds meanwhile stays as it is.
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CsiError } from '@snapshot-stack/csi';
import { BLOCK, CALL, makeSnapshot, makeVolume, sh, startTestDriver, type TestDriver } from './harness.ts';

const SEED = 20_261_123;
const CASES = 60;
const CODES = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'UNIMPLEMENTED',
]);

let driver: TestDriver;
let known: string[] = [];
beforeAll(async () => {
  driver = await startTestDriver(['--enable-attach', '--enable-controller-modify-volume', '--enable-snapshot-metadata', '--capacity=fast=1Mi']);
  const [folder, device] = [await makeVolume(driver, 'folder'), await makeVolume(driver, 'device', { capability: BLOCK })];
  const [ofFolder, ofDevice] = [await makeSnapshot(driver, 'of-folder', folder), await makeSnapshot(driver, 'of-device', device)];
  sh(`echo untouched > ${driver.stateDir}/volumes/${folder}/file`);
  known = [folder, device, ofFolder, ofDevice];
});
const answers = new Map<string, number>();
afterAll(async () => {
  console.log(`answers: ${[...answers].map(([code, count]) => `${count} ${code}`).join(', ')}`);
  await driver.dispose();
});

const text = fc.oneof(
  fc.constantFrom(
    '',
    '..',
    '../../etc/passwd',
    '/etc',
    '.',
    'state.db',
    '\0',
    `a\0b`,
    'x'.repeat(10_240),
    'ü'.repeat(64),
    '\u0007',
    "'; DROP TABLE volumes; --",
    '%s%n',
    '-rf',
    '*',
  ),
  fc.string({ unit: 'grapheme', maxLength: 140 }),
);
// An id is often that of something real, of the right or of another kind.
const id = fc.oneof(
  fc.nat(3).map((index) => ({ known: index })),
  text.map((value) => ({ value })),
);
const int64 = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 511n, 4_097n, 2n ** 31n, 2n ** 40n + 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt({ min: 0n, max: 2n ** 22n }),
);
const int32 = fc.constantFrom(0, 1, -1, 5, 2 ** 31 - 1, -(2 ** 31));
const map = fc.dictionary(
  fc.oneof(text, fc.constantFrom('kind', 'volumeBackend', 'ignoreFailedRead', '__proto__', 'csi.storage.k8s.io/ephemeral')),
  fc.oneof(text, fc.constantFrom('fast', 'image', 'true')),
  {
    maxKeys: 3,
  },
);
const capability = fc.oneof(
  fc.constant(undefined),
  fc.record({
    accessType: fc.oneof(
      fc.constant(undefined),
      fc.constant({ $case: 'block' as const, value: {} }),
      fc.record({
        $case: fc.constant('mount' as const),
        value: fc.record({
          fsType: fc.oneof(text, fc.constantFrom('ext4', 'xfs')),
          mountFlags: fc.array(text, { maxLength: 2 }),
          volumeMountGroup: fc.constant(''),
        }),
      }),
    ),
    accessMode: fc.oneof(fc.constant(undefined), fc.record({ mode: fc.integer({ min: -1, max: 9 }) })),
  }),
);
const range = fc.oneof(fc.constant(undefined), fc.record({ requiredBytes: int64, limitBytes: int64 }));
const source = fc.oneof(
  fc.constant(undefined),
  fc.constant({ type: undefined }),
  id.map((snapshotId) => ({ type: { $case: 'snapshot' as const, value: { snapshotId } } })),
  id.map((volumeId) => ({ type: { $case: 'volume' as const, value: { volumeId } } })),
);
// Paths stay below the test's folder: what lies elsewhere is not the driver's to refuse.
const path = fc.oneof(
  text.filter((value) => !value.startsWith('/')),
  fc.constantFrom('stage', 'target', 'a/b', '../x', 'x'.repeat(300)).map((value) => ({ below: value })),
);
const bool = fc.boolean();

const CALLS: Record<string, Record<string, fc.Arbitrary<unknown>>> = {
  'controller.createVolume': {
    name: text,
    capacityRange: range,
    volumeCapabilities: fc.array(
      capability.filter((value) => value !== undefined),
      { maxLength: 2 },
    ),
    parameters: map,
    mutableParameters: map,
    volumeContentSource: source,
  },
  'controller.validateVolumeCapabilities': {
    volumeId: id,
    volumeCapabilities: fc.array(
      capability.filter((value) => value !== undefined),
      { maxLength: 2 },
    ),
    parameters: map,
  },
  'controller.listVolumes': { maxEntries: int32, startingToken: text },
  'controller.getCapacity': {
    volumeCapabilities: fc.array(
      capability.filter((value) => value !== undefined),
      { maxLength: 1 },
    ),
    parameters: map,
  },
  'controller.createSnapshot': { sourceVolumeId: id, name: text, parameters: map },
  'controller.listSnapshots': { maxEntries: int32, startingToken: text, sourceVolumeId: id, snapshotId: id },
  'controller.getSnapshot': { snapshotId: id },
  'controller.controllerGetVolume': { volumeId: id },
  'controller.controllerExpandVolume': { volumeId: id, capacityRange: range, volumeCapability: capability },
  'controller.controllerModifyVolume': { volumeId: id, mutableParameters: map },
  'controller.controllerPublishVolume': { volumeId: id, nodeId: fc.oneof(text, fc.constant('node-1')), volumeCapability: capability, readonly: bool },
  'controller.controllerUnpublishVolume': { volumeId: id, nodeId: fc.oneof(text, fc.constant('node-1')) },
  'controller.deleteVolume': { volumeId: text },
  'controller.deleteSnapshot': { snapshotId: text },
  'groupController.createVolumeGroupSnapshot': { name: text, sourceVolumeIds: fc.array(id, { maxLength: 3 }), parameters: map },
  'groupController.getVolumeGroupSnapshot': { groupSnapshotId: id, snapshotIds: fc.array(id, { maxLength: 3 }) },
  'groupController.deleteVolumeGroupSnapshot': { groupSnapshotId: text, snapshotIds: fc.array(id, { maxLength: 3 }) },
  'node.nodeStageVolume': { volumeId: text, stagingTargetPath: path, volumeCapability: capability },
  'node.nodeUnstageVolume': { volumeId: id, stagingTargetPath: path },
  'node.nodePublishVolume': { volumeId: text, stagingTargetPath: path, targetPath: path, volumeCapability: capability, readonly: bool, volumeContext: map },
  'node.nodeUnpublishVolume': { volumeId: id, targetPath: path },
  'node.nodeGetVolumeStats': { volumeId: id, volumePath: path },
  'node.nodeExpandVolume': { volumeId: id, volumePath: path, capacityRange: range },
  'snapshotMetadata.getMetadataAllocated': { snapshotId: id, startingOffset: int64, maxResults: int32 },
  'snapshotMetadata.getMetadataDelta': { baseSnapshotId: id, targetSnapshotId: id, startingOffset: int64, maxResults: int32 },
};

/** Puts real ids and paths where the generated request only points at them. */
function resolve(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolve);
  if (typeof value !== 'object' || value === null) return value;
  if ('known' in value) return known[value.known as number];
  if ('below' in value) return join(driver.dir, value.below as string);
  if ('value' in value && Object.keys(value).length === 1) return value.value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner)]));
}

async function answerOf(call: string, request: object): Promise<string> {
  const [service, method] = call.split('.') as [string, string];
  const client = (driver.csi as unknown as Record<string, Record<string, (request: object, options: object) => unknown>>)[service];
  try {
    const answer = client?.[method]?.(request, CALL);
    if (service === 'snapshotMetadata') for await (const _ of answer as AsyncIterable<object>);
    else await answer;
    return 'OK';
  } catch (error) {
    const { code, message } = CsiError.from(error);
    return CODES.has(code) ? code : `${code}: ${message}`;
  }
}

describe(`odd requests (${CASES} cases each of ${Object.keys(CALLS).length} calls, seed ${SEED})`, () => {
  test.each(Object.keys(CALLS))('%s answers with a code of CSI', { timeout: 120_000 }, async (call) => {
    await fc.assert(
      fc.asyncProperty(fc.record(CALLS[call] ?? {}), async (request) => {
        const answer = await answerOf(call, resolve(request) as object);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
        expect(['OK', ...CODES]).toContain(answer);
      }),
      { seed: SEED, numRuns: CASES },
    );
    expect(sh(`cat ${driver.stateDir}/volumes/${known[0]}/file`)).toBe('untouched\n');
    expect((await driver.csi.identity.probe({}, CALL)).ready).toBe(true);
  });
});
