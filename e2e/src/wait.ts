// Waiting for what a story expects, with what was said meanwhile when it does not come.
import { events, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import { KubeError, type Client, type Ref } from '@snapshot-stack/runtime';

const POLL_MS = 40;
export const PATIENCE_MS = 60_000;

async function lastWords(client: Client, ref: Ref): Promise<string> {
  const { items } = await client.list(events, { namespace: ref.namespace ?? 'default', fieldSelector: `involvedObject.name=${ref.name}` });
  return items
    .map((event) => `${event.reason ?? ''}: ${event.message ?? ''}`)
    .slice(-3)
    .join(' | ');
}

/** As find; an API server that is being started again is asked again. */
async function findPatiently<T extends KubeObject>(client: Client, resource: Resource<T>, ref: Ref, deadline: number): Promise<T | undefined> {
  for (;;) {
    try {
      return await client.find(resource, ref);
    } catch (error) {
      if (Date.now() > deadline || KubeError.from(error).code !== 'Connection') throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** @throws Error naming the object, the wish and the last events about it */
export async function until<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  ref: Ref,
  wish: string,
  done: (object: T | undefined) => boolean,
): Promise<T | undefined> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const object = await findPatiently(client, resource, ref, deadline);
    if (done(object)) return object;
    if (Date.now() > deadline)
      throw new Error(`${resource.kind} ${ref.name} is not ${wish} after ${PATIENCE_MS / 1_000} s; last heard: ${(await lastWords(client, ref)) || 'nothing'}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Waits for an event about the object whose message fits; resolves with the message. */
export async function eventAbout(client: Client, ref: Ref, fits: RegExp): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await client.list(events, { namespace: ref.namespace ?? 'default', fieldSelector: `involvedObject.name=${ref.name}` });
    const found = items.find((event) => fits.test(event.message ?? ''));
    if (found !== undefined) return found.message ?? '';
    if (Date.now() > deadline)
      throw new Error(`no event about ${ref.name} says ${String(fits)}; there are: ${items.map((event) => event.message).join(' | ') || 'none'}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
