// What the driver is given besides the volume: the class's parameters, the snapshot's name, and secrets.
import {
  Annotation,
  Parameter,
  RESERVED_PARAMETER_PREFIX,
  annotationOf,
  secrets,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { isNotFound, type Client } from '@snapshot-stack/runtime';

/** Something in the class or its secrets that only a person can put right. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

const CONSUMED: ReadonlySet<string> = new Set([
  Parameter.snapshotterSecretName,
  Parameter.snapshotterSecretNamespace,
  Parameter.snapshotterListSecretName,
  Parameter.snapshotterListSecretNamespace,
  Parameter.groupSnapshotterSecretName,
  Parameter.groupSnapshotterSecretNamespace,
  Parameter.groupSnapshotterGetSecretName,
  Parameter.groupSnapshotterGetSecretNamespace,
]);

/**
 * The class's parameters for the driver, with names of the Kubernetes objects where these are asked for.
 * @throws RequestError for a reserved parameter that nobody knows
 */
export function driverParameters(
  snapshotClass: VolumeSnapshotClass | undefined,
  content: VolumeSnapshotContent,
  extraMetadata: boolean,
): Record<string, string> {
  const given = Object.entries(snapshotClass?.parameters ?? {}).filter(([key]) => !CONSUMED.has(key));
  const unknown = given.map(([key]) => key).filter((key) => key.startsWith(RESERVED_PARAMETER_PREFIX));
  if (unknown.length > 0) {
    throw new RequestError(
      `VolumeSnapshotClass "${snapshotClass?.metadata.name}" has unknown parameters under the reserved prefix ${RESERVED_PARAMETER_PREFIX}: ${unknown.join(', ')}`,
    );
  }
  const { name = '', namespace = '' } = content.spec.volumeSnapshotRef;
  const extra = extraMetadata
    ? { [Parameter.extraSnapshotName]: name, [Parameter.extraSnapshotNamespace]: namespace, [Parameter.extraContentName]: content.metadata.name ?? '' }
    : {};
  return { ...Object.fromEntries(given), ...extra };
}

/** The name the driver knows the request by: derived, so that asking again means the same snapshot. */
export function snapshotNameFor(content: VolumeSnapshotContent, { prefix, uuidLength }: { prefix: string; uuidLength: number }): string {
  const { uid = '' } = content.spec.volumeSnapshotRef;
  return `${prefix}-${uuidLength === -1 ? uid : uid.replaceAll('-', '').slice(0, uuidLength)}`;
}

type SecretData = Readonly<Record<string, string>>;

interface SecretOptions {
  client: Client;
  signal: AbortSignal;
}

/**
 * The secret for creating and deleting, from the content's annotations. Read live at each use: secrets are not
 * ours to keep in memory.
 * @throws RequestError when it is named by half or (unless `mayBeGone`) not there
 */
export async function operationSecrets(content: VolumeSnapshotContent, mayBeGone: boolean, options: SecretOptions): Promise<SecretData> {
  const name = annotationOf(content, Annotation.deletionSecretName);
  const namespace = annotationOf(content, Annotation.deletionSecretNamespace);
  if (name === undefined && namespace === undefined) return {};
  if (!name || !namespace)
    throw new RequestError(`annotations ${Annotation.deletionSecretName} and ${Annotation.deletionSecretNamespace} must both be set and not empty`);
  return readSecret(name, namespace, mayBeGone, options);
}

const TOKEN = /\$\{([^}]*)\}/g;

/** The secret for listing, from the class; none when the class is gone. */
export async function listSecrets(snapshotClass: VolumeSnapshotClass | undefined, content: VolumeSnapshotContent, options: SecretOptions): Promise<SecretData> {
  const name = snapshotClass?.parameters?.[Parameter.snapshotterListSecretName];
  const namespace = snapshotClass?.parameters?.[Parameter.snapshotterListSecretNamespace];
  if (name === undefined && namespace === undefined) return {};
  if (!name || !namespace) {
    throw new RequestError(
      `VolumeSnapshotClass "${snapshotClass?.metadata.name}" must set both ${Parameter.snapshotterListSecretName} and ${Parameter.snapshotterListSecretNamespace}, or neither`,
    );
  }
  const expand = (template: string): string =>
    template.replaceAll(TOKEN, (_all, token: string) => {
      if (token !== 'volumesnapshotcontent.name')
        throw new RequestError(
          `invalid tokens: ["${token}"] in a list secret of VolumeSnapshotClass "${snapshotClass?.metadata.name}"; known is volumesnapshotcontent.name`,
        );
      return content.metadata.name ?? '';
    });
  return readSecret(expand(name), expand(namespace), false, options);
}

async function readSecret(name: string, namespace: string, mayBeGone: boolean, { client, signal }: SecretOptions): Promise<SecretData> {
  try {
    const secret = await client.get(secrets, { name, namespace }, { signal });
    return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (mayBeGone) return {};
    throw new RequestError(`secret ${namespace}/${name} does not exist; create it, and it is tried again by itself`, { cause: error });
  }
}
