// Asks the API server at start whether our own account may do what we will have to do, so that a missing
// RBAC rule is a sentence in the log at once and not a mystery hours later.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
import type { Client } from '../client/client.ts';

export interface AccessRule {
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  /** Of the one object that is needed; without it the right to all of them is asked about. */
  name?: string;
  verbs: readonly string[];
}

const CONCURRENT_MAX = 8;

interface Review {
  status?: { allowed?: boolean; reason?: string };
}

/**
 * The permissions that are missing, each as `list volumesnapshots.snapshot.storage.k8s.io`.
 * @throws KubeError when the reviews themselves cannot be made
 */
export async function selfCheckAccess(client: Client, rules: readonly AccessRule[], signal?: AbortSignal): Promise<string[]> {
  const questions = rules.flatMap((rule) => rule.verbs.map((verb) => ({ ...rule, verb })));
  const missing: string[] = [];
  const ask = async (): Promise<void> => {
    for (let question = questions.shift(); question !== undefined; question = questions.shift()) {
      const { group, resource, subresource, namespace, name, verb } = question;
      const body = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { group, resource, subresource, namespace, name, verb } },
      };
      const answer = await client.raw('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { body, signal });
      if ((answer.body as Review).status?.allowed === true) continue;
      const kind = `${resource}${subresource === undefined ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;
      const what = name === undefined ? kind : `${kind} ${name}`;
      missing.push(`${verb} ${what}${namespace === undefined ? '' : ` in namespace ${namespace}`}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_MAX }, ask));
  return missing.sort();
}
