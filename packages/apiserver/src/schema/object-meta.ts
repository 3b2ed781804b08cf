// The metadata of custom resources is no part of their schema: it is decoded as ObjectMeta.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta.
import { builtinType } from '../builtin/schemas/catalogue.ts';
import { normalize } from '../builtin/schemas/normalize.ts';
import { unknownFields } from './strict.ts';
import { isObject } from './schema.ts';

/** Brings metadata into the form of ObjectMeta: what that does not know, or does not write, goes. @returns the paths of unknown fields */
export function pruneObjectMeta(metadata: unknown, path: string): string[] {
  if (!isObject(metadata)) return [];
  const type = builtinType('meta.v1.ObjectMeta');
  const unknown = unknownFields(metadata, type.schema, path);
  normalize(metadata, type);
  return unknown;
}
