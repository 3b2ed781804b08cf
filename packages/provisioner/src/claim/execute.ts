// Carries a decision about a claim out. What the driver is asked is on record (the claim's finalizer) before, and
// what it answers is saved (the PersistentVolume) before the record goes.
import {
  Annotation,
  Finalizer,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  volumeSnapshots,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '@snapshot-stack/api-types';
import { CsiError, type Volume } from '@snapshot-stack/csi';
import { done, guarded, isAlreadyExists, type Result } from '@snapshot-stack/runtime';
import { addFinalizer, removeFinalizer } from '../finalizers.ts';
import type { Hands } from '../hands.ts';
import type { EndAttempt } from '../metrics.ts';
import type { VolumeAttributesClass } from '../kinds.ts';
import { ParameterError, resolveParameters } from '../parameters.ts';
import { readSecret } from '../secrets.ts';
import { CLAIM_FINALIZER, volumeNameFor } from './decide.ts';
import type { ClaimPlan, Origin } from './plan.ts';
import { createRequest, requestedBytes, volumeObject, type RequestParts } from './request.ts';
import { own } from './own.ts';
import { topologyFor } from './topology.ts';

/** The next pass goes on at once, from what this one has written. */
const again: Result = { kind: 'after', ms: 0, why: 'the next step follows' };
const INFEASIBLE_RETRY_MS = 300_000;

export async function executeClaim(plan: ClaimPlan, hands: Hands, claim: PersistentVolumeClaim | undefined, signal: AbortSignal): Promise<Result> {
  const { client, cluster, events } = hands;
  switch (plan.kind) {
    case 'settled':
      return done;
    case 'waiting':
    case 'blocked':
      if (claim !== undefined)
        events.record(
          persistentVolumeClaims,
          claim,
          plan.kind === 'waiting' ? 'Normal' : 'Warning',
          plan.kind === 'waiting' ? 'Provisioning' : 'ProvisioningFailed',
          plan.why,
        );
      return done;
    case 'own':
      return own(plan, hands, signal);
    case 'mark':
      cluster.claims.cache.remember(await addFinalizer(client, persistentVolumeClaims, plan.claim, CLAIM_FINALIZER, signal));
      return again;
    case 'hold':
      await hold(plan.origin, hands, signal);
      return again;
    case 'provision':
      return provision(plan, hands, signal);
    case 'unmark':
      cluster.claims.cache.remember(await removeFinalizer(client, persistentVolumeClaims, plan.claim, CLAIM_FINALIZER, signal));
      return done;
    case 'abandon':
      return abandon(plan, hands, signal);
  }
}

async function hold(origin: Origin, { client, cluster }: Hands, signal: AbortSignal): Promise<void> {
  if (origin.kind === 'snapshot')
    cluster.snapshots?.cache.remember(await addFinalizer(client, volumeSnapshots, origin.snapshot, Finalizer.snapshotBeingRestored, signal));
  else cluster.claims.cache.remember(await addFinalizer(client, persistentVolumeClaims, origin.source, Finalizer.claimBeingCloned, signal));
}

interface Job {
  claim: PersistentVolumeClaim;
  storageClass: StorageClass;
  origin: Origin | undefined;
  attributesClass: VolumeAttributesClass | undefined;
}

/** The selected node has no place for the volume yet; the text says why. */
class NoPlaceYet extends Error {
  override readonly name = 'NoPlaceYet';
}

/** The selected node has gone from the cluster. */
class NodeGone extends Error {
  override readonly name = 'NodeGone';
}

/**
 * Everything that CreateVolume needs. On `any node` the node that was selected need not be there any more.
 * @throws NoPlaceYet, ParameterError, KubeError (a Secret)
 */
async function prepare(
  { claim, storageClass, origin, attributesClass }: Job,
  hands: Hands,
  signal: AbortSignal,
  place: 'selected node' | 'any node' = 'selected node',
): Promise<RequestParts> {
  const { client, cluster, driver, options } = hands;
  const { parsed } = options;
  const name = volumeNameFor(claim, parsed['volume-name-prefix'], parsed['volume-name-uuid-length']);
  const parameters = resolveParameters(storageClass.parameters ?? {}, claim, name);
  let topology: RequestParts['topology'];
  if (cluster.nodes !== undefined && cluster.csiNodes !== undefined) {
    const result = topologyFor({
      driver: driver.name,
      claim,
      storageClass,
      nodes: cluster.nodes.cache.list(),
      csiNodes: cluster.csiNodes.cache.list(),
      strict: parsed['strict-topology'],
      immediate: parsed['immediate-topology'],
    });
    if (result.kind === 'waiting' && place === 'selected node') throw new NoPlaceYet(result.why);
    if (result.kind === 'gone' && place === 'selected node') await confirmGone(result.node, hands, signal);
    topology = result.kind === 'ok' ? result.requirement : undefined;
  }
  return {
    claim,
    storageClass,
    name,
    parameters,
    secrets: await readSecret(client, parameters.secrets.provisioner, signal),
    origin,
    attributesClass,
    topology,
    defaultFsType: parsed['default-fstype'],
    extraCreateMetadata: parsed['extra-create-metadata'],
    singleNodeMultiWriter: driver.abilities.singleNodeMultiWriter,
  };
}

/** A node that is missing from a cache may have come a moment ago. @throws NodeGone, or NoPlaceYet when it is there after all */
async function confirmGone(node: string, { client }: Hands, signal: AbortSignal): Promise<never> {
  const found = await client.find(nodes, { name: node }, { signal });
  if (found !== undefined) throw new NoPlaceYet(`waiting for the news of node ${node}, which was just added`);
  throw new NodeGone(`node ${node}, which the scheduler selected, is not there any more; it is asked to select another`);
}

/** Has the scheduler, or in node-local mode another node, choose anew. @param unmark it is sure that the driver has no volume for the claim */
async function reschedule(claim: PersistentVolumeClaim, { client, cluster }: Hands, signal: AbortSignal, { unmark = false } = {}): Promise<void> {
  const finalizers = claim.metadata.finalizers?.filter((one) => one !== CLAIM_FINALIZER);
  const patch = guarded(claim, { metadata: { annotations: { [Annotation.selectedNode]: null }, ...(unmark ? { finalizers } : {}) } });
  const { name = '', namespace } = claim.metadata;
  cluster.claims.cache.remember(await client.patch(persistentVolumeClaims, { name, namespace }, patch, { signal }));
}

async function provision(job: Job, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { claim } = job;
  const { events, driver } = hands;
  const end = hands.metrics.provisioning(claim);
  const fail = (why: string): void => {
    events.record(persistentVolumeClaims, claim, 'Warning', 'ProvisioningFailed', why);
    end('failed');
  };
  let parts: RequestParts;
  try {
    parts = await prepare(job, hands, signal);
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof NoPlaceYet) {
      events.record(persistentVolumeClaims, claim, 'Normal', 'Provisioning', message);
      return { kind: 'retry', why: message };
    }
    fail(message);
    if (error instanceof NodeGone) {
      await reschedule(claim, hands, signal);
      return done;
    }
    // A class's parameters cannot change: whoever mends them makes a new class, or a new claim.
    return error instanceof ParameterError ? done : { kind: 'retry', why: message, error };
  }
  events.record(
    persistentVolumeClaims,
    claim,
    'Normal',
    'Provisioning',
    `External provisioner is provisioning volume for claim "${claim.metadata.namespace ?? ''}/${claim.metadata.name ?? ''}"`,
  );
  try {
    const { volume } = await driver.csi.controller.createVolume(createRequest(parts), { timeoutMs: driver.timeoutMs, signal });
    return await save(parts, volume, end, hands, signal);
  } catch (error) {
    if (!(error instanceof CsiError)) throw error;
    fail(`failed to provision volume with StorageClass "${job.storageClass.metadata.name ?? ''}": ${error.code}: ${error.message}`);
    return afterFailure(error, claim, hands, signal);
  }
}

