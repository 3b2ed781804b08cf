// The members of a group content: v1 and v1beta2 say all of them in status.volumeSnapshotInfoList; v1beta1 has only
// pairs of handles in status.volumeSnapshotHandlePairList, and keeps the rest in an annotation, as upstream's webhook
// does. Beyond upstream's:
//
// - The annotation is written only where the pairs do not say everything, so that a list without more comes back as
//   it was.
// - Pairs that a v1beta1 client has changed since win over the annotation; what is known of each pair is kept.
// - An annotation that is damaged, or lies beside no pairs, stays where it is. It must not break the conversion: one
//   failed object fails a whole list, and nobody could read any content of the cluster any more.
// - Numbers of 64 bits keep all their digits.
import { Annotation, jsonEqual, parseJson, stringifyJson } from '@snapshot-stack/api-types';
import { isObject, type JsonObject } from '../review/bad-request.ts';

const ANNOTATION: string = Annotation.groupInfoList;
const INFOS = 'volumeSnapshotInfoList';
const PAIRS = 'volumeSnapshotHandlePairList';

/** A content of v1 or v1beta2 as v1beta1 says it. */
export function toPairList(content: JsonObject): JsonObject {
  const status = content['status'];
  const infos = isObject(status) ? status[INFOS] : undefined;
  if (!isObject(status) || !isListOfObjects(infos)) return content;
  const pairs = pairsOf(infos);
  const { [INFOS]: _infos, ...rest } = status;
  const converted = { ...content, status: { ...rest, [PAIRS]: pairs } };
  // Where another list lies in the annotation already, it would be taken for the truth on the way back.
  const isAllSaid = jsonEqual(pairs, infos) && savedInfos(content) === undefined;
  return isAllSaid ? converted : withAnnotation(converted, stringifyJson(infos));
}

/** A content of v1beta1 as v1 and v1beta2 say it. */
export function toInfoList(content: JsonObject): JsonObject {
  const status = content['status'];
  const pairs = isObject(status) ? status[PAIRS] : undefined;
  if (!isObject(status) || !isListOfObjects(pairs)) return content;
  const { [PAIRS]: _pairs, ...rest } = status;
  const saved = savedInfos(content);
  const converted = { ...content, status: { ...rest, [INFOS]: saved === undefined ? pairs : merge(pairs, saved) } };
  return saved === undefined ? converted : withAnnotation(converted, undefined);
}

/** Entries that have both handles; v1beta1 requires both. */
function pairsOf(infos: readonly JsonObject[]): JsonObject[] {
  return infos.filter(hasHandles).map(({ volumeHandle, snapshotHandle }) => ({ volumeHandle, snapshotHandle }));
}

function hasHandles({ volumeHandle, snapshotHandle }: JsonObject): boolean {
  return typeof volumeHandle === 'string' && typeof snapshotHandle === 'string';
}

/** The saved list where it still fits the pairs; else the pairs, each with what was saved of it. */
function merge(pairs: readonly JsonObject[], saved: readonly JsonObject[]): JsonObject[] {
  if (jsonEqual(pairs, pairsOf(saved))) return [...saved];
  const savedOf = ({ volumeHandle, snapshotHandle }: JsonObject): JsonObject | undefined =>
    saved.find((info) => info['volumeHandle'] === volumeHandle && info['snapshotHandle'] === snapshotHandle);
  return [...pairs.map((pair) => savedOf(pair) ?? pair), ...saved.filter((info) => !hasHandles(info))];
}

function savedInfos(content: JsonObject): JsonObject[] | undefined {
  const text = annotationsOf(content)?.[ANNOTATION];
  if (typeof text !== 'string') return undefined;
  try {
    const value = parseJson(text);
    return isListOfObjects(value) ? value : undefined;
  } catch {
    return undefined; // damaged by hand: it stays, and says nothing
  }
}

function annotationsOf({ metadata }: JsonObject): JsonObject | undefined {
  const annotations = isObject(metadata) ? metadata['annotations'] : undefined;
  return isObject(annotations) ? annotations : undefined;
}

/** A copy with the annotation set, or taken away; annotations that are left empty go too. */
function withAnnotation(content: JsonObject, text: string | undefined): JsonObject {
  const { [ANNOTATION]: _old, ...others } = annotationsOf(content) ?? {};
  const annotations = text === undefined ? others : { ...others, [ANNOTATION]: text };
  const { annotations: _annotations, ...metadata } = isObject(content['metadata']) ? content['metadata'] : {};
  return { ...content, metadata: { ...metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) } };
}

function isListOfObjects(value: unknown): value is JsonObject[] {
  return Array.isArray(value) && value.every(isObject);
}
