// Puts a finalizer on an object or takes it off, on the very version that was decided on: whoever was faster
// makes it a conflict, and the next pass looks again.
import { hasFinalizer, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import { guarded, type Client } from '@snapshot-stack/runtime';

async function setFinalizers<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  object: T,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<T> {
  const { name = '', namespace } = object.metadata;
  return client.patch(resource, { name, namespace }, guarded(object, { metadata: { finalizers: finalizers.length === 0 ? null : finalizers } }), { signal });
}

export async function addFinalizer<T extends KubeObject>(client: Client, resource: Resource<T>, object: T, finalizer: string, signal: AbortSignal): Promise<T> {
  return hasFinalizer(object, finalizer) ? object : setFinalizers(client, resource, object, [...(object.metadata.finalizers ?? []), finalizer], signal);
}

export async function removeFinalizer<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T> {
  const others = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  return hasFinalizer(object, finalizer) ? setFinalizers(client, resource, object, others, signal) : object;
}
