// An object of a custom resource as one of its versions shows it.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { ResourceDefinition } from '../registry/resource.ts';
import { groupVersionOf } from '../registry/resource.ts';
import type { JsonObject } from '../schema/schema.ts';
import { admitToSchema } from './instance.ts';

/**
 * The object in the version of a definition: apiVersion rewritten, fields that this version does not know dropped, its
 * defaults filled in. The same object when it is in that version already.
 */
export function inVersion(definition: ResourceDefinition, object: KubeObject): KubeObject {
  const apiVersion = groupVersionOf(definition);
  if (object.apiVersion === apiVersion || !definition.custom) return object;
  const copy = { ...structuredClone(object), apiVersion };
  if (definition.schema !== undefined) admitToSchema(copy as unknown as JsonObject, definition.schema);
  return copy;
}
