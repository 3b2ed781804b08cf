// What the server serves, as clients ask for it: the plain lists of groups and resources, and both at once in
// the aggregated form. Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import type { Catalogue } from '../registry/catalogue.ts';

interface ApiResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
  verbs: readonly string[];
  shortNames?: readonly string[];
  categories?: readonly string[];
  storageVersionHash?: string;
}

/** kube-apiserver's order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, others. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (match === null) return [3, 0, 0];
    const stage = match[2] === undefined ? 0 : match[2] === 'beta' ? 1 : 2;
    return [stage, -Number(match[1]), -Number(match[3] ?? 0)];
  };
  const [left, right] = [rank(a), rank(b)];
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return (left[i] as number) - (right[i] as number);
  return a < b ? -1 : a > b ? 1 : 0;
}

function resourcesOf(definition: ResourceDefinition): ApiResource[] {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories } = definition;
  const main: ApiResource = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: [...verbs].sort(),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
  if (!definition.strategy.hasStatus) return [main];
  return [main, { name: `${plural}/status`, singularName: '', namespaced, kind, verbs: ['get', 'patch', 'update'] }];
}

function groupsOf(catalogue: Catalogue): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group, version } of catalogue.all()) {
    const versions = groups.get(group) ?? [];
    if (!versions.includes(version)) versions.push(version);
    groups.set(group, versions.sort(compareVersions));
  }
  return groups;
}

export function apiVersions(address: string): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }] };
}

function groupObject(name: string, versions: readonly string[]): object {
  const listed = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

export function groupList(catalogue: Catalogue): object {
  const groups = [...groupsOf(catalogue)].filter(([name]) => name !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(([name, versions]) => groupObject(name, versions)) };
}

export function group(catalogue: Catalogue, name: string): object | undefined {
  const versions = groupsOf(catalogue).get(name);
  return versions === undefined || name === '' ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupObject(name, versions) };
}

export function resourceList(catalogue: Catalogue, name: string, version: string): object | undefined {
  const definitions = catalogue.all().filter((definition) => definition.group === name && definition.version === version);
  if (definitions.length === 0) return undefined;
  const resources = definitions.flatMap(resourcesOf);
  return { kind: 'APIResourceList', ...(name === '' ? {} : { apiVersion: 'v1' }), groupVersion: groupVersionOf({ group: name, version }), resources };
}

function aggregatedResource(definition: ResourceDefinition): object {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories, group: name, version } = definition;
  const responseKind = { group: name, version, kind };
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: [...verbs].sort(),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(definition.strategy.hasStatus ? { subresources: [{ subresource: 'status', responseKind, verbs: ['get', 'patch', 'update'] }] } : {}),
  };
}

/** @param core true for /api, false for /apis */
export function aggregated(catalogue: Catalogue, core: boolean): object {
  const groups = [...groupsOf(catalogue)].filter(([name]) => (name === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(([name, versions]) => ({
      metadata: { name: name === '' ? null : name, creationTimestamp: null },
      versions: versions.map((version) => ({
        version,
        freshness: 'Current',
        resources: catalogue
          .all()
          .filter((definition) => definition.group === name && definition.version === version)
          .map(aggregatedResource),
      })),
    })),
  };
}
