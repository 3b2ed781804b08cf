// The controllers of CustomResourceDefinitions: they accept names, serve what is established, and see to it that the
// objects of a deleted definition go before it.
import type { KubeObject } from '@snapshot-stack/api-types';
import { jsonEqual } from '@snapshot-stack/api-types';
import type { Catalogue } from '../registry/catalogue.ts';
import { customDefinitions, type CustomResourceDefinition } from '../registry/custom.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { Store } from '../store/store.ts';
import { CLEANUP_FINALIZER, settledStatus } from './lifecycle.ts';
import { isEstablished } from './types.ts';

/** Where the definitions themselves are stored. */
export const DEFINITIONS = 'apiextensions.k8s.io/customresourcedefinitions';

export class Definitions {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #now: () => Date;
  /** What is served for each definition, with the resourceVersion that it was made from. */
  readonly #served = new Map<string, { version: string; definitions: ResourceDefinition[] }>();
  /** Definitions whose deletion waits for objects with finalizers. */
  readonly #awaited = new Set<string>();
  #queue: Promise<void> = Promise.resolve();

  constructor(store: Store, catalogue: Catalogue, now: () => Date) {
    this.#store = store;
    this.#catalogue = catalogue;
    this.#now = now;
  }

  /** Brings what is served in line with the stored definitions; one pass at a time. */
  refresh(): Promise<void> {
    const pass = this.#queue.then(() => this.#pass());
    this.#queue = pass.catch(() => {});
    return pass;
  }

  async #pass(): Promise<void> {
    const collection = this.#store.collection(DEFINITIONS);
    for (const { key, object } of collection.list('')) {
      if (object.metadata.deletionTimestamp !== undefined) await this.#remove(key, object as CustomResourceDefinition);
    }
    const stored = collection.list('');
    const names = new Set(stored.map((entry) => entry.key));
    for (const name of this.#served.keys()) if (!names.has(name)) this.#unserve(name);
    for (const { key } of stored) await this.#settle(key);
  }

  async #settle(key: string): Promise<void> {
    const collection = this.#store.collection(DEFINITIONS);
    const others = collection.list('').map((entry) => entry.object as CustomResourceDefinition);
    const crd = collection.get(key)?.object as CustomResourceDefinition | undefined;
    if (crd === undefined || crd.metadata.deletionTimestamp !== undefined) return;
    const status = settledStatus(crd, others, this.#timestamp());
    const settled = { ...crd, status } as CustomResourceDefinition;
    if (isEstablished(settled)) this.#serve(key, settled);
    if (jsonEqual(status, crd.status)) return;
    const { entry, durable } = collection.put(
      key,
      (resourceVersion) => ({ ...settled, metadata: { ...crd.metadata, resourceVersion } }) as unknown as KubeObject,
    );
    await durable;
    const served = this.#served.get(key);
    if (served !== undefined) served.version = entry.object.metadata.resourceVersion ?? '';
  }

  // Schemas are compiled by identity: what is served stays the same object until its definition changes.
  #serve(key: string, crd: CustomResourceDefinition): void {
    const version = crd.metadata.resourceVersion ?? '';
    if (this.#served.get(key)?.version === version) return;
    this.#unserve(key);
    const definitions = customDefinitions(crd);
    for (const definition of definitions) this.#catalogue.add(definition);
    this.#served.set(key, { version, definitions });
  }

  #unserve(key: string): void {
    for (const { group, version, plural } of this.#served.get(key)?.definitions ?? []) this.#catalogue.remove(group, version, plural);
    this.#served.delete(key);
  }

  async #remove(key: string, crd: CustomResourceDefinition): Promise<void> {
    const collection = this.#store.collection(DEFINITIONS);
    if (crd.status?.acceptedNames.plural === crd.spec.names.plural && (await this.#removeObjects(crd)) > 0) {
      const terminating = await this.#markTerminating(key, crd);
      this.#serve(key, terminating);
      this.#awaitObjects(key, terminating);
      return;
    }
    this.#unserve(key);
    const finalizers = (crd.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    if (finalizers.length === 0) await collection.delete(key)?.durable;
    else if (finalizers.length !== crd.metadata.finalizers?.length) {
      await collection.put(key, (resourceVersion) => ({ ...crd, metadata: { ...crd.metadata, finalizers, resourceVersion } }) as unknown as KubeObject).durable;
    }
  }

  /** Deletes the objects of a definition; those with finalizers are marked. @returns how many are still there */
  async #removeObjects(crd: CustomResourceDefinition): Promise<number> {
    const objects = this.#store.collection(`${crd.spec.group}/${crd.spec.names.plural}`);
    let held = 0;
    for (const { key, object } of objects.list('')) {
      const { finalizers = [], deletionTimestamp, generation = 1 } = object.metadata;
      if (finalizers.length === 0) {
        await objects.delete(key)?.durable;
        continue;
      }
      held++;
      if (deletionTimestamp !== undefined) continue;
      const marks = { deletionTimestamp: this.#timestamp(), deletionGracePeriodSeconds: 0, generation: generation + 1 };
      await objects.put(key, (resourceVersion) => ({ ...object, metadata: { ...object.metadata, ...marks, resourceVersion } })).durable;
    }
    return held;
  }

  async #markTerminating(key: string, crd: CustomResourceDefinition): Promise<CustomResourceDefinition> {
    const conditions = crd.status?.conditions ?? [];
    if (crd.status === undefined || conditions.some((condition) => condition.type === 'Terminating')) return crd;
    const condition = {
      type: 'Terminating',
      status: 'True',
      lastTransitionTime: this.#timestamp(),
      reason: 'InstanceDeletionInProgress',
      message: 'CustomResource deletion is in progress',
    };
    const status = { ...crd.status, conditions: [...conditions, condition] };
    const { entry, durable } = this.#store
      .collection(DEFINITIONS)
      .put(key, (resourceVersion) => ({ ...crd, status, metadata: { ...crd.metadata, resourceVersion } }) as unknown as KubeObject);
    await durable;
    return entry.object as CustomResourceDefinition;
  }

  /** Goes on with the deletion once an object that was held is gone. */
  #awaitObjects(key: string, crd: CustomResourceDefinition): void {
    if (this.#awaited.has(key)) return;
    this.#awaited.add(key);
    const stop = this.#store.collection(`${crd.spec.group}/${crd.spec.names.plural}`).listen((change) => {
      if (change.kind !== 'delete') return;
      stop();
      this.#awaited.delete(key);
      void this.refresh();
    });
  }

  #timestamp(): string {
    return this.#now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
  }
}
