// Every change of an object: create, update and patch (of the object or of a subresource), delete. The rules
// that all kinds share are here; what a kind adds is in its strategy. A write is decided on one version and
// stored only if that is still the current one: admission may take its time in between.
import { randomUUID } from 'node:crypto';
import { hasFinalizer, type KubeObject, type Status } from '@snapshot-stack/api-types';
import { builtinKind } from '../builtin/schemas/catalogue.ts';
import { normalize } from '../builtin/schemas/normalize.ts';
import { admitToSchema, instanceErrors } from '../crd/instance.ts';
import { scaleErrors } from '../crd/scale.ts';
import type { Presenter } from '../crd/presenter.ts';
import type { JsonObject } from '../schema/schema.ts';
import { unknownFields } from '../schema/strict.ts';
import { MODIFIED, StatusError, alreadyExists, badRequest, conflict, invalid, notFound, type Subject } from '../status.ts';
import type { Entry, Store } from '../store/store.ts';
import { deepEqual } from './deep-equal.ts';
import { dedupeOwners, generateName, metadataErrors, metadataUpdateErrors } from './metadata.ts';
import { groupVersionOf, storageKeyOf, type ResourceDefinition } from './resource.ts';

const GENERATE_TRIES = 8;
const CONFLICT_TRIES = 5;

