// Gives each Service an address that no other has. Nothing listens there: what a Service leads to is told to the server
// by resolveService, and this is only so that objects look as they do in a cluster.
import type { KubeObject } from '@snapshot-stack/api-types';
import { part, text } from '../builtin/kinds/loose.ts';
import { storageKeyOf } from '../registry/resource.ts';
import type { Admission } from '../registry/writer.ts';
import { StatusError } from '../status.ts';
import type { Store } from '../store/store.ts';

/** 10.96.0.0/16, kubeadm's usual range cut down; the first addresses are the cluster's own. */
const PREFIX = '10.96';
const FIRST = 16;
const LAST = 65_534;

function addressOf(index: number): string {
  return `${PREFIX}.${index >> 8}.${index & 0xff}`;
}

/** Starts the search at a place of the Service's own, so that it does not walk over all the others. */
function startFor(key: string): number {
  let hash = 0;
  for (const character of key) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % (LAST - FIRST);
  return hash;
}

export function serviceAddresses(store: Store): Admission {
  const taken = (): Set<string> =>
    new Set(
      store
        .collection('/services')
        .list('')
        .map(({ object }) => text(part(object, 'spec'), 'clusterIP')),
    );
  const allocate = (service: KubeObject): string => {
    const inUse = taken();
    const size = LAST - FIRST;
    const start = startFor(`${service.metadata.namespace}/${service.metadata.name}`);
    for (let step = 0; step < size; step++) {
      const address = addressOf(FIRST + ((start + step) % size));
      if (!inUse.has(address)) return address;
    }
    throw new StatusError(500, 'InternalError', `all ${size} addresses for Services are in use`);
  };
  return {
    mutate: (attributes, object) => {
      if (object === undefined || attributes.subresource !== undefined || storageKeyOf(attributes.definition) !== '/services') return Promise.resolve(object);
      const spec = part(object, 'spec');
      if (spec['type'] === 'ExternalName') return Promise.resolve(object);
      if (text(spec, 'clusterIP') === '') spec['clusterIP'] = allocate(object);
      spec['clusterIPs'] ??= [spec['clusterIP']];
      return Promise.resolve(object);
    },
    validate: () => Promise.resolve(),
  };
}
