// Keeps metadata.managedFields: attributes updates to whoever made them, and carries out server-side apply.
// Source: k8s.io/apimachinery/pkg/util/managedfields/internal, whose layers are steps here.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../registry/deep-equal.ts';
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import { canonical } from '../schema/list-types.ts';
import type { JsonObject } from '../schema/schema.ts';
import { StatusError, badRequest } from '../status.ts';
import { difference, emptySet, isEmpty, parseFields, union, type FieldSet } from './field-set.ts';
import { fieldsOf } from './fields-of.ts';
import {
  asksForReset,
  capUpdateManagers,
  conflictsOf,
  decodeManagers,
  encodeManagers,
  managerId,
  managerText,
  managersOf,
  type FieldConflict,
  type Manager,
  type Managers,
} from './managers.ts';
import { OwnershipConflict, afterApply, afterUpdate, type Applied, type Scope } from './ownership.ts';
import { blankObject, rootSchema } from './typed.ts';
import { typedError } from './typed-errors.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const BEFORE_FIRST_APPLY = 'before-first-apply';
const LAST_APPLIED_BYTES_MAX = 256 * 1024;

/** Nobody owns what names the object, or what only the server writes. */
const SERVERS_OWN = parseFields({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:clusterName': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
});
const STATUS_ONLY = parseFields({ 'f:status': {} });
const ALL_BUT_STATUS = parseFields({ 'f:metadata': {}, 'f:spec': {} });
const SPEC_ONLY = parseFields({ 'f:spec': {}, 'f:metadata': { 'f:deletionTimestamp': {}, 'f:ownerReferences': {} } });

/** One request as its fields are attributed. */
export interface Attribution {
  readonly definition: ResourceDefinition;
  readonly manager: string;
  readonly subresource: string | undefined;
}

export interface ApplyRequest extends Attribution {
  /** The stored object; undefined when the configuration creates it. */
  readonly live: KubeObject | undefined;
  readonly config: KubeObject;
  readonly force: boolean;
}

export class ManagedFields {
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** The object with its owners, after a create, an update or a patch. Neither argument is changed. */
  track({ definition, live, next, manager, subresource }: Attribution & { live: KubeObject | undefined; next: KubeObject }): KubeObject {
    const before = ownersBefore(live, next, subresource !== undefined);
    if (before.size === 0 && live !== undefined) return withOwners(next, before);
    const updater = this.#manager({ definition, manager, subresource }, 'Update');
    const scope = scopeOf(definition, subresource);
    // As kube-apiserver does: of an object that does not fit its types the owners are forgotten.
    if (typedError(next, scope.schema, 'allowed') !== undefined) return withoutOwners(next);
    return withOwners(next, this.#updated(before, live ?? blank(definition), next, updater, scope));
  }

  #updated(before: Managers, live: KubeObject, next: KubeObject, updater: Omit<Manager, 'fields'>, scope: Scope): Managers {
    // Unchanged objects are the rule for controllers; they need no walk.
    if (deepEqual(withoutOwners(live), withoutOwners(next))) return before;
    return capUpdateManagers(stripped(afterUpdate(before, withoutOwners(live), withoutOwners(next), updater, scope), managerId(updater)));
  }

  /**
   * The live object with the configuration applied, and its owners.
   * @throws StatusError 409 for conflicts, 400 for what cannot be applied here, 500 for what does not fit the schema
   */
  apply({ definition, live, config, manager, subresource, force }: ApplyRequest): KubeObject {
    checkConfig(config, definition);
    const scope = scopeOf(definition, subresource);
    const fault = typedError(config, scope.schema);
    if (fault !== undefined) throw new StatusError(500, '', `failed to create typed patch object (${describe(config)}): ${fault}`);
    const base = live === undefined ? ({ apiVersion: groupVersionOf(definition), kind: definition.kind, metadata: {} } as KubeObject) : withoutOwners(live);
    const before = this.#ownersToApplyOn(live, base, { definition, manager, subresource }, scope);
    const applier = this.#manager({ definition, manager, subresource }, 'Apply');
    const applied = applyWithUpgrade(before, base, config, applier, scope, force);
    const object = (applied.object ?? base) as KubeObject;
    const owners = stripped(applied.managers, managerId(applier));
    return withOwners(manager === 'kubectl' ? withLastApplied(object, live, config) : object, owners);
  }

