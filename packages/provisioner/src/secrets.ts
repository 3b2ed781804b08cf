import { secrets, type SecretReference } from '@snapshot-stack/api-types';
import { KubeError, type Client } from '@snapshot-stack/runtime';

/**
 * A secret's values for a CSI call; empty where no secret is named.
 * Read from the API server each time: secrets change, and are not kept in memory longer than a call needs them.
 */
export async function readSecret(client: Client, reference: SecretReference | undefined, signal: AbortSignal): Promise<Record<string, string>> {
  if (reference?.name === undefined || reference.name === '') return {};
  const { name, namespace } = reference;
  try {
    const secret = await client.get(secrets, { name, namespace }, { signal });
    return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
  } catch (error) {
    throw new Error(`the secret ${namespace ?? ''}/${name} that the class names cannot be read: ${KubeError.from(error).message}`, { cause: error });
  }
}