async function afterFailure(error: CsiError, claim: PersistentVolumeClaim, hands: Hands, signal: AbortSignal): Promise<Result> {
  const selected = claim.metadata.annotations?.[Annotation.selectedNode] !== undefined;
  if (error.code === 'RESOURCE_EXHAUSTED' && selected) {
    // No room on this node: the scheduler shall choose another.
    await reschedule(claim, hands, signal, { unmark: true });
    return done;
  }
  if (error.code === 'INVALID_ARGUMENT') return { kind: 'after', ms: INFEASIBLE_RETRY_MS, why: `the driver refuses the request: ${error.message}` };
  return { kind: 'retry', why: error.message, error };
}

/** A volume that is not what was asked for is removed again; a good one is saved. */
async function save(parts: RequestParts, volume: Volume | undefined, end: EndAttempt, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { client, cluster, driver, events, options } = hands;
  const { claim, name } = parts;
  if (volume === undefined || volume.volumeId === '') throw new CsiError('UNAVAILABLE', 'the driver answered CreateVolume without a volume');
  const needed = requestedBytes(claim);
  const problem =
    volume.capacityBytes > 0n && volume.capacityBytes < needed
      ? `the driver made a volume of ${volume.capacityBytes} bytes where ${needed} were asked for`
      : parts.origin !== undefined && volume.contentSource === undefined
        ? 'the driver made an empty volume where one with data was asked for'
        : undefined;
  if (problem !== undefined) {
    await driver.csi.controller.deleteVolume({ volumeId: volume.volumeId, secrets: parts.secrets }, { timeoutMs: driver.timeoutMs, signal });
    throw new CsiError('INTERNAL', `${problem}; the volume was removed again`);
  }
  const object = volumeObject({
    ...parts,
    driver: driver.name,
    identity: hands.identity,
    volume,
    readOnlyForReaders: options.parsed['controller-publish-readonly'],
  });
  try {
    cluster.volumes.cache.remember(await client.create(persistentVolumes, object, { signal }));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // Saved by an earlier life of ours, unless a cut uid has given two claims one name.
    const other = await client.find(persistentVolumes, { name }, { signal });
    if (other?.spec.claimRef?.uid !== claim.metadata.uid)
      throw new Error(`PersistentVolume ${name} is there already, for another claim; --volume-name-uuid-length cuts the uids too short`, { cause: error });
  }
  events.record(persistentVolumeClaims, claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
  end('succeeded');
  const current = cluster.claims.cache.get(`${claim.metadata.namespace ?? ''}/${claim.metadata.name ?? ''}`) ?? claim;
  cluster.claims.cache.remember(await removeFinalizer(client, persistentVolumeClaims, current, CLAIM_FINALIZER, signal));
  return done;
}

interface Abandoned {
  claim: PersistentVolumeClaim;
  storageClass: StorageClass | undefined;
  origin: Origin | undefined;
  attributesClass: VolumeAttributesClass | undefined;
  saved: PersistentVolume | undefined;
}

/**
 * The claim goes, or has got another volume, and the driver may have a volume for it that nobody knows the id of. CreateVolume is asked once
 * more: by the same name it answers with that volume, which is then deleted. A final refusal means there is none.
 */
async function abandon({ claim, storageClass, origin, attributesClass, saved }: Abandoned, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { client, cluster, driver, events, log } = hands;
  const release = async (): Promise<Result> => {
    cluster.claims.cache.remember(await removeFinalizer(client, persistentVolumeClaims, claim, CLAIM_FINALIZER, signal));
    return done;
  };
  const report = (why: string): Result => {
    events.record(persistentVolumeClaims, claim, 'Warning', 'ProvisioningFailed', why);
    return { kind: 'retry', why };
  };
  // A saved volume has its own life: it is Released, and then its reclaim policy decides.
  if (saved !== undefined) return release();
  if (storageClass === undefined) {
    const why = `the claim no longer wants a volume, and one may exist for it at ${driver.name}; its StorageClass ${claim.spec.storageClassName ?? ''} is needed to find out, make it again (or remove the finalizer ${CLAIM_FINALIZER} and look at the driver by hand)`;
    return report(why);
  }
  let parts: RequestParts;
  let volume: Volume | undefined;
  try {
    parts = await prepare({ claim, storageClass, origin, attributesClass }, hands, signal, 'any node');
    volume = (await driver.csi.controller.createVolume(createRequest(parts), { timeoutMs: driver.timeoutMs, signal })).volume;
  } catch (error) {
    if (error instanceof ParameterError) return release(); // with these parameters nothing can ever have been asked
    if (!(error instanceof CsiError)) throw error;
    if (error.code === 'ALREADY_EXISTS')
      return report(
        `the claim no longer wants a volume, and ${driver.name} has one of its name that it does not give out for today's request (${error.message}); remove that volume at the driver, then the finalizer ${CLAIM_FINALIZER}`,
      );
    // No room for a new volume means that there is none of this name: an existing one needs no room.
    if (error.final || error.code === 'RESOURCE_EXHAUSTED') return release();
    throw error;
  }
  if (volume !== undefined) {
    try {
      await driver.csi.controller.deleteVolume({ volumeId: volume.volumeId, secrets: parts.secrets }, { timeoutMs: driver.timeoutMs, signal });
    } catch (error) {
      const { code, message } = CsiError.from(error);
      return report(`volume ${volume.volumeId} of this claim could not be deleted at ${driver.name}, and is tried again: ${code}: ${message}`);
    }
  }
  log.info('removed the volume of a claim that no longer wants it', { claim: `${claim.metadata.namespace ?? ''}/${claim.metadata.name ?? ''}` });
  return release();
}
