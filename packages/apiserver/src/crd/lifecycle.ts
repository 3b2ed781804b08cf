// What becomes of a CustomResourceDefinition that is written: defaults, status on create and update, and the verdict
// of the naming and establishing controllers. Source: k8s.io/apiextensions-apiserver, pkg/registry and pkg/controller.
import type { Definition, DefinitionCondition, DefinitionNames, DefinitionStatus, DefinitionVersion } from './types.ts';

/** The finalizer that keeps a definition until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** Fills in what a definition leaves out, in place. */
export function defaultDefinition(definition: Definition): void {
  complete(definition);
  const { spec } = definition;
  const { names } = spec;
  if ((names.singular ?? '') === '' && typeof names.kind === 'string') names.singular = names.kind.toLowerCase();
  if ((names.listKind ?? '') === '' && (names.kind ?? '') !== '') names.listKind = `${names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
  if (spec.preserveUnknownFields === false) delete spec.preserveUnknownFields;
}

// What must be there is there, if only as Go's zero value: validation then tells that it is missing.
function complete(definition: Partial<Definition>): void {
  const spec: Partial<Definition['spec']> = (definition.spec ??= { group: '', scope: '', names: { plural: '', kind: '' }, versions: [] });
  spec.group ??= '';
  spec.scope ??= '';
  const names: Partial<DefinitionNames> = (spec.names ??= { plural: '', kind: '' });
  names.plural ??= '';
  names.kind ??= '';
  for (const version of (spec.versions ??= [])) {
    const one: Partial<DefinitionVersion> = version;
    one.name ??= '';
    one.served ??= false;
    one.storage ??= false;
  }
}

const storageVersion = (definition: Definition): string | undefined => definition.spec.versions?.find((version) => version.storage)?.name;

/** The status of a definition just created: nothing is accepted yet. */
export function initialStatus(definition: Definition): DefinitionStatus {
  const stored = storageVersion(definition);
  return { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: stored === undefined ? null : [stored] };
}

/** The status after an update of the spec: a new storage version is added to the stored ones. */
export function updatedStatus(definition: Definition, old: Definition): DefinitionStatus {
  const status = old.status ?? initialStatus(old);
  const stored = storageVersion(definition);
  const versions = status.storedVersions ?? [];
  return stored === undefined || versions.includes(stored) ? status : { ...status, storedVersions: [...versions, stored] };
}

interface Verdict {
  readonly names: DefinitionNames;
  readonly condition: Omit<DefinitionCondition, 'lastTransitionTime'>;
}

// Each name is accepted on its own; the first refusal in this order is the one that is told at the end.
function judgeNames(definition: Definition, others: readonly Definition[]): Verdict {
  const taken = others
    .filter((other) => other.metadata.name !== definition.metadata.name && other.spec.group === definition.spec.group)
    .map((other) => other.status?.acceptedNames);
  const names = taken.filter((one) => one !== undefined);
  const resources = new Set(names.flatMap((one) => [one.plural, one.singular ?? '', ...(one.shortNames ?? [])]));
  const kinds = new Set(names.flatMap((one) => [one.kind, one.listKind ?? '']));
  resources.delete('');
  kinds.delete('');
  const wanted = definition.spec.names;
  const accepted: DefinitionNames = { ...(definition.status?.acceptedNames ?? { plural: '', kind: '' }) };
  let refusal: { reason: string; message: string } | undefined;
  const judge = (name: string, used: ReadonlySet<string>, reason: string, accept: () => void): void => {
    if (used.has(name)) refusal = { reason, message: `"${name}" is already in use` };
    else accept();
  };
  judge(wanted.plural, resources, 'PluralConflict', () => (accepted.plural = wanted.plural));
  judge(wanted.singular ?? '', resources, 'SingularConflict', () => setName(accepted, 'singular', wanted.singular));
  const clashes = (wanted.shortNames ?? []).filter((name) => resources.has(name));
  if (clashes.length > 0) refusal = { reason: 'ShortNamesConflict', message: `[${clashes.map((name) => `"${name}" is already in use`).join(', ')}]` };
  else setNames(accepted, 'shortNames', wanted.shortNames);
  judge(wanted.kind, kinds, 'KindConflict', () => (accepted.kind = wanted.kind));
  judge(wanted.listKind ?? '', kinds, 'ListKindConflict', () => setName(accepted, 'listKind', wanted.listKind));
  setNames(accepted, 'categories', wanted.categories);
  if (refusal !== undefined) return { names: accepted, condition: { type: 'NamesAccepted', status: 'False', ...refusal } };
  return { names: accepted, condition: { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' } };
}

function setName(names: DefinitionNames, field: 'singular' | 'listKind', value: string | undefined): void {
  if (value !== undefined) names[field] = value;
}

function setNames(names: DefinitionNames, field: 'shortNames' | 'categories', values: string[] | undefined): void {
  if (values === undefined) delete names[field];
  else names[field] = values;
}

function establishment(definition: Definition, namesAccepted: boolean): Omit<DefinitionCondition, 'lastTransitionTime'> {
  const known = definition.status?.conditions?.find((condition) => condition.type === 'Established');
  if (known?.status === 'True') return known;
  if (!namesAccepted) return { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
  return { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' };
}

const APPROVAL = 'api-approved.kubernetes.io';

/** True for groups that only the Kubernetes project may define. */
export function isProtectedGroup(group: string): boolean {
  return /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);
}

function approval(definition: Definition): Omit<DefinitionCondition, 'lastTransitionTime'> | undefined {
  if (!isProtectedGroup(definition.spec.group)) return undefined;
  const value = definition.metadata.annotations?.[APPROVAL] ?? '';
  const type = 'KubernetesAPIApprovalPolicyConformant';
  if (value.startsWith('unapproved')) return { type, status: 'False', reason: 'UnapprovedAnnotation', message: `not approved: ${JSON.stringify(value)}` };
  if (URL.canParse(value)) return { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${value}` };
  const advice = `protected groups must have approval annotation "${APPROVAL}", see https://github.com/kubernetes/enhancements/pull/1111`;
  return { type, status: 'False', reason: value === '' ? 'MissingAnnotation' : 'InvalidAnnotation', message: advice };
}

/**
 * The status that the controllers of kube-apiserver would give a definition.
 * @param others the other definitions, whose accepted names are taken
 * @param now RFC 3339, for conditions that change
 */
export function settledStatus(definition: Definition, others: readonly Definition[], now: string): DefinitionStatus {
  const { names, condition } = judgeNames(definition, others);
  const policy = approval(definition);
  const conditions = [...(policy === undefined ? [] : [policy]), condition, establishment(definition, condition.status === 'True')];
  const status = definition.status ?? initialStatus(definition);
  return { conditions: conditions.map((one) => stamped(one, status.conditions, now)), acceptedNames: names, storedVersions: status.storedVersions };
}

function stamped(condition: Omit<DefinitionCondition, 'lastTransitionTime'>, known: readonly DefinitionCondition[] | null, now: string): DefinitionCondition {
  const before = known?.find((one) => one.type === condition.type);
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  const { type, status, reason, message } = condition;
  return { type, status, lastTransitionTime: since ?? now, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}
