// Puts a hook before and after each call of a client: tests die after the nth write, lose answers, or inject
// conflicts with it, and the real client stays the real client.
import type { KubeObject, Resource } from '@snapshot-stack/api-types';
import type { Client, Ref } from './client.ts';

export interface Call {
  verb: 'get' | 'list' | 'watch' | 'create' | 'replace' | 'patch' | 'delete' | 'raw';
  resource: string;
  ref: Ref | undefined;
  subresource: string | undefined;
  body: unknown;
}

export interface ClientHooks {
  /** May throw instead of the call, or delay it. */
  before?(call: Call): Promise<void> | void;
  /** After the call has taken effect; may throw as if the answer had been lost. */
  after?(call: Call, outcome: { value: unknown } | { error: unknown }): Promise<void> | void;
}

export function isWrite(call: Call): boolean {
  return call.verb === 'create' || call.verb === 'replace' || call.verb === 'patch' || call.verb === 'delete';
}

/** The events, once `before` has let them. */
async function* after<E>(before: () => Promise<void> | void, events: () => AsyncIterable<E>): AsyncIterable<E> {
  await before();
  yield* events();
}

/** The same client with hooks around each call; a watch has only the one before it. */
export function wrapClient(client: Client, hooks: ClientHooks): Client {
  const around = async <V>(call: Call, run: () => Promise<V>): Promise<V> => {
    await hooks.before?.(call);
    let value: V;
    try {
      value = await run();
    } catch (error) {
      await hooks.after?.(call, { error });
      throw error;
    }
    await hooks.after?.(call, { value });
    return value;
  };
  const call = (verb: Call['verb'], resource: Resource, ref?: Ref, body?: unknown, subresource?: string): Call => ({
    verb,
    resource: resource.plural,
    ref,
    subresource,
    body,
  });
  const refOf = (object: KubeObject): Ref => ({ name: object.metadata.name ?? '', namespace: object.metadata.namespace });
  return {
    get: (resource, ref, options) => around(call('get', resource, ref), () => client.get(resource, ref, options)),
    find: (resource, ref, options) => around(call('get', resource, ref), () => client.find(resource, ref, options)),
    list: (resource, options) => around(call('list', resource), () => client.list(resource, options)),
    watch: (resource, options) =>
      after(
        () => hooks.before?.(call('watch', resource)),
        () => client.watch(resource, options),
      ),
    create: (resource, object, options) => around(call('create', resource, refOf(object), object), () => client.create(resource, object, options)),
    replace: (resource, object, options) =>
      around(call('replace', resource, refOf(object), object, options?.subresource), () => client.replace(resource, object, options)),
    patch: (resource, ref, patch, options) =>
      around(call('patch', resource, ref, patch.body, options?.subresource), () => client.patch(resource, ref, patch, options)),
    delete: (resource, ref, options) => around(call('delete', resource, ref), () => client.delete(resource, ref, options)),
    raw: (method, path, request) =>
      around({ verb: 'raw', resource: path, ref: undefined, subresource: undefined, body: request?.body }, () => client.raw(method, path, request)),
    close: () => client.close(),
  };
}
