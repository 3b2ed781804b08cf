// What a URL asks for, by the rules of kube-apiserver: which resource, which object, which subresource.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris

export interface ResourcePath {
  group: string;
  version: string;
  namespace: string | undefined;
  plural: string;
  name: string | undefined;
  subresource: string | undefined;
  /** `/watch/` paths, deprecated but served. */
  legacyWatch: boolean;
}

/** undefined for a path that is none of a resource, or cannot be decoded. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const parts = decodeParts(path);
  if (parts === undefined) return undefined;
  let group: string;
  let version: string;
  if (parts[0] === 'api') [group, version] = ['', parts[1] ?? ''];
  else if (parts[0] === 'apis') [group, version] = [parts[1] ?? '', parts[2] ?? ''];
  else return undefined;
  let rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const legacyWatch = rest[0] === 'watch' && rest.length > 1;
  if (legacyWatch) rest = rest.slice(1);
  if (rest.length === 0 || rest.length > 5) return undefined;
  let namespace: string | undefined;
  // namespaces/<name>/{status,finalize} are subresources of the Namespace itself.
  const ofNamespace = rest[0] === 'namespaces' && rest.length > 2 && !(rest.length === 3 && (rest[2] === 'status' || rest[2] === 'finalize'));
  if (ofNamespace) {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const [plural = '', name, subresource, more] = rest;
  if (more !== undefined || plural === '') return undefined;
  return { group, version, namespace, plural, name, subresource, legacyWatch };
}

function decodeParts(path: string): string[] | undefined {
  try {
    return path
      .split('/')
      .filter((part) => part !== '')
      .map((part) => decodeURIComponent(part));
  } catch {
    return undefined;
  }
}
