// Role-based access control: who may do what, by the roles and bindings in the store. Bindings are indexed by
// subject, so that a decision looks only at those of the one who asks; any change of them drops the index.
// Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac.
import { matchesLabels, type KubeObject, type LabelSelectorLike } from '@snapshot-stack/api-types';
import type { User } from '../registry/writer.ts';
import type { Store } from '../store/store.ts';
import { allows, type AccessRequest, type PolicyRule } from './rbac-rules.ts';

export const MASTERS = 'system:masters';
const GROUP = 'rbac.authorization.k8s.io';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

export interface RoleRef {
  kind: string;
  name: string;
  apiGroup?: string;
}

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

export interface Binding extends KubeObject {
  roleRef: RoleRef;
  subjects?: Subject[];
}

export interface Role extends KubeObject {
  rules?: PolicyRule[] | null;
  aggregationRule?: { clusterRoleSelectors?: LabelSelectorLike[] };
}

/** A binding as one of its subjects has it. */
interface Grant {
  readonly binding: Binding;
  readonly subject: Subject;
  /** '' for the whole cluster. */
  readonly namespace: string;
}

export type Decision = { readonly allowed: true; readonly reason: string } | { readonly allowed: false; readonly reason: string };

export class Rbac {
  readonly #store: Store;
  #index: Map<string, Grant[]> | undefined;
  /** Effective rules by `Role/ns/name` or `ClusterRole//name`; undefined for a role that is not there. */
  readonly #rules = new Map<string, readonly PolicyRule[] | undefined>();

  constructor(store: Store) {
    this.#store = store;
    const forget = (): void => {
      this.#index = undefined;
      this.#rules.clear();
    };
    for (const plural of ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']) store.collection(`${GROUP}/${plural}`).listen(forget);
  }

  decide(user: User, request: AccessRequest): Decision {
    if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' };
    const missing = new Set<string>();
    for (const grant of this.#grantsOf(user, request.kind === 'path' ? '' : request.namespace)) {
      const rules = this.rulesOf(grant.binding.roleRef, grant.namespace);
      if (rules === undefined) missing.add(roleNotFound(grant.binding.roleRef));
      else if (rules.some((rule) => allows(rule, request))) return { allowed: true, reason: `RBAC: allowed by ${describe(grant)}` };
    }
    if (missing.size === 0) return { allowed: false, reason: '' };
    return { allowed: false, reason: `RBAC: ${missing.size === 1 ? [...missing].join('') : `[${[...missing].join(', ')}]`}` };
  }

  /** All rules that hold for somebody in a namespace ('' for the whole cluster only). */
  rulesFor(user: User, namespace: string): PolicyRule[] {
    const everything: PolicyRule[] = [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ];
    const own = this.#grantsOf(user, namespace).flatMap((grant) => this.rulesOf(grant.binding.roleRef, grant.namespace) ?? []);
    return user.groups.includes(MASTERS) ? [...everything, ...own] : own;
  }

  /** The rules of a role as seen from a namespace; undefined when there is no such role. */
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const key = ref.kind === 'Role' ? `Role/${namespace}/${ref.name}` : `ClusterRole//${ref.name}`;
    if (this.#rules.has(key)) return this.#rules.get(key);
    const collection = this.#store.collection(`${GROUP}/${ref.kind === 'Role' ? 'roles' : 'clusterroles'}`);
    const role = collection.get(ref.kind === 'Role' ? `${namespace}/${ref.name}` : ref.name)?.object as Role | undefined;
    const rules = role === undefined ? undefined : [...(role.rules ?? []), ...this.#aggregated(role)];
    this.#rules.set(key, rules);
    return rules;
  }

  /** The rules of the roles that an aggregating role gathers; in a cluster a controller writes them into it. */
  #aggregated({ aggregationRule, metadata }: Role): PolicyRule[] {
    const selectors = aggregationRule?.clusterRoleSelectors ?? [];
    if (selectors.length === 0) return [];
    return this.#store
      .collection(`${GROUP}/clusterroles`)
      .list('')
      .map((entry) => entry.object as Role)
      .filter((role) => role.metadata.name !== metadata.name && selectors.some((selector) => matchesLabels(selector, role.metadata.labels ?? {})))
      .flatMap((role) => role.rules ?? []);
  }

  #grantsOf(user: User, namespace: string): Grant[] {
    const index = (this.#index ??= this.#build());
    const keys = [`User:${user.name}`, ...user.groups.map((group) => `Group:${group}`)];
    return keys.flatMap((key) => index.get(key) ?? []).filter((grant) => grant.namespace === '' || grant.namespace === namespace);
  }

  #build(): Map<string, Grant[]> {
    const index = new Map<string, Grant[]>();
    for (const plural of ['clusterrolebindings', 'rolebindings']) {
      for (const { object } of this.#store.collection(`${GROUP}/${plural}`).list('')) {
        const binding = object as Binding;
        const namespace = binding.metadata.namespace ?? '';
        for (const subject of binding.subjects ?? []) {
          const key = subjectKey(subject, namespace);
          index.set(key, [...(index.get(key) ?? []), { binding, subject, namespace }]);
        }
      }
    }
    return index;
  }
}

function subjectKey({ kind, name, namespace }: Subject, ownNamespace: string): string {
  return kind === 'ServiceAccount' ? `User:system:serviceaccount:${namespace ?? ownNamespace}:${name}` : `${kind}:${name}`;
}

function roleNotFound({ kind, name }: RoleRef): string {
  return `${kind.toLowerCase()}.${GROUP} ${JSON.stringify(name)} not found`;
}

function describe({ binding, subject, namespace }: Grant): string {
  const { name = '' } = binding.metadata;
  const where = namespace === '' ? `ClusterRoleBinding ${JSON.stringify(name)}` : `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`;
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? namespace}` : subject.name;
  return `${where} of ${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)} to ${subject.kind} ${JSON.stringify(who)}`;
}

/** Namespace and name of the service account that a user name stands for. */
export function serviceAccountOf(userName: string): { namespace: string; name: string } | undefined {
  const [, namespace, name] = SERVICE_ACCOUNT.exec(userName) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

/** The end of the sentence that refuses a request. */
export function denialText(user: User, request: AccessRequest, reason: string): string {
  const because = reason === '' ? '' : `: ${reason}`;
  if (request.kind === 'path') return `User ${JSON.stringify(user.name)} cannot ${request.verb} path ${JSON.stringify(request.path)}${because}`;
  const { verb, group, resource, subresource, namespace } = request;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${because}`;
}