export interface User {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** One write as admission sees it. */
export interface Attributes {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  definition: ResourceDefinition;
  namespace: string | undefined;
  name: string;
  subresource: string | undefined;
  user: User;
  dryRun: boolean;
  /** Options of the request, as an admission review shows them. */
  options: JsonObject;
  /** Adds a Warning header to the answer. */
  warn(message: string): void;
}

export interface Admission {
  /** May change the object; throws StatusError to refuse. */
  mutate(attributes: Attributes, object: KubeObject | undefined, old: KubeObject | undefined): Promise<KubeObject | undefined>;
  validate(attributes: Attributes, object: KubeObject | undefined, old: KubeObject | undefined): Promise<void>;
}

/** Keeps metadata.managedFields; see managed-fields. */
export interface FieldTracker {
  /** Called before admission, so what webhooks change has no owner. */
  track(request: {
    definition: ResourceDefinition;
    live: KubeObject | undefined;
    next: KubeObject;
    manager: string;
    subresource: string | undefined;
  }): KubeObject;
  /** Takes the times of managedFields back where nothing else changed, so that the write is none. */
  settle(next: KubeObject, live: KubeObject): KubeObject;
}

export interface WriteContext {
  user: User;
  dryRun: boolean;
  /** Who owns the changed fields; undefined when the change itself says so (server-side apply). */
  fieldManager: string | undefined;
  options: JsonObject;
  warn(message: string): void;
}

export interface DeleteRequest {
  preconditions?: { uid?: string; resourceVersion?: string };
  propagationPolicy?: string;
  gracePeriodSeconds?: number;
  orphanDependents?: boolean;
}

export interface WriterOptions {
  store: Store;
  /** Shows stored objects in the version of a request. */
  presenter: Presenter;
  admission: Admission;
  fields: FieldTracker;
  now: () => Date;
  random: () => number;
}

export interface Written {
  object: KubeObject;
  created: boolean;
}

export function keyFor(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

const pluralOf = (definition: ResourceDefinition): Subject => ({ group: definition.group, kind: definition.plural });
const kindOf = (definition: ResourceDefinition): Subject => ({ group: definition.group, kind: definition.kind });

function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async create(definition: ResourceDefinition, namespace: string | undefined, body: KubeObject, context: WriteContext, nameInPath?: string): Promise<Written> {
    const { metadata } = body;
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '')
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
    if (nameInPath !== undefined && metadata.name !== undefined && metadata.name !== nameInPath) {
      throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${nameInPath})`);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#create(definition, namespace, structuredClone(body), context);
      } catch (error) {
        const generated = metadata.name === undefined && error instanceof StatusError && error.status.reason === 'AlreadyExists';
        if (!generated || attempt >= GENERATE_TRIES) throw error;
      }
    }
  }

  async #create(definition: ResourceDefinition, namespace: string | undefined, draft: KubeObject, context: WriteContext): Promise<Written> {
    const { metadata } = draft;
    if ((metadata.name ?? '') === '' && metadata.generateName !== undefined && metadata.generateName !== '')
      metadata.name = generateName(metadata.generateName, this.#options.random);
    this.#ownFields(definition, namespace, draft);
    this.#shape(definition, draft);
    dedupeOwners(draft, context.warn);
    definition.strategy.prepareCreate?.(draft, draft.metadata.creationTimestamp ?? '');
    const attributes = this.#attributes('CREATE', definition, namespace, metadata.name ?? '', undefined, context);
    const owned = this.#track(definition, undefined, draft, undefined, context);
    const tracked = (await this.#options.admission.mutate(attributes, owned, undefined)) as KubeObject;
    this.#shape(definition, tracked);
    this.#check(definition, tracked, undefined);
    await this.#options.admission.validate(attributes, tracked, undefined);
    const collection = this.#options.store.collection(storageKeyOf(definition));
    const name = tracked.metadata.name as string;
    const key = keyFor(namespace, name);
    const existing = collection.get(key);
    if (existing !== undefined)
      throw alreadyExists(pluralOf(definition), name, existing.object.metadata.deletionTimestamp === undefined ? '' : 'object is being deleted: ');
    if (context.dryRun) return { object: tracked, created: true };
    const { entry, durable } = collection.put(key, (resourceVersion) => withVersion(tracked, resourceVersion));
    await durable;
    return { object: entry.object, created: true };
  }

  /** What a client cannot choose for a new object. */
  #ownFields(definition: ResourceDefinition, namespace: string | undefined, draft: KubeObject): void {
    const { metadata } = draft;
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    delete (metadata as Record<string, unknown>)['selfLink'];
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp(this.#options.now());
    if (namespace !== undefined) metadata.namespace = namespace;
    if (definition.strategy.hasGeneration) metadata.generation = 1;
    if (definition.custom && definition.strategy.hasStatus) delete (draft as unknown as JsonObject)['status'];
  }

  /** Drops what the schema does not know and fills in its defaults. */
  #shape(definition: ResourceDefinition, object: KubeObject): void {
    const value = object as unknown as JsonObject;
    if (definition.custom) {
      if (definition.schema !== undefined) admitToSchema(value, definition.schema);
      return;
    }
    const type = builtinKind(groupVersionOf(definition), definition.kind);
    if (type === undefined) return;
    unknownFields(value, type.schema);
    normalize(value, type);
  }

  #check(definition: ResourceDefinition, object: KubeObject, old: KubeObject | undefined, subresource?: string): void {
    const errors = [...metadataErrors(object, definition.strategy.nameRule ?? 'subdomain'), ...(old === undefined ? [] : metadataUpdateErrors(object, old))];
    if (definition.schema !== undefined && definition.custom) {
      const [value, before] = [object, old] as unknown as [JsonObject, JsonObject | undefined];
      errors.push(...instanceErrors({ schema: definition.schema, object: value, old: before, subresource: subresource === 'status' ? 'status' : undefined }));
      if (definition.scale !== undefined) errors.push(...scaleErrors(value, definition.scale));
    }
    // A binding changes what nothing else may.
    if (subresource !== 'binding') errors.push(...(definition.strategy.validate?.(object, old) ?? []));
    if (errors.length > 0) throw invalid(kindOf(definition), object.metadata.name ?? '', errors);
  }

  /**
   * @param change makes the new object from a copy of the current one; asked again when somebody else was faster
   *   and the change carries no resourceVersion
   */
  async update(
    definition: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    subresource: string | undefined,
    change: (current: KubeObject) => KubeObject | Promise<KubeObject>,
    context: WriteContext,
  ): Promise<Written> {
    const collection = this.#options.store.collection(storageKeyOf(definition));
    const key = keyFor(namespace, name);
    for (let attempt = 1; ; attempt++) {
      const current = collection.get(key);
      if (current === undefined) throw notFound(pluralOf(definition), name);
      const live = await this.#options.presenter.present(definition, current.object);
      const proposed = await change(structuredClone(live));
      const asked = proposed.metadata.resourceVersion ?? '';
      if (!/^\d*$/.test(asked)) throw new StatusError(500, '', `strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`);
      const guarded = asked !== '' && asked !== '0' && asked !== current.object.metadata.resourceVersion;
      if (guarded) throw conflict(pluralOf(definition), name, MODIFIED);
      if (context.options['kind'] === 'UpdateOptions') checkUid(definition, key, proposed, current.object);
      const written = await this.#update(definition, namespace, subresource, current, proposed, context);
      if (written !== 'raced') return written;
      if (attempt >= CONFLICT_TRIES) throw conflict(pluralOf(definition), name, MODIFIED);
    }
  }

  async #update(
    definition: ResourceDefinition,
    namespace: string | undefined,
    subresource: string | undefined,
    current: Entry,
    proposed: KubeObject,
    context: WriteContext,
  ): Promise<Written | 'raced'> {
    const old = await this.#options.presenter.present(definition, current.object);
    const name = old.metadata.name as string;
    const next = this.#merge(definition, subresource, old, proposed);
    this.#shape(definition, next);
    if (subresource === undefined) {
      dedupeOwners(next, context.warn);
      definition.strategy.prepareUpdate?.(next, old);
    } else if (subresource === 'status') definition.strategy.prepareStatus?.(next, old, timestamp(this.#options.now()));
    const attributes = this.#attributes('UPDATE', definition, namespace, name, subresource, context);
    const owned = this.#track(definition, old, next, subresource, context);
    const admitted = (await this.#options.admission.mutate(attributes, owned, old)) as KubeObject;
    this.#shape(definition, admitted);
    if (definition.strategy.hasGeneration && subresource !== 'binding') countGeneration(definition, admitted, old);
    const tracked = this.#options.fields.settle(admitted, old);
    this.#check(definition, tracked, old, subresource);
    await this.#options.admission.validate(attributes, tracked, old);
    const collection = this.#options.store.collection(storageKeyOf(definition));
    if (collection.get(current.key) !== current) return 'raced';
    if (context.dryRun || deepEqual(withVersion(tracked, old.metadata.resourceVersion ?? ''), old)) {
      return { object: withVersion(tracked, old.metadata.resourceVersion ?? ''), created: false };
    }
    if (mayGo(definition, tracked)) {
      await collection.delete(current.key)?.durable;
      return { object: withVersion(tracked, old.metadata.resourceVersion ?? ''), created: false };
    }
    const { entry, durable } = collection.put(current.key, (resourceVersion) => withVersion(tracked, resourceVersion));
    await durable;
    return { object: entry.object, created: false };
  }

  #track(definition: ResourceDefinition, live: KubeObject | undefined, next: KubeObject, subresource: string | undefined, context: WriteContext): KubeObject {
    const { fieldManager: manager } = context;
    return manager === undefined ? next : this.#options.fields.track({ definition, live, next, manager, subresource });
  }

  /** What of the proposed object counts, given the path it came through. */
  #merge(definition: ResourceDefinition, subresource: string | undefined, old: KubeObject, proposed: KubeObject): KubeObject {
    const [from, to] = [proposed, old] as unknown as [JsonObject, JsonObject];
    if (subresource === 'status' && definition.custom) {
      return {
        ...old,
        metadata: { ...old.metadata, managedFields: proposed.metadata.managedFields },
        ...(from['status'] === undefined ? { status: undefined } : { status: from['status'] }),
      } as KubeObject;
    }
    const metadata = heldMetadata(proposed.metadata, old.metadata);
    if (subresource === 'binding') return { ...proposed, metadata };
    if (subresource === 'status')
      return { ...old, metadata: { ...metadata, finalizers: old.metadata.finalizers }, status: from['status'] } as unknown as KubeObject;
    const status = definition.strategy.hasStatus && to['status'] !== undefined ? { status: to['status'] } : {};
    const { status: _given, ...rest } = from;
    return { ...(definition.strategy.hasStatus ? rest : from), ...status, metadata } as unknown as KubeObject;
  }

  async delete(
    definition: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    request: DeleteRequest,
    context: WriteContext,
  ): Promise<KubeObject | Status> {
    const collection = this.#options.store.collection(storageKeyOf(definition));
    const key = keyFor(namespace, name);
    for (let attempt = 1; ; attempt++) {
      const current = collection.get(key);
      if (current === undefined) throw notFound(pluralOf(definition), name);
      checkPreconditions(definition, current.object, request);
      const attributes = this.#attributes('DELETE', definition, namespace, name, undefined, context);
      await this.#options.admission.mutate(attributes, undefined, current.object);
      await this.#options.admission.validate(attributes, undefined, current.object);
      if (collection.get(key) === current) return this.#delete(definition, current, request, context);
      if (attempt >= CONFLICT_TRIES) throw conflict(pluralOf(definition), name, MODIFIED);
    }
  }

  async #delete(definition: ResourceDefinition, current: Entry, request: DeleteRequest, context: WriteContext): Promise<KubeObject | Status> {
    const old = current.object;
    const collection = this.#options.store.collection(storageKeyOf(definition));
    const marked = this.#marked(definition, old, request);
    const gone = mayGo(definition, marked);
    if (gone) {
      // A deletion that was waiting for its grace ends: agents see the grace of 0 first, as with kube-apiserver.
      const waited = old.metadata.deletionTimestamp !== undefined && definition.strategy.graceSeconds !== undefined;
      if (waited && !context.dryRun && !deepEqual(marked, old)) collection.put(current.key, (resourceVersion) => withVersion(marked, resourceVersion));
      const removed = context.dryRun ? undefined : collection.delete(current.key);
      await removed?.durable;
      return definition.strategy.returnsDeletedObject === true ? (removed?.entry.object ?? marked) : deletedStatus(definition, old);
    }
    if (context.dryRun || deepEqual(marked, old)) return marked;
    const { entry, durable } = collection.put(current.key, (resourceVersion) => withVersion(marked, resourceVersion));
    await durable;
    return entry.object;
  }

  /** The object with all that a deletion leaves on it while something still holds it. */
  #marked(definition: ResourceDefinition, old: KubeObject, request: DeleteRequest): KubeObject {
    const finalizers = finalizersFor(old, request);
    const asked = request.gracePeriodSeconds;
    const most = definition.strategy.graceSeconds?.(old) ?? 0;
    // Nobody has to be waited for, or the client may say how long; a negative grace stands for one second.
    const seconds = most === 0 ? 0 : asked === undefined ? most : asked < 0 ? 1 : asked;
    const { deletionTimestamp } = old.metadata;
    const shorter = deletionTimestamp !== undefined && seconds < (old.metadata.deletionGracePeriodSeconds ?? 0);
    const fresh = deletionTimestamp === undefined || shorter;
    const at = timestamp(new Date(this.#options.now().getTime() + seconds * 1_000));
    const period = definition.strategy.hasNoGracePeriod === true ? {} : { deletionGracePeriodSeconds: seconds };
    const marks = fresh ? { deletionTimestamp: at, ...period } : {};
    const generation = deletionTimestamp === undefined && old.metadata.generation !== undefined ? { generation: old.metadata.generation + 1 } : {};
    const held = { finalizers: finalizers.length === 0 ? undefined : finalizers };
    const metadata = dropUndefined({ ...old.metadata, ...marks, ...generation, ...held }) as KubeObject['metadata'];
    const marked = { ...old, metadata };
    definition.strategy.prepareUpdate?.(marked, old);
    return marked;
  }

  #attributes(
    operation: Attributes['operation'],
    definition: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    subresource: string | undefined,
    context: WriteContext,
  ): Attributes {
    return { operation, definition, namespace, name, subresource, user: context.user, dryRun: context.dryRun, options: context.options, warn: context.warn };
  }
}

/** True when a marked object may go now: nothing holds it and no grace is left. */
function mayGo(definition: ResourceDefinition, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0 || deletionGracePeriodSeconds > 0) return false;
  return definition.strategy.isHeld?.(object) !== true;
}

function finalizersFor(object: KubeObject, request: DeleteRequest): string[] {
  const policy = request.propagationPolicy ?? (request.orphanDependents === true ? 'Orphan' : undefined);
  const others = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion');
  if (policy === 'Foreground') return [...others, 'foregroundDeletion'];
  if (policy === 'Orphan') return [...others, 'orphan'];
  if (policy === 'Background') return others;
  const standing = ['orphan', 'foregroundDeletion'].filter((finalizer) => hasFinalizer(object, finalizer));
  return [...others, ...standing];
}

function checkPreconditions(definition: ResourceDefinition, object: KubeObject, { preconditions }: DeleteRequest): void {
  const { uid, resourceVersion, name = '' } = object.metadata;
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    throw conflict(
      kindOf(definition),
      name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid ?? ''}). The object might have been deleted and then recreated`,
    );
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw conflict(
      kindOf(definition),
      name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion ?? ''}). The object might have been modified`,
    );
  }
}

/** PUT with another uid is about another object. Source: rest.DefaultUpdatedObjectInfo's preconditions. */
function checkUid(definition: ResourceDefinition, key: string, proposed: KubeObject, current: KubeObject): void {
  const { uid } = proposed.metadata;
  if (uid === undefined || uid === '' || uid === current.metadata.uid) return;
  const path = `/registry/${definition.custom ? `${definition.group}/` : ''}${definition.plural}/${key}`;
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid ?? ''}`;
  const message = `StorageError: invalid object, Code: 4, Key: ${path}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
  throw conflict(pluralOf(definition), current.metadata.name ?? '', message);
}

/** The metadata that a change asks for, with what it leaves out or cannot say taken from the old. */
function heldMetadata(proposed: KubeObject['metadata'], old: KubeObject['metadata']): KubeObject['metadata'] {
  const held = {
    namespace: proposed.namespace || old.namespace,
    uid: proposed.uid || old.uid,
    creationTimestamp: proposed.creationTimestamp ?? old.creationTimestamp,
    deletionTimestamp: proposed.deletionTimestamp ?? old.deletionTimestamp,
    deletionGracePeriodSeconds: proposed.deletionGracePeriodSeconds ?? old.deletionGracePeriodSeconds,
    generation: old.generation,
    selfLink: undefined,
  };
  return dropUndefined({ ...proposed, ...held }) as KubeObject['metadata'];
}

function deletedStatus(definition: ResourceDefinition, object: KubeObject): Status {
  const { name = '', uid = '' } = object.metadata;
  const group = definition.group === '' ? {} : { group: definition.group };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { name, ...group, kind: definition.plural, uid } };
}

/** The generation counts every change but those of metadata and, where it is a subresource, of the status. */
function countGeneration(definition: ResourceDefinition, next: KubeObject, old: KubeObject): void {
  const meaning = (object: KubeObject): JsonObject => {
    const { metadata: _metadata, status, ...rest } = object as unknown as JsonObject;
    return definition.strategy.hasStatus ? rest : { ...rest, status };
  };
  const generation = old.metadata.generation ?? 1;
  next.metadata.generation = deepEqual(meaning(next), meaning(old)) ? generation : generation + 1;
}

function dropUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function withVersion(object: KubeObject, resourceVersion: string): KubeObject {
  return dropUndefined({ ...object, metadata: dropUndefined({ ...object.metadata, resourceVersion }) });
}
