// The caches that the controllers read, with the indexes they look things up by.
import {
  csiDrivers,
  customResourceDefinitions,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
  volumeAttachments,
  type CsiDriver,
  type KubeObject,
  type Namespace,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type Resource,
  type StorageClass,
  type VolumeAttachment,
} from '@snapshot-stack/api-types';
import { Informer, type Client, type Clock, type Indexers, type Log, type Random } from '@snapshot-stack/runtime';
import { claimKeyOf, claimKeysOf, Index, type Caches } from './context.ts';

export interface Informers {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly csiDrivers: Informer<CsiDriver>;
  readonly attachments: Informer<VolumeAttachment>;
  readonly namespaces: Informer<Namespace>;
  /** Only its events count: the set of resources to collect garbage of changes with it. */
  readonly definitions: Informer<KubeObject>;
}

export function makeInformers(options: { client: Client; clock: Clock; random: Random; log: Log }): Informers {
  const informer = <T extends KubeObject>(resource: Resource<T>, indexers: Indexers<T> = {}): Informer<T> =>
    new Informer<T>({ ...options, resource, indexers });
  return {
    claims: informer(persistentVolumeClaims),
    volumes: informer(persistentVolumes, { [Index.claim]: (volume) => [claimKeyOf(volume) ?? ''] }),
    classes: informer(storageClasses),
    pods: informer(pods, { [Index.claim]: claimKeysOf, [Index.uid]: ({ metadata }) => [metadata.uid ?? ''] }),
    nodes: informer(nodes),
    csiDrivers: informer(csiDrivers),
    attachments: informer(volumeAttachments),
    namespaces: informer(namespaces),
    definitions: new Informer<KubeObject>({
      ...options,
      resource: customResourceDefinitions,
      // Schemas are large, and nobody here reads them.
      transform: ({ metadata: { name = '', resourceVersion = '', uid = '' } }) => ({ metadata: { name, resourceVersion, uid } }),
    }),
  };
}

export function cachesOf(informers: Informers): Caches {
  return {
    claims: informers.claims.cache,
    volumes: informers.volumes.cache,
    classes: informers.classes.cache,
    pods: informers.pods.cache,
    nodes: informers.nodes.cache,
    csiDrivers: informers.csiDrivers.cache,
    attachments: informers.attachments.cache,
    namespaces: informers.namespaces.cache,
  };
}
