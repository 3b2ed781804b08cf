// Who owns whom, over all resources of the cluster: one informer per resource, which keeps nothing but metadata.
import { isBeingDeleted, type KubeObject, type OwnerReference, type Resource } from '@snapshot-stack/api-types';
import { Informer, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';
import { isCollectable, type ServedResource } from './discovery.ts';

const UID = 'uid';
const OWNER = 'owner';

export interface Found {
  readonly resource: ServedResource;
  readonly object: KubeObject;
}

export interface GraphOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called with the uid of every object that may have to be looked at. */
  touch(uid: string): void;
}

interface Watched {
  readonly resource: ServedResource;
  readonly informer: Informer<KubeObject>;
  readonly stop: AbortController;
}

export class ObjectGraph {
  readonly #options: GraphOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: GraphOptions) {
    this.#options = options;
  }

  /** Starts watching resources that are new and stops watching those no longer served; resolves when all are synced. */
  async follow(resources: readonly ServedResource[], signal: AbortSignal): Promise<void> {
    const wanted = new Map(resources.filter(isCollectable).map((resource) => [`${resource.group}/${resource.plural}`, resource]));
    for (const [key, { stop }] of this.#watched) {
      if (wanted.has(key)) continue;
      stop.abort(new Error(`${key} is not served any more`));
      this.#watched.delete(key);
    }
    for (const [key, resource] of wanted) {
      if (!this.#watched.has(key)) this.#watched.set(key, this.#watch(resource, signal));
    }
    await Promise.all([...this.#watched.values()].map(({ informer }) => informer.synced(signal)));
  }

  find(uid: string): Found | undefined {
    for (const { resource, informer } of this.#watched.values()) {
      const [object] = informer.cache.byIndex(UID, uid);
      if (object !== undefined) return { resource, object };
    }
    return undefined;
  }

  dependentsOf(uid: string): Found[] {
    return [...this.#watched.values()].flatMap(({ resource, informer }) => informer.cache.byIndex(OWNER, uid).map((object) => ({ resource, object })));
  }

  /** The resource that an owner reference speaks of, in whichever version. */
  resourceOf({ apiVersion, kind }: OwnerReference): Resource | undefined {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    return [...this.#watched.values()].find(({ resource }) => resource.group === group && resource.kind === kind)?.resource;
  }

  #watch(resource: ServedResource, signal: AbortSignal): Watched {
    const { client, clock, random, log, touch } = this.#options;
    const indexers = { [UID]: ({ metadata }: KubeObject) => [metadata.uid ?? ''], [OWNER]: ownersOf };
    const informer = new Informer<KubeObject>({ client, resource, indexers, transform: metadataOnly, clock, random, log });
    const touchAll = (uids: readonly string[]) => uids.forEach(touch);
    const dependentsOf = ({ metadata }: KubeObject) => this.dependentsOf(metadata.uid ?? '').map(({ object }) => object.metadata.uid ?? '');
    informer.on({
      added: (object) => touchAll([object.metadata.uid ?? '', ...ownersOf(object), ...(isBeingDeleted(object) ? dependentsOf(object) : [])]),
      // Owners that were dropped may have waited for just that; dependents may have to go before a deleted owner.
      updated: (object, old) => {
        touchAll([object.metadata.uid ?? '', ...ownersOf(object), ...ownersOf(old)]);
        if (isBeingDeleted(object)) touchAll(dependentsOf(object));
      },
      deleted: (object) => touchAll([...ownersOf(object), ...dependentsOf(object)]),
    });
    const stop = new AbortController();
    void informer.run(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
      if (!signal.aborted && !stop.signal.aborted) log.error('stopped watching', { resource: resource.plural, error });
    });
    return { resource, informer, stop };
  }
}

function ownersOf({ metadata }: KubeObject): string[] {
  return (metadata.ownerReferences ?? []).map(({ uid }) => uid);
}

function metadataOnly({ metadata }: KubeObject): KubeObject {
  const kept = { ...metadata };
  delete kept.managedFields;
  delete kept.annotations;
  return { metadata: kept };
}
