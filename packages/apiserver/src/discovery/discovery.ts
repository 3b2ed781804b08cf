// What the server serves, as clients ask for it: the plain lists of groups and resources, and both at once in
// the aggregated form. Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
import { createHash } from 'node:crypto';
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
  group?: string;
  version?: string;
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
  const { plural, singular, namespaced, kind, shortNames, categories } = definition;
  const main: ApiResource = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(definition),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(definition.verbs.includes('get') ? { storageVersionHash: storageVersionHash(definition) } : {}),
  };
  const below = subresourcesOf(definition).map(({ name, verbs: allowed, kind: own }) => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    ...(own ?? { kind }),
    verbs: allowed,
  }));
  return [main, ...below];
}

// Those of custom resources come in an order of their own.
function verbsOf({ verbs, custom }: ResourceDefinition): readonly string[] {
  return custom ? verbs : [...verbs].sort();
}

interface Subresource {
  readonly name: string;
  readonly verbs: readonly string[];
  /** Set when the subresource is of another kind than the resource. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
}

const READ_WRITE = ['get', 'patch', 'update'];

function subresourcesOf({ strategy, scale, group: name, plural }: ResourceDefinition): Subresource[] {
  return [
    ...(name === '' && plural === 'pods' ? [{ name: 'binding', verbs: ['create'], kind: { group: '', version: 'v1', kind: 'Binding' } }] : []),
    ...(name === '' && plural === 'namespaces' ? [{ name: 'finalize', verbs: ['update'] }] : []),
    ...(scale === undefined ? [] : [{ name: 'scale', verbs: READ_WRITE, kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } }]),
    ...(name === '' && plural === 'serviceaccounts'
      ? [{ name: 'token', verbs: ['create'], kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } }]
      : []),
    ...(strategy.hasStatus ? [{ name: 'status', verbs: READ_WRITE }] : []),
  ];
}

/** Tells clients whether two servers store a resource in the same form. Source: k8s.io/apiserver discovery.StorageVersionHash. */
function storageVersionHash({ group: name, version, kind, origin }: ResourceDefinition): string {
  const stored = origin?.spec.versions.find((one) => one.storage)?.name ?? version;
  return createHash('sha256').update(`${name}/${stored}/${kind}`).digest().subarray(0, 8).toString('base64');
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
  const { plural, singular, namespaced, kind, shortNames, categories, group: name, version } = definition;
  // A built-in kind is named alone: its group and version are those of the list.
  const responseKind = definition.custom ? { group: name, version, kind } : { group: '', version: '', kind };
  const below = subresourcesOf(definition).map(({ name: subresource, verbs: allowed, kind: own }) => ({
    subresource,
    responseKind: own ?? responseKind,
    verbs: allowed,
  }));
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(definition),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(below.length === 0 ? {} : { subresources: below }),
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

/** What / answers: the paths that there are. */
export function rootPaths(catalogue: Catalogue): object {
  const groups = [...groupsOf(catalogue)].filter(([name]) => name !== '');
  const apis = groups.flatMap(([name, versions]) => [`/apis/${name}`, ...versions.map((version) => `/apis/${name}/${version}`)]);
  return {
    paths: [
      '/api',
      '/api/v1',
      '/apis',
      ...apis,
      '/healthz',
      '/healthz/ping',
      '/livez',
      '/livez/ping',
      '/openapi/v2',
      '/openapi/v3',
      '/readyz',
      '/readyz/ping',
      '/version',
    ],
  };
}
