// The admission plugin PodSecurity: a namespace's labels say which standard its pods are held to, and which they are
// warned by. Workloads are only warned: it is their pods that are refused.
// Source: https://kubernetes.io/docs/concepts/security/pod-security-admission/
import type { KubeObject } from '@snapshot-stack/api-types';
import { part } from '../../builtin/kinds/loose.ts';
import { storageKeyOf } from '../../registry/resource.ts';
import type { Admission, Attributes } from '../../registry/writer.ts';
import { forbidden } from '../../status.ts';
import type { Store } from '../../store/store.ts';
import { violations, type Level } from './standards.ts';

const PREFIX = 'pod-security.kubernetes.io/';
const WORKLOADS = new Set(['apps/deployments', 'apps/daemonsets', 'apps/statefulsets', 'apps/replicasets']);

function isLevel(text: string | undefined): text is Level {
  return text === 'privileged' || text === 'baseline' || text === 'restricted';
}

/** `restricted:latest` and what breaks it; undefined where nothing does. */
function complaint(level: Level, version: string, spec: object): string | undefined {
  const found = violations(level, spec);
  if (found.length === 0) return undefined;
  return `violate PodSecurity "${level}:${version}": ${found.map(({ control, detail }) => `${control} (${detail})`).join(', ')}`;
}

export function podSecurity(store: Store): Admission {
  const asked = (namespace: string, mode: 'enforce' | 'warn'): { level: Level; version: string } | undefined => {
    const labels = store.collection('/namespaces').get(namespace)?.object.metadata.labels ?? {};
    const level = labels[`${PREFIX}${mode}`];
    return isLevel(level) ? { level, version: labels[`${PREFIX}${mode}-version`] ?? 'latest' } : undefined;
  };
  const check = (attributes: Attributes, object: KubeObject): void => {
    const key = storageKeyOf(attributes.definition);
    const isPod = key === '/pods';
    const namespace = attributes.namespace ?? '';
    const spec = isPod ? part(object, 'spec') : part(part(part(object, 'spec'), 'template'), 'spec');
    const enforced = isPod ? asked(namespace, 'enforce') : undefined;
    const refused = enforced && complaint(enforced.level, enforced.version, spec);
    if (refused !== undefined) throw forbidden({ group: '', kind: 'pods' }, attributes.name, refused.replace('violate', 'violates'));
    const warned = asked(namespace, 'warn');
    const words = warned && complaint(warned.level, warned.version, spec);
    if (words !== undefined) attributes.warn(`would ${words}`);
  };
  return {
    mutate: (_attributes, object) => Promise.resolve(object),
    validate: (attributes, object) => {
      const key = storageKeyOf(attributes.definition);
      const concerns = (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && attributes.subresource === undefined;
      if (concerns && object !== undefined && object.metadata.deletionTimestamp === undefined && (key === '/pods' || WORKLOADS.has(key)))
        check(attributes, object);
      return Promise.resolve();
    },
  };
}