  /** Objects from before anybody applied have one owner for all that is on them. */
  #ownersToApplyOn(live: KubeObject | undefined, base: KubeObject, attribution: Attribution, scope: Scope): Managers {
    const owners = decodeManagers(managersOf(live)) ?? new Map<string, Manager>();
    if (owners.size > 0 || live === undefined) return owners;
    const updater = this.#manager({ ...attribution, manager: BEFORE_FIRST_APPLY, subresource: undefined }, 'Update');
    return stripped(afterUpdate(owners, blank(attribution.definition), base, updater, scope), managerId(updater));
  }

  #manager({ definition, manager, subresource = '' }: Attribution, operation: Manager['operation']): Omit<Manager, 'fields'> {
    const time = this.#now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
    return { name: manager, operation, apiVersion: groupVersionOf(definition), subresource, time };
  }

  /** A write that changes only the times of managedFields changes nothing: they go back to what they were. */
  settle(next: KubeObject, live: KubeObject): KubeObject {
    const [now, then] = [managersOf(next), managersOf(live)];
    if (now === then || now === undefined || then === undefined || !deepEqual(timeless(now), timeless(then))) return next;
    const asBefore = { ...next, metadata: { ...next.metadata, managedFields: then } } as KubeObject;
    const sameVersion = { ...asBefore, metadata: { ...asBefore.metadata, resourceVersion: live.metadata.resourceVersion } } as KubeObject;
    return deepEqual(sameVersion, live) ? asBefore : next;
  }
}

function timeless(entries: unknown): unknown {
  if (!Array.isArray(entries)) return entries;
  const rest = entries.map((entry: JsonObject) => ({ ...entry, time: undefined }));
  return rest.sort((a, b) => (ownerKey(a) < ownerKey(b) ? -1 : 1));
}

function ownerKey(entry: JsonObject): string {
  return JSON.stringify([entry['operation'], entry['manager'], entry['apiVersion'], entry['subresource']]);
}

function blank(definition: ResourceDefinition): KubeObject {
  return blankObject(definition) as unknown as KubeObject;
}

/** The fields that a request through this path cannot change. */
function scopeOf(definition: ResourceDefinition, subresource: string | undefined): Scope {
  const schema = rootSchema(definition);
  if (subresource === 'status') return { schema, ignored: definition.custom ? ALL_BUT_STATUS : SPEC_ONLY };
  return { schema, ignored: definition.strategy.hasStatus ? STATUS_ONLY : emptySet };
}

function stripped(managers: Managers, id: string): Managers {
  const manager = managers.get(id);
  if (manager === undefined) return managers;
  const fields = difference(manager.fields, SERVERS_OWN);
  const result = new Map(managers);
  if (isEmpty(fields)) result.delete(id);
  else result.set(id, { ...manager, fields });
  return result;
}

/** Owners as the request leaves them: a client may rewrite or reset them, but not through a subresource. */
function ownersBefore(live: KubeObject | undefined, next: KubeObject, isSubresource: boolean): Managers {
  const none: Managers = new Map();
  const given = managersOf(next);
  if (isSubresource) return decodeManagers(managersOf(live)) ?? none;
  if (asksForReset(given)) return none;
  const decoded = decodeManagers(given);
  return decoded === undefined || decoded.size === 0 ? (decodeManagers(managersOf(live)) ?? none) : decoded;
}

function withoutOwners(object: KubeObject): KubeObject {
  if (managersOf(object) === undefined) return object;
  const { managedFields: _owners, ...metadata } = object.metadata as JsonObject;
  return { ...object, metadata } as KubeObject;
}

function withOwners(object: KubeObject, managers: Managers): KubeObject {
  const bare = withoutOwners(object);
  const managedFields = encodeManagers(managers);
  return managedFields === undefined ? bare : ({ ...bare, metadata: { ...bare.metadata, managedFields } } as KubeObject);
}

