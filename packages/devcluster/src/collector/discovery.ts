// Which resources the API server serves, asked from the server itself, so that kinds installed later are cleaned up
// like the built-in ones.
import type { Resource } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';

export interface ServedResource extends Resource {
  readonly verbs: readonly string[];
}

interface ApiGroupList {
  groups: { name: string; preferredVersion?: { version: string }; versions: { version: string }[] }[];
}

interface ApiResourceList {
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

/** Every resource, each in one version: the group's preferred one where that serves it. Subresources are left out. */
export async function discover(client: Client, signal?: AbortSignal): Promise<ServedResource[]> {
  const groups = await read<ApiGroupList>(client, '/apis', signal);
  const versions = groups.groups.flatMap(({ name, preferredVersion, versions }) => {
    const preferred = preferredVersion?.version;
    const others = versions.map(({ version }) => version).filter((version) => version !== preferred);
    return [...(preferred === undefined ? [] : [preferred]), ...others].map((version) => ({ group: name, version }));
  });
  const found = new Map<string, ServedResource>();
  for (const { group, version } of [{ group: '', version: 'v1' }, ...versions]) {
    for (const resource of await resourcesOf(client, group, version, signal)) {
      const key = `${group}/${resource.plural}`;
      if (!found.has(key)) found.set(key, resource);
    }
  }
  return [...found.values()];
}

async function resourcesOf(client: Client, group: string, version: string, signal: AbortSignal | undefined): Promise<ServedResource[]> {
  const list = await read<ApiResourceList>(client, group === '' ? `/api/${version}` : `/apis/${group}/${version}`, signal);
  return list.resources
    .filter(({ name }) => !name.includes('/'))
    .map(({ name, kind, namespaced, verbs }) => ({ group, version, plural: name, kind, namespaced, verbs }));
}

async function read<T>(client: Client, path: string, signal: AbortSignal | undefined): Promise<T> {
  const { body } = await client.raw('GET', path, { headers: { accept: 'application/json' }, ...(signal && { signal }) });
  return body as T;
}

/** True for resources that can be watched and deleted one by one; events are left out, as nobody owns them. */
export function isCollectable({ plural, verbs }: ServedResource): boolean {
  return plural !== 'events' && ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb));
}
