// Which requests are judged at all. What is left out here can never be denied: deletions, and everything that must
// be possible with a broken object so that it can be deleted.
import { Annotation, isBeingDeleted, jsonEqual, snapshotKinds, type KubeObject } from '@snapshot-stack/api-types';
import type { AdmissionRequest } from './admission-review.ts';

export type Scope =
  /** Not to be judged, and why. */
  | { readonly kind: 'exempt'; readonly why: string }
  /** Not one of ours, or of a version that came after this program. */
  | { readonly kind: 'unknown'; readonly what: string }
  /** On its way out: only what could harm others meanwhile is judged. */
  | { readonly kind: 'leaving'; readonly object: KubeObject; readonly old: KubeObject }
  | { readonly kind: 'judged'; readonly object: KubeObject; readonly old: KubeObject | undefined };

const exempt = (why: string): Scope => ({ kind: 'exempt', why });

/** Annotations that rules are about; all other metadata may change freely. */
const JUDGED_ANNOTATIONS: readonly string[] = [Annotation.allowVolumeModeChange, Annotation.isDefaultClass, Annotation.isDefaultGroupClass];

export function scopeOf(request: AdmissionRequest): Scope {
  const { operation, subresource, object, old } = request;
  if (operation === 'DELETE' || operation === 'CONNECT' || object === undefined) return exempt(`${operation} is never denied`);
  const unknown = unknownKind(request);
  if (unknown !== undefined) return { kind: 'unknown', what: unknown };
  if (subresource !== undefined) return exempt(`writes of ${subresource} are never denied`);
  if (old === undefined) return { kind: 'judged', object, old };
  if (!changesWhatIsJudged(object, old)) return exempt('nothing that rules are about has changed');
  if (isBeingDeleted(old) || isBeingDeleted(object)) return { kind: 'leaving', object, old };
  return { kind: 'judged', object, old };
}

function unknownKind({ group, version, kind }: AdmissionRequest): string | undefined {
  const known = snapshotKinds.find((one) => one.group === group && one.kind === kind);
  if (known?.versions.some(({ name }) => name === version) === true) return undefined;
  return `${group === '' ? version : `${group}/${version}`} ${kind}`;
}

/** True unless only finalizers, labels, owners, other annotations, managed fields or the status differ. */
function changesWhatIsJudged(object: KubeObject, old: KubeObject): boolean {
  const differs = JUDGED_ANNOTATIONS.some((name) => object.metadata.annotations?.[name] !== old.metadata.annotations?.[name]);
  return differs || !jsonEqual(bodyOf(object), bodyOf(old));
}

function bodyOf(object: KubeObject): object {
  const { metadata: _metadata, status: _status, ...body } = object as KubeObject & { status?: unknown };
  return body;
}
