// Waiting for objects to become what the story needs next, and telling what happens on the way.
import {
  persistentVolumeClaims,
  pods,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type Resource,
  type VolumeSnapshot,
} from '@snapshot-stack/api-types';
import { events, type KubeEvent } from '@snapshot-stack/api-types';
import { KubeError, type Client, type Ref } from '@snapshot-stack/runtime';
import { NAMESPACE } from './objects.ts';
import { DemoError } from './demo-error.ts';
import type { Story } from './story.ts';

const WAIT_MAX_MS = 120_000;

/** Follows one object until `done` says so. @throws DemoError with what was said about it when that takes too long */
export async function waitFor<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  ref: Ref,
  wish: string,
  done: (object: T) => boolean,
  signal: AbortSignal,
): Promise<T> {
  const deadline = AbortSignal.timeout(WAIT_MAX_MS);
  const until = AbortSignal.any([signal, deadline]);
  for (;;) {
    try {
      for await (const event of client.watch(resource, { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}`, signal: until })) {
        if ((event.type === 'ADDED' || event.type === 'MODIFIED') && done(event.object)) return event.object;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted)
        throw new DemoError(`${resource.kind} ${ref.name} did not become ${wish} within ${WAIT_MAX_MS / 1_000} s. ${await lastWords(client)}`, {
          cause: error,
        });
      if (!KubeError.from(error).retryable) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100)); // the API server is being started again
    }
  }
}

/** Waits until the object is gone. */
export async function waitForGone(client: Client, resource: Resource, ref: Ref, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  while ((await client.find(resource, ref, { signal })) !== undefined) {
    if (Date.now() > deadline) throw new DemoError(`${resource.kind} ${ref.name} did not go away. ${await lastWords(client)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function lastWords(client: Client): Promise<string> {
  const { items } = await client.list(events, { namespace: NAMESPACE });
  const warnings = items.filter((event) => event.type === 'Warning').slice(-3);
  return warnings.map((event) => `${event.involvedObject.kind ?? ''} ${event.involvedObject.name ?? ''}: ${event.message ?? ''}`).join(' | ');
}

function describe(resource: Resource, object: KubeObject): string | undefined {
  switch (resource) {
    case persistentVolumeClaims: {
      const { spec, status } = object as { spec?: { volumeName?: string }; status?: { phase?: string } };
      return status?.phase === 'Bound' ? `claim ${object.metadata.name ?? ''} is bound to ${spec?.volumeName ?? ''}` : undefined;
    }
    case volumeSnapshots: {
      const { status } = object as VolumeSnapshot;
      if (status?.error?.message !== undefined) return `snapshot ${object.metadata.name ?? ''}: ${status.error.message}`;
      return status?.readyToUse === true
        ? `snapshot ${object.metadata.name ?? ''} is ready, bound to ${status.boundVolumeSnapshotContentName ?? ''}`
        : undefined;
    }
    case volumeSnapshotContents: {
      const handle = (object as { status?: { snapshotHandle?: string } }).status?.snapshotHandle;
      return handle === undefined
        ? `content ${object.metadata.name ?? ''} was made for the snapshot`
        : `content ${object.metadata.name ?? ''} has the driver's snapshot ${handle}`;
    }
    case pods: {
      const phase = (object as { status?: { phase?: string } }).status?.phase;
      return phase === 'Running' ? `pod ${object.metadata.name ?? ''} runs, its volume is mounted` : undefined;
    }
    default:
      return undefined;
  }
}

/** Tells what happens to claims, snapshots, contents and pods, and which warnings there are, as it happens. */
export function narrate(client: Client, story: Story, signal: AbortSignal): void {
  const told = new Set<string>();
  const follow = async (resource: Resource, tell: (object: KubeObject) => string | undefined): Promise<void> => {
    for await (const event of client.watch(resource, { signal })) {
      const line = event.type === 'ADDED' || event.type === 'MODIFIED' ? tell(event.object) : undefined;
      if (line === undefined || told.has(line)) continue;
      told.add(line);
      story.say(`  ${line}`);
    }
  };
  for (const resource of [persistentVolumeClaims, volumeSnapshots, volumeSnapshotContents, pods])
    follow(resource, (object) => describe(resource, object)).catch(() => {});
  const warning = (object: KubeObject): string | undefined => {
    const { type, reason, message, involvedObject } = object as KubeEvent;
    return type === 'Warning' ? `! ${involvedObject.kind ?? ''} ${involvedObject.name ?? ''}: ${reason ?? ''}: ${message ?? ''}` : undefined;
  };
  follow(events, warning).catch(() => {});
}
