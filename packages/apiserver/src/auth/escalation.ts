// Nobody grants what he does not have: writing a role takes all of its rights (or the verb `escalate`), binding one
// takes them too (or the verb `bind`). Source: k8s.io/kubernetes/pkg/registry/rbac/*/policybased/storage.go.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../registry/deep-equal.ts';
import type { Admission, Attributes } from '../registry/writer.ts';
import { forbidden } from '../status.ts';
import { MASTERS, type Binding, type Rbac, type Role, type RoleRef } from './rbac.ts';
import { missingRights, quotedList, ruleText, type PolicyRule } from './rbac-rules.ts';

const GROUP = 'rbac.authorization.k8s.io';

/** {@link checkEscalation} as an admission plugin. */
export function escalationAdmission(rbac: Rbac): Admission {
  return {
    mutate: (_attributes, object) => Promise.resolve(object),
    validate: async (attributes, object, old) => checkEscalation(rbac, attributes, object, old),
  };
}

/** @throws StatusError 403 that lists the rights which are not held */
export function checkEscalation(rbac: Rbac, attributes: Attributes, object: KubeObject | undefined, old: KubeObject | undefined): void {
  const { definition, user, operation } = attributes;
  if (definition.group !== GROUP || operation === 'DELETE' || object === undefined || user.groups.includes(MASTERS)) return;
  if (definition.kind === 'Role' || definition.kind === 'ClusterRole') checkRole(rbac, attributes, object as Role, old as Role | undefined);
  else checkBinding(rbac, attributes, object as Binding, old as Binding | undefined);
}

function may(rbac: Rbac, { user, namespace = '' }: Attributes, verb: string, resource: string, name: string): boolean {
  return rbac.decide(user, { kind: 'resource', verb, group: GROUP, resource, subresource: '', namespace, name }).allowed;
}

function checkRole(rbac: Rbac, attributes: Attributes, role: Role, old: Role | undefined): void {
  if (old !== undefined && deepEqual(role.rules ?? [], old.rules ?? []) && deepEqual(role.aggregationRule, old.aggregationRule)) return;
  const { definition, name } = attributes;
  if (may(rbac, attributes, 'escalate', definition.plural, name)) return;
  checkHeld(rbac, attributes, role.rules ?? []);
  if (role.aggregationRule !== undefined && !deepEqual(role.aggregationRule, old?.aggregationRule)) {
    // What the controller will write into an aggregating role cannot be foreseen.
    checkHeld(rbac, attributes, [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ]);
  }
}

function checkBinding(rbac: Rbac, attributes: Attributes, binding: Binding, old: Binding | undefined): void {
  if (old !== undefined && deepEqual(binding.roleRef, old.roleRef) && deepEqual(binding.subjects ?? [], old.subjects ?? [])) return;
  const { roleRef } = binding;
  if (may(rbac, attributes, 'bind', resourceOf(roleRef), roleRef.name)) return;
  const rules = rbac.rulesOf(roleRef, attributes.namespace ?? '');
  if (rules === undefined) {
    const missing = `${roleRef.kind.toLowerCase()}.${GROUP} ${JSON.stringify(roleRef.name)} not found`;
    throw forbidden({ group: GROUP, kind: attributes.definition.plural }, attributes.name, missing);
  }
  checkHeld(rbac, attributes, rules);
}

function resourceOf({ kind }: RoleRef): string {
  return kind === 'Role' ? 'roles' : 'clusterroles';
}

function checkHeld(rbac: Rbac, { user, namespace = '', definition, name }: Attributes, rules: readonly PolicyRule[]): void {
  const missing = missingRights(rbac.rulesFor(user, namespace), rules);
  if (missing.length === 0) return;
  const list = missing.map(ruleText).join('\n');
  const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
  throw forbidden({ group: GROUP, kind: definition.plural }, name, `${who} is attempting to grant RBAC permissions not currently held:\n${list}`);
}
