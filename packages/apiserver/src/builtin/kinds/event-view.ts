// Events of events.k8s.io/v1 are the Events of core/v1 under other names: one store, two views.
// Source: k8s.io/kubernetes/pkg/apis/events/v1/conversion.go.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { ResourceView } from '../../registry/resource.ts';
import { fieldsOf, type Fields } from './loose.ts';

// events.k8s.io name, core name.
const NAMES: readonly (readonly [string, string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function renamed(object: KubeObject, apiVersion: string, from: 0 | 1): KubeObject {
  const names = new Map(NAMES.map((pair) => [pair[from], pair[1 - from]] as const));
  const members = Object.entries(fieldsOf(object)).map(([name, value]) => [names.get(name) ?? name, value] as const);
  return { ...(Object.fromEntries(members) as Fields), apiVersion, kind: 'Event' } as unknown as KubeObject;
}

const shown = new WeakMap<KubeObject, KubeObject>();

export const eventView: ResourceView = {
  group: '',
  version: 'v1',
  show: (stored) => {
    const known = shown.get(stored) ?? renamed(stored, 'events.k8s.io/v1', 1);
    shown.set(stored, known);
    return known;
  },
  store: (view) => renamed(view, 'v1', 0),
};
