// What a Role and a ClusterRole may say. Source: k8s.io/kubernetes/pkg/apis/rbac/validation (ValidatePolicyRule).
import type { KubeObject } from '@snapshot-stack/api-types';
import type { Strategy } from '../registry/resource.ts';
import { invalid, required, type FieldError } from '../schema/field-error.ts';
import type { Role } from './rbac.ts';
import type { PolicyRule } from './rbac-rules.ts';

function ruleErrors(rule: Partial<PolicyRule>, at: string, namespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const errors = verbs.length === 0 ? [required(`${at}.verbs`, 'verbs must contain at least one value')] : [];
  if (nonResourceURLs.length > 0) {
    if (namespaced) errors.push(invalid(`${at}.nonResourceURLs`, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      errors.push(invalid(`${at}.nonResourceURLs`, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'));
    return errors;
  }
  if (apiGroups.length === 0) errors.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources.length === 0) errors.push(required(`${at}.resources`, 'resource rules must supply at least one resource'));
  return errors;
}

const validate =
  (namespaced: boolean) =>
  (object: KubeObject): FieldError[] =>
    ((object as Role).rules ?? []).flatMap((rule, index) => ruleErrors(rule, `rules[${index}]`, namespaced));

export const role: Partial<Strategy> = { nameRule: 'path', validate: validate(true) };
export const clusterRole: Partial<Strategy> = { nameRule: 'path', validate: validate(false) };