function checkConfig(config: KubeObject, definition: ResourceDefinition): void {
  const { apiVersion = '', kind = '' } = config;
  if (apiVersion !== groupVersionOf(definition) || kind !== definition.kind) throw badRequest(`invalid object type: ${groupVersionKind(apiVersion, kind)}`);
  if (managersOf(config) !== undefined && managersOf(config) !== null) throw badRequest('metadata.managedFields must be nil');
}

function groupVersionKind(apiVersion: string, kind: string): string {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return `${group}/${version}, Kind=${kind}`;
}

function describe({ apiVersion = '', kind = '', metadata }: KubeObject): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}; ${groupVersionKind(apiVersion, kind)}`;
}

/** kubectl may take over what it set by client-side apply before, as its annotation tells. */
function applyWithUpgrade(before: Managers, live: KubeObject, config: KubeObject, applier: Omit<Manager, 'fields'>, scope: Scope, force: boolean): Applied {
  try {
    return afterApply(before, live, config, applier, scope, force);
  } catch (error) {
    if (!(error instanceof OwnershipConflict)) throw error;
    const allowed = applier.name === 'kubectl' ? clientSideApplied(live, scope) : undefined;
    const claims = new Map<string, { manager: Manager; fields: FieldSet }>();
    for (const [id, claim] of error.claims) {
      const fields = allowed === undefined ? claim.fields : difference(claim.fields, allowed);
      if (!isEmpty(fields)) claims.set(id, { ...claim, fields });
    }
    if (claims.size === 0) return afterApply(before, live, config, applier, scope, true);
    throw applyConflict(conflictsOf(claims));
  }
}

/** The fields of the last client-side apply whose values are still as it set them. */
function clientSideApplied(live: KubeObject, { schema }: Scope): FieldSet | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return undefined;
  try {
    const config = JSON.parse(text) as unknown;
    if (typedError(config, schema) !== undefined) return undefined;
    return union(fieldsOf(config, schema), parseFields({ 'f:metadata': { 'f:annotations': { [`f:${LAST_APPLIED}`]: {} } } }));
  } catch {
    return undefined;
  }
}

/** Client-side apply may come back to an object as long as its annotation is kept true. */
function withLastApplied(object: KubeObject, live: KubeObject | undefined, config: KubeObject): KubeObject {
  if (live?.metadata.annotations?.[LAST_APPLIED] === undefined) return object;
  const { [LAST_APPLIED]: _before, ...others } = config.metadata.annotations ?? {};
  const annotations = config.metadata.annotations === undefined ? {} : { annotations: others };
  const text = `${goJson({ ...config, metadata: { ...config.metadata, ...annotations } })}\n`;
  if (Buffer.byteLength(text) > LAST_APPLIED_BYTES_MAX) return object;
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [LAST_APPLIED]: text } } };
}

/** JSON as Go writes it: members sorted, and characters of HTML escaped. */
function goJson(value: unknown): string {
  return canonical(value).replaceAll(/[<>&]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);
}

function applyConflict(conflicts: readonly FieldConflict[]): StatusError {
  const causes = conflicts.map(({ manager, field }) => ({ reason: 'FieldManagerConflict', message: `conflict with ${managerText(manager)}`, field }));
  return new StatusError(409, 'Conflict', conflictMessage(conflicts), { causes });
}

function conflictMessage(conflicts: readonly FieldConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first !== undefined) return `Apply failed with 1 conflict: conflict with ${managerText(first.manager)}: ${first.field}`;
  const byManager = new Map<Manager, string[]>();
  for (const { manager, field } of conflicts) byManager.set(manager, [...(byManager.get(manager) ?? []), `- ${field}`]);
  const parts = [...byManager].map(([manager, fields]) => [`conflicts with ${managerText(manager)}:`, ...fields].join('\n'));
  return `Apply failed with ${conflicts.length} conflicts: ${parts.join('\n')}`;
}
