// Whether a rule of RBAC allows a request. Source: k8s.io/kubernetes/pkg/apis/rbac/v1/evaluation_helpers.go and
// pkg/registry/rbac/validation/policy_compact.go.

export interface PolicyRule {
  verbs: readonly string[];
  apiGroups?: readonly string[];
  resources?: readonly string[];
  resourceNames?: readonly string[];
  nonResourceURLs?: readonly string[];
}

/** What somebody wants to do, as the authorizer sees it. */
export type AccessRequest =
  | {
      readonly kind: 'resource';
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly kind: 'path'; readonly verb: string; readonly path: string };

const ANY = '*';

function has(list: readonly string[] | undefined, value: string): boolean {
  return list !== undefined && (list.includes(value) || list.includes(ANY));
}

export function allows(rule: PolicyRule, request: AccessRequest): boolean {
  if (!has(rule.verbs, request.verb)) return false;
  if (request.kind === 'path') return (rule.nonResourceURLs ?? []).some((url) => coversPath(url, request.path));
  if (!has(rule.apiGroups, request.group) || !allowsResource(rule.resources ?? [], request.resource, request.subresource)) return false;
  return (rule.resourceNames ?? []).length === 0 || rule.resourceNames?.includes(request.name) === true;
}

/** `pods/log` is allowed by itself, by `*` and by any resource with `/log`; `pods` alone does not allow it. */
function allowsResource(resources: readonly string[], resource: string, subresource: string): boolean {
  const wanted = subresource === '' ? resource : `${resource}/${subresource}`;
  return has(resources, wanted) || (subresource !== '' && resources.includes(`*/${subresource}`));
}

function coversPath(url: string, path: string): boolean {
  return url === ANY || url === path || (url.endsWith(ANY) && path.startsWith(url.slice(0, -1)));
}

/** Rules with one verb, one group and one resource (or one URL) each. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const single: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) single.push({ verbs: [verb], nonResourceURLs: [url] });
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const base = { verbs: [verb], apiGroups: [group], resources: [resource] };
        const names = rule.resourceNames ?? [];
        if (names.length === 0) single.push(base);
        else for (const name of names) single.push({ ...base, resourceNames: [name] });
      }
    }
  }
  return single;
}

/** True when the owned rule grants all of the single one. */
function covers(owned: PolicyRule, single: PolicyRule): boolean {
  const every = (list: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean => (wanted ?? []).every((value) => has(list, value));
  if (!every(owned.verbs, single.verbs)) return false;
  const [url] = single.nonResourceURLs ?? [];
  if (url !== undefined) return (owned.nonResourceURLs ?? []).some((known) => coversPath(known, url));
  const [resource = ''] = single.resources ?? [];
  const [plural = '', subresource = ''] = resource.split('/');
  if (!every(owned.apiGroups, single.apiGroups) || !allowsResource(owned.resources ?? [], plural, subresource)) return false;
  const names = owned.resourceNames ?? [];
  return names.length === 0 || (single.resourceNames !== undefined && single.resourceNames.every((name) => names.includes(name)));
}

/** What of the wanted rules is not held, verbs of one thing together. */
export function missingRights(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const missing = new Map<string, PolicyRule & { verbs: string[] }>();
  for (const single of wanted.flatMap(breakDown)) {
    if (owned.some((rule) => covers(rule, single))) continue;
    const { verbs, ...about } = single;
    const key = JSON.stringify(about);
    const known = missing.get(key);
    if (known === undefined) missing.set(key, { ...about, verbs: [...verbs] });
    else known.verbs.push(...verbs);
  }
  return [...missing.values()];
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` */
export function ruleText(rule: PolicyRule): string {
  const part = (label: string, values: readonly string[] | undefined): string[] =>
    values === undefined || values.length === 0 ? [] : [`${label}:${quotedList(values)}`];
  return `{${[
    ...part('APIGroups', rule.apiGroups),
    ...part('Resources', rule.resources),
    ...part('NonResourceURLs', rule.nonResourceURLs),
    ...part('ResourceNames', rule.resourceNames),
    ...part('Verbs', rule.verbs),
  ].join(', ')}}`;
}

/** A list of texts as Go's %q prints it. */
export function quotedList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
