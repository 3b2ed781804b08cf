// Carries a decision about a volume out.
import { Finalizer, persistentVolumes, type PersistentVolume, type SecretReference } from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import { done, isNotFound, type Result } from '@snapshot-stack/runtime';
import { addFinalizer, removeFinalizer } from '../finalizers.ts';
import type { Hands } from '../hands.ts';
import { resolveParameters } from '../parameters.ts';
import { readSecret } from '../secrets.ts';
import type { VolumePlan } from './decide.ts';

const SECRET_NAME = 'volume.kubernetes.io/provisioner-deletion-secret-name';
const SECRET_NAMESPACE = 'volume.kubernetes.io/provisioner-deletion-secret-namespace';

export async function executeVolume(plan: VolumePlan, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { client, cluster } = hands;
  switch (plan.kind) {
    case 'settled':
      return done;
    case 'waiting':
      return { kind: 'retry', why: plan.why };
    case 'protect':
      cluster.volumes.cache.remember(await addFinalizer(client, persistentVolumes, plan.volume, Finalizer.provisionedVolume, signal));
      return done;
    case 'unprotect':
      cluster.volumes.cache.remember(await removeFinalizer(client, persistentVolumes, plan.volume, Finalizer.provisionedVolume, signal));
      return done;
    case 'delete':
      return remove(plan.volume, hands, signal);
  }
}

/** The secret that was written down at creation; for older volumes, the one that the class names. */
function secretOf(volume: PersistentVolume, { cluster }: Hands): SecretReference | undefined {
  const { [SECRET_NAME]: name, [SECRET_NAMESPACE]: namespace } = volume.metadata.annotations ?? {};
  if (name !== undefined && namespace !== undefined) return name === '' ? undefined : { name, namespace };
  const storageClass = cluster.classes.cache.get(volume.spec.storageClassName ?? '');
  const { claimRef } = volume.spec;
  if (storageClass === undefined || claimRef === undefined) return undefined;
  const claim = { metadata: { name: claimRef.name ?? '', namespace: claimRef.namespace ?? '' }, spec: {} };
  return resolveParameters(storageClass.parameters ?? {}, claim, volume.metadata.name ?? '').secrets.provisioner;
}

async function remove(volume: PersistentVolume, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { client, cluster, driver, events } = hands;
  const { name = '', uid } = volume.metadata;
  const end = hands.metrics.deleting(volume);
  try {
    const secrets = await readSecret(client, secretOf(volume, hands), signal);
    await driver.csi.controller.deleteVolume({ volumeId: volume.spec.csi?.volumeHandle ?? '', secrets }, { timeoutMs: driver.timeoutMs, signal });
  } catch (error) {
    const message = error instanceof CsiError ? `${error.code}: ${error.message}` : (error as Error).message;
    events.record(persistentVolumes, volume, 'Warning', 'VolumeFailedDelete', message);
    end('failed');
    return { kind: 'retry', why: message, error };
  }
  try {
    await client.delete(persistentVolumes, { name }, { uid, signal });
    const current = await client.find(persistentVolumes, { name }, { signal });
    if (current !== undefined && current.metadata.uid === uid)
      cluster.volumes.cache.remember(await removeFinalizer(client, persistentVolumes, current, Finalizer.provisionedVolume, signal));
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  end('succeeded');
  return done;
}
