// All stories, and how they are told: one after the other, for some of them kill what others would need.
import type { CellOutcome } from '../cell.ts';
import type { Cluster } from '../cluster.ts';
import { choiceStories } from './choice.ts';
import { lifetimeStories } from './lifetime.ts';
import { operationStories } from './operation.ts';
import { Stage, type Story } from './story.ts';

export { Stage, type Story } from './story.ts';

export const stories: readonly Story[] = [...choiceStories, ...lifetimeStories, ...operationStories];

/** Why the story cannot be told on this cluster; undefined when it can. */
export function untold({ needs = [] }: Story, cluster: Cluster): string | undefined {
  return needs.map((feature) => cluster.lacks(feature)).find((reason) => reason !== undefined);
}

export interface TellOptions {
  cluster: Cluster;
  filter: (name: string) => boolean;
  onOutcome?: (outcome: CellOutcome) => void;
  /** Where what is known of a failed story is collected. */
  failureDir?: (name: string) => string;
}

export async function tellStories({ cluster, filter, onOutcome = () => {}, failureDir }: TellOptions): Promise<CellOutcome[]> {
  const stage = new Stage(cluster);
  await stage.fixtures.classes();
  const outcomes: CellOutcome[] = [];
  for (const story of stories.filter(({ name }) => filter(name))) {
    const outcome = await tell(story, stage, failureDir);
    outcomes.push(outcome);
    onOutcome(outcome);
  }
  return outcomes;
}

async function tell(story: Story, stage: Stage, failureDir: TellOptions['failureDir']): Promise<CellOutcome> {
  const { name } = story;
  const reason = untold(story, stage.cluster);
  if (reason !== undefined) return { name, result: 'impossible', ms: 0, detail: reason };
  const start = performance.now();
  const took = (): number => Math.round(performance.now() - start);
  try {
    await story.tell(stage);
    return { name, result: 'passed', ms: took(), detail: '' };
  } catch (error) {
    if (failureDir !== undefined) await stage.cluster.collect(failureDir(name));
    return { name, result: 'failed', ms: took(), detail: (error as Error).message };
  }
}
