// The scale subresource of custom resources: an autoscaling/v1 Scale read from paths of the object, and written back.
// Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go.
import type { FieldError } from '../schema/field-error.ts';
import { invalid } from '../schema/field-error.ts';
import type { JsonObject } from '../schema/schema.ts';
import { isObject } from '../schema/schema.ts';
import { findAll, parsePath } from './json-path.ts';
import type { ScaleSubresource } from './types.ts';

function numberAt(path: string, object: JsonObject): number | undefined {
  const [value] = findAll(parsePath(path), object);
  return typeof value === 'number' ? value : undefined;
}

function metadataOf({ metadata }: JsonObject): JsonObject {
  if (!isObject(metadata)) return {};
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const kept = { name, namespace, uid, resourceVersion, creationTimestamp };
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
}

/** The Scale of an object. */
export function scaleOf(object: JsonObject, paths: ScaleSubresource): JsonObject {
  const replicas = numberAt(paths.specReplicasPath, object);
  const [selector] = paths.labelSelectorPath === undefined || paths.labelSelectorPath === '' ? [] : findAll(parsePath(paths.labelSelectorPath), object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: metadataOf(object),
    spec: replicas === undefined || replicas === 0 ? {} : { replicas },
    status: { replicas: numberAt(paths.statusReplicasPath, object) ?? 0, ...(typeof selector === 'string' && selector !== '' ? { selector } : {}) },
  };
}

/** The errors of the replica counts that an object has at its scale paths. */
export function scaleErrors(object: JsonObject, paths: ScaleSubresource): FieldError[] {
  return [paths.specReplicasPath, paths.statusReplicasPath].flatMap((path) => {
    const [value] = findAll(parsePath(path), object);
    if (value === undefined || (typeof value === 'number' && value >= 0 && value < 2 ** 31)) return [];
    if (typeof value === 'number' && value >= 0) return [invalid(path, value, 'should be less than or equal to 2147483647')];
    return [invalid(path, value, 'should be a non-negative integer')];
  });
}

/** A copy of the object with the replicas of a Scale; the rest of the Scale is not taken over. */
export function withScale(object: JsonObject, scale: JsonObject, paths: ScaleSubresource): JsonObject {
  const next = structuredClone(object);
  const spec = scale['spec'];
  const replicas = isObject(spec) && typeof spec['replicas'] === 'number' ? spec['replicas'] : 0;
  const names = parsePath(paths.specReplicasPath).flatMap((step) => (step.kind === 'member' ? [step.name] : []));
  const last = names.pop();
  if (last === undefined) return next;
  let at = next;
  for (const name of names) {
    const below = at[name];
    at = isObject(below) ? below : (at[name] = {});
  }
  at[last] = replicas;
  return next;
}
