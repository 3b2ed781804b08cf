// The metadata of custom resources is no part of their schema: it is decoded as ObjectMeta.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta.
import { builtinType } from '../builtin/schemas/catalogue.ts';
import { unknownFields } from './strict.ts';
import { isObject } from './schema.ts';

/** Drops what ObjectMeta does not know. @returns the paths of what was dropped */
export function pruneObjectMeta(metadata: unknown, path: string): string[] {
  return isObject(metadata) ? unknownFields(metadata, builtinType('meta.v1.ObjectMeta').schema, path) : [];
}
