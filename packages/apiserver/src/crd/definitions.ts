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
    const status = settledStatus(crd, others, this.#now().toISOString().replace(/\.\d+Z$/, 'Z'));
    const settled = { ...crd, status } as CustomResourceDefinition;
    if (isEstablished(settled)) this.#serve(key, settled);
    if (jsonEqual(status, crd.status)) return;
    const { entry, durable } = collection.put(key, (resourceVersion) => ({ ...settled, metadata: { ...crd.metadata, resourceVersion } }) as unknown as KubeObject);
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
    this.#unserve(key);
    const objects = this.#store.collection(`${crd.spec.group}/${crd.spec.names.plural}`);
    if (crd.status?.acceptedNames.plural === crd.spec.names.plural) {
      for (const entry of objects.list('')) await objects.delete(entry.key)?.durable;
    }
    const collection = this.#store.collection(DEFINITIONS);
    const finalizers = (crd.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    if (finalizers.length === 0) await collection.delete(key)?.durable;
    else if (finalizers.length !== crd.metadata.finalizers?.length) {
      await collection.put(key, (resourceVersion) => ({ ...crd, metadata: { ...crd.metadata, finalizers, resourceVersion } }) as unknown as KubeObject).durable;
    }
  }
}
