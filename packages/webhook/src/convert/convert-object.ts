// One object of groupsnapshot.storage.k8s.io in another version. v1 and v1beta2 have one shape; v1beta1 differs in the
// status of VolumeGroupSnapshotContents only (group-content.ts).
import { GROUP_SNAPSHOT_GROUP, snapshotKinds } from '@snapshot-stack/api-types';
import { isObject, type JsonObject } from '../review/bad-request.ts';
import { toInfoList, toPairList } from './group-content.ts';

/** An object that cannot be converted; the message names it and says why. */
export class ConversionError extends Error {
  override readonly name = 'ConversionError';
}

const OLDEST = `${GROUP_SNAPSHOT_GROUP}/v1beta1`;
const CONTENT = 'VolumeGroupSnapshotContent';

/**
 * The object in the desired version: itself when it has it already, else a copy that shares what did not change.
 * @throws ConversionError when object or version is none of ours
 */
export function convertObject(object: JsonObject, desired: string): JsonObject {
  const { apiVersion, kind } = object;
  const versions = snapshotKinds
    .find((one) => one.group === GROUP_SNAPSHOT_GROUP && one.kind === kind)
    ?.versions.map(({ name }) => `${GROUP_SNAPSHOT_GROUP}/${name}`);
  if (typeof kind !== 'string' || typeof apiVersion !== 'string' || versions?.includes(apiVersion) !== true) {
    throw new ConversionError(`${titleOf(object)} cannot be converted: only kinds of ${GROUP_SNAPSHOT_GROUP} are; use strategy None for others`);
  }
  if (!versions.includes(desired)) throw new ConversionError(`${titleOf(object)} cannot be converted to ${desired}: known are ${versions.join(', ')}`);
  if (apiVersion === desired) return object;
  const renamed = { ...object, apiVersion: desired };
  if (kind !== CONTENT || (apiVersion !== OLDEST && desired !== OLDEST)) return renamed;
  return desired === OLDEST ? toPairList(renamed) : toInfoList(renamed);
}

function titleOf({ apiVersion, kind, metadata }: JsonObject): string {
  const name = isObject(metadata) && typeof metadata['name'] === 'string' ? ` ${metadata['name']}` : '';
  return `${String(apiVersion).slice(0, 100)} ${String(kind).slice(0, 100)}${name}`;
}
