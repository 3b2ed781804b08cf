import { Annotation, Finalizer, volumeSnapshotContents, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { guarded, type Client, type EventRecorder } from '@snapshot-stack/runtime';
import type { BoundedSet } from '../bounded-set.ts';
import type { Cluster } from '../cluster.ts';
import type { ContentPlan } from './decide.ts';

export interface ContentHands {
  client: Client;
  cluster: Cluster;
  events: EventRecorder;
  /** What was said already, so that looking again does not say it again. */
  told: BoundedSet;
}

export async function executeContent(plan: ContentPlan, { client, cluster, events, told }: ContentHands, signal: AbortSignal): Promise<void> {
  const patch = async (content: VolumeSnapshotContent, metadata: object): Promise<void> => {
    const answer = await client.patch(volumeSnapshotContents, { name: content.metadata.name ?? '' }, guarded(content, { metadata }), { signal });
    cluster.contents.cache.remember(answer);
  };
  switch (plan.kind) {
    case 'nothing':
      return;
    case 'protect':
      return patch(plan.content, { finalizers: [...(plan.content.metadata.finalizers ?? []), Finalizer.content] });
    case 'mark':
      return patch(plan.content, { annotations: { [Annotation.beingDeleted]: 'yes' } });
    case 'complain': {
      const saying = `${plan.content.metadata.uid} ${plan.reason}`;
      if (told.has(saying)) return;
      told.add(saying);
      events.record(volumeSnapshotContents, plan.content, 'Warning', plan.reason, plan.message);
    }
  }
}
