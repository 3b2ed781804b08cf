// How a volume is to be used, in CSI's words: what kubelet and external-attacher make of a PersistentVolume.
import type { AccessMode, PersistentVolume, SecretReference } from '@snapshot-stack/api-types';
import { secrets } from '@snapshot-stack/api-types';
import { VolumeCapability_AccessMode_Mode as Mode, type VolumeCapability } from '@snapshot-stack/csi';
import type { Client } from '@snapshot-stack/runtime';

export function volumeCapability(volume: PersistentVolume, knowsSingleWriter: boolean): VolumeCapability {
  const accessMode = { mode: modeOf(volume.spec.accessModes?.[0] ?? 'ReadWriteOnce', knowsSingleWriter) };
  if (volume.spec.volumeMode === 'Block') return { accessMode, accessType: { $case: 'block', value: {} } };
  const value = { fsType: volume.spec.csi?.fsType ?? '', mountFlags: volume.spec.mountOptions ?? [], volumeMountGroup: '' };
  return { accessMode, accessType: { $case: 'mount', value } };
}

function modeOf(mode: AccessMode, knowsSingleWriter: boolean): Mode {
  switch (mode) {
    case 'ReadWriteOnce':
      return knowsSingleWriter ? Mode.SINGLE_NODE_MULTI_WRITER : Mode.SINGLE_NODE_WRITER;
    case 'ReadWriteOncePod':
      return knowsSingleWriter ? Mode.SINGLE_NODE_SINGLE_WRITER : Mode.SINGLE_NODE_WRITER;
    case 'ReadOnlyMany':
      return Mode.MULTI_NODE_READER_ONLY;
    case 'ReadWriteMany':
      return Mode.MULTI_NODE_MULTI_WRITER;
  }
}

/** Reads the secret that a volume names for an RPC; {} when it names none. @throws KubeError when it does not exist */
export async function readSecret(client: Client, ref: SecretReference | undefined, signal: AbortSignal): Promise<Record<string, string>> {
  if (ref?.name === undefined) return {};
  const secret = await client.get(secrets, { name: ref.name, ...(ref.namespace !== undefined && { namespace: ref.namespace }) }, { signal });
  return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
}
