// An object of a custom resource as one of its versions shows it.
import type { KubeObject } from '@snapshot-stack/api-types';
import { jsonEqual } from '@snapshot-stack/api-types';
import type { ResourceDefinition } from '../registry/resource.ts';
import { groupVersionOf } from '../registry/resource.ts';
import type { JsonObject } from '../schema/schema.ts';
import { admitToSchema } from './instance.ts';

// What older objects look like under a definition; stored objects never change.
const shownBy = new WeakMap<ResourceDefinition, WeakMap<KubeObject, KubeObject>>();

// Written before the definition was last changed: its defaults may be missing, and fields that it dropped still there.
function isOlder({ origin }: ResourceDefinition, object: KubeObject): boolean {
  return Number(object.metadata.resourceVersion) < Number(origin?.metadata.resourceVersion);
}

/**
 * The object in the version of a definition: apiVersion rewritten, fields that this version does not know dropped, its
 * defaults filled in. The same object when it has that form already.
 */
export function inVersion(definition: ResourceDefinition, object: KubeObject): KubeObject {
  if (definition.view !== undefined) return definition.view.show(object);
  if (!definition.custom) return object;
  const apiVersion = groupVersionOf(definition);
  if (object.apiVersion === apiVersion && !isOlder(definition, object)) return object;
  let known = shownBy.get(definition);
  if (known === undefined) shownBy.set(definition, (known = new WeakMap<KubeObject, KubeObject>()));
  const before = known.get(object);
  if (before !== undefined) return before;
  const copy = { ...structuredClone(object), apiVersion };
  if (definition.schema !== undefined) admitToSchema(copy as unknown as JsonObject, definition.schema);
  const shown = jsonEqual(copy, object) ? object : copy;
  known.set(object, shown);
  return shown;
}
