// The rules an object must obey beyond its shape. Each is said twice: as CEL text, which the API server
// evaluates from the CRD, and as a TypeScript predicate, for the webhook and offline checks. Both stand in one
// value, and test/rules-agree.test.ts evaluates both over generated objects, so that they cannot disagree.
//
// Messages are a contract with external-snapshotter v8.6: scripts match on them.
import { jsonEqual } from './json.ts';

export interface Rule {
  /** Stable name for machines, for example `immutable`. */
  readonly name: string;
  readonly cel: string;
  readonly message: string;
  /** What the author of the object can do about it. */
  readonly remedy: string;
  /** Speaks of `oldSelf`: checked on updates only, and only where both the old and the new value exist. */
  readonly transition: boolean;
  /** The predicate: what `cel` computes. `old` is given to transition rules only. */
  holds(self: unknown, old: unknown): boolean;
}

/** True when a member is there; null counts as absent, since no field of these kinds is nullable. */
function has(value: unknown, field: string): boolean {
  return memberOf(value, field) !== undefined;
}

function memberOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  return (value as Record<string, unknown>)[field] ?? undefined;
}

/** A member that was set must stay set. Belongs on the object that holds `field`. */
export function requiredOnceSet(field: string): Rule {
  return {
    name: 'required-once-set',
    cel: `!has(oldSelf.${field}) || has(self.${field})`,
    message: `${field} is required once set`,
    remedy: `put ${field} back as it was, or create a new object`,
    transition: true,
    holds: (self, old) => !has(old, field) || has(self, field),
  };
}

function unchanged(name: string, message: string, field: string): Rule {
  return {
    name,
    cel: 'self == oldSelf',
    message,
    remedy: `keep ${field} as it was, or create a new object`,
    transition: true,
    holds: (self, old) => jsonEqual(self, old),
  };
}

/** The value may not change. Belongs on the field itself; removing it is {@link requiredOnceSet}'s business. */
export function immutable(field: string): Rule {
  return unchanged('immutable', `${field} is immutable`, field);
}

/** As {@link immutable}, for a field that is set later than its object: setting and removing it are allowed. */
export function immutableOnceSet(field: string, message = `${field} is immutable once set`): Rule {
  return unchanged('immutable-once-set', message, field);
}

/** One of two members is there and the other is not; an empty string is there. */
export function exactlyOneOf(first: string, second: string): Rule {
  return {
    name: 'exactly-one',
    cel: `(has(self.${first}) && !has(self.${second})) || (!has(self.${first}) && has(self.${second}))`,
    message: `exactly one of ${first} and ${second} must be set`,
    remedy: `set ${first} or ${second}, not both`,
    transition: false,
    holds: (self) => has(self, first) !== has(self, second),
  };
}

export function nonEmptyWhenSet(field: string): Rule {
  return {
    name: 'not-empty',
    cel: 'size(self) > 0',
    message: `${field} must not be the empty string when set`,
    remedy: `name a class, or leave ${field} out to get the default class of the driver`,
    transition: false,
    holds: (self) => typeof self === 'string' && self.length > 0,
  };
}

// CEL reserves the word `namespace`; Kubernetes spells such a member with underscores around.
const NAMESPACE = '__namespace__';

/** `path` is how the message spells the reference: upstream's two kinds differ there. */
export function nameAndNamespaceSet(path: string): Rule {
  return {
    name: 'reference-complete',
    cel: `has(self.name) && has(self.${NAMESPACE})`,
    message: `both ${path}.name and ${path}.namespace must be set`,
    remedy: 'give the name and the namespace of the snapshot that this content belongs to',
    transition: false,
    holds: (self) => has(self, 'name') && has(self, 'namespace'),
  };
}

export function nameAndNamespaceImmutable(path: string): Rule {
  return {
    name: 'reference-immutable',
    cel: `self.name == oldSelf.name && self.${NAMESPACE} == oldSelf.${NAMESPACE}`,
    message: `${path}.name and ${path}.namespace are immutable`,
    remedy: 'keep the reference as it was; content for another snapshot is another object',
    transition: true,
    // Where a member is missing CEL ends in an error, which the API server treats as a broken rule.
    holds: (self, old) => ['name', 'namespace'].every((field) => has(self, field) && has(old, field) && memberOf(self, field) === memberOf(old, field)),
  };
}

export function uidImmutableOnceSet(path: string): Rule {
  return {
    name: 'uid-immutable-once-set',
    cel: '!has(oldSelf.uid) || (has(self.uid) && self.uid == oldSelf.uid)',
    message: `${path}.uid is immutable once set`,
    remedy: 'keep the uid; a snapshot that was deleted and made anew needs a content of its own',
    transition: true,
    holds: (self, old) => !has(old, 'uid') || memberOf(self, 'uid') === memberOf(old, 'uid'),
  };
}
