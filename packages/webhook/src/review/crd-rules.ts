// The rules of the CRDs, from the same source that the CRDs are written from: clusters whose CRDs are older than
// these rules, or have been changed, are protected all the same.
import { jsonEqual, validateAny, type KubeObject, type Violation } from '@snapshot-stack/api-types';

/**
 * What is wrong with the object and was not wrong before. A fault that the stored object has already, in a part that
 * this update leaves as it is, is no reason to refuse it: it would keep others from mending the rest.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting
 */
export function crdViolations(object: KubeObject, old: KubeObject | undefined): { fresh: Violation[]; isSound: boolean } {
  const found = validateAny(object, old) ?? [];
  if (found.length === 0 || old === undefined) return { fresh: found, isSound: found.length === 0 };
  const before = validateAny(old) ?? [];
  const isOld = (violation: Violation): boolean =>
    before.some(({ field, rule, message }) => field === violation.field && rule === violation.rule && message === violation.message) &&
    jsonEqual(valueAt(object, violation.field), valueAt(old, violation.field));
  return { fresh: found.filter((violation) => !isOld(violation)), isSound: false };
}

/** The value at a path such as `spec.list[0].name`; undefined where a member is missing, as a required one may be in both. */
function valueAt(object: object, path: string): unknown {
  let value: unknown = object;
  for (const name of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
