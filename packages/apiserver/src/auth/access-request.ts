// What a request asks for, in the terms of authorization. Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
import { parseResourcePath, type ResourcePath } from '../http/request-info.ts';
import type { AccessRequest } from './rbac-rules.ts';

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' };

/** @param path decoded by nobody yet */
export function accessRequestOf(method: string, path: string, query: URLSearchParams): AccessRequest {
  const target = parseResourcePath(path);
  if (target === undefined) return { kind: 'path', verb: method.toLowerCase(), path };
  const verb = verbOf(method, target, query);
  const isNamespace = target.group === '' && target.plural === 'namespaces';
  return {
    kind: 'resource',
    verb,
    group: target.group,
    resource: target.plural,
    subresource: target.subresource ?? '',
    // A Namespace counts as being in itself, so that roles of the namespace may speak of it.
    namespace: target.namespace ?? (isNamespace ? (target.name ?? '') : ''),
    name: target.name ?? (verb === 'create' ? '' : selectedName(query)),
  };
}

function verbOf(method: string, { name, legacyWatch }: ResourcePath, query: URLSearchParams): string {
  if (method === 'GET' || method === 'HEAD') {
    if (legacyWatch) return 'watch';
    if (name !== undefined) return 'get';
    const watch = query.get('watch');
    return watch !== null && watch !== 'false' && watch !== '0' ? 'watch' : 'list';
  }
  if (method === 'DELETE') return name === undefined ? 'deletecollection' : 'delete';
  return VERBS[method] ?? '';
}

/** A list of the one object that a field selector names asks for that object. */
function selectedName(query: URLSearchParams): string {
  return /(?:^|,)metadata\.name==?([^,=]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '')?.[1] ?? '';
}
