export * from './process/index.ts';
export { selfCheckAccess, type AccessRule } from './access/self-check.ts';
export { waitForResources, type WaitForResourcesOptions } from './access/wait-for-resources.ts';
export { Informer, type InformerHandler, type InformerOptions } from './cache/informer.ts';
export { ObjectCache, versionOf, type Cache, type Indexers } from './cache/object-cache.ts';
export {
  checkWorkFlags,
  checkedGates,
  checkedNaming,
  componentFlags,
  componentOptions,
  nodeOf,
  type ComponentOptions,
  type FeatureGates,
  type LeaderElectionSettings,
  type Naming,
} from './component/component-options.ts';
export { runComponent, type Component, type ComponentParts, type ComponentWork } from './component/run-component.ts';
export {
  createClient,
  guarded,
  pathOf,
  type CallOptions,
  type Client,
  type ClientOptions,
  type DeleteOptions,
  type JsonPatchOperation,
  type ListOptions,
  type Patch,
  type RawAnswer,
  type RawRequest,
  type Ref,
  type RequestRecord,
  type WatchOptions,
  type WriteOptions,
} from './client/client.ts';
export { ConnectionError, connectionFromKubeConfig, loadConnection, type Connection, type TlsOptions } from './client/connection.ts';
export { KubeError, isAlreadyExists, isConflict, isNotFound, type KubeErrorCode } from './client/kube-error.ts';
export type { WatchEvent } from './client/watch.ts';
export { isWrite, wrapClient, type Call, type ClientHooks } from './client/wrap-client.ts';
export { Controller, done, type ControllerOptions, type Result } from './controller/controller.ts';
export { LeaderElection, leaseNameOf, uniqueIdentity, type LeaderElectionOptions } from './controller/leader-election.ts';
export { WorkQueue, type WorkQueueOptions } from './controller/work-queue.ts';
export { createEventRecorder, type EventRecorder, type EventRecorderOptions, type EventType } from './events/event-recorder.ts';
