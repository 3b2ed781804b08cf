// Stories of what is chosen when a snapshot does not say it all, and of what comes late.
import { Annotation, persistentVolumeClaims, volumeSnapshotClasses } from '@snapshot-stack/api-types';
import { SOURCE_MIB, claimObject } from '../fixtures.ts';
import { CLASS, expected, type Stage, type Story } from './story.ts';

const early: Story = {
  name: 'a snapshot of a claim that does not exist yet says so, and goes on as soon as it does',
  tell: async (stage) => {
    await stage.ask('early', 'late-claim', 'e2e-delete');
    await stage.complains('early', /late-claim/);
    await stage.fixtures.apply(persistentVolumeClaims, claimObject('late-claim', 'Filesystem', CLASS, SOURCE_MIB));
    const { status } = await stage.ready('early');
    expected(status?.error === undefined, `it is ready, and still says: ${status?.error?.message ?? ''}`);
  },
};

const lateClass: Story = {
  name: 'a snapshot of a class that does not exist yet names it, and goes on as soon as it does',
  tell: async (stage) => {
    await stage.source('of-late-class');
    await stage.ask('late-class', 'of-late-class', 'e2e-late');
    await stage.complains('late-class', /e2e-late/);
    await stage.class('e2e-late', 'Delete');
    await stage.ready('late-class');
  },
};

async function markDefault(stage: Stage, name: string, isDefault: boolean): Promise<void> {
  const annotations = { [Annotation.isDefaultClass]: isDefault ? 'true' : null };
  await stage.cluster.client.patch(volumeSnapshotClasses, { name }, { kind: 'merge', body: { metadata: { annotations } } });
}

const defaults: Story = {
  name: 'a snapshot without a class waits while its driver has no default class, and gets the one that becomes it',
  tell: async (stage) => {
    await stage.fixtures.setDefaultClass(undefined);
    await stage.source('of-default');
    await stage.ask('defaulted', 'of-default');
    await stage.complains('defaulted', /default/);
    await markDefault(stage, 'e2e-retain', true);
    const { spec } = await stage.ready('defaulted');
    expected(spec.volumeSnapshotClassName === 'e2e-retain', `it got class ${spec.volumeSnapshotClassName ?? 'none'}`);
    await markDefault(stage, 'e2e-retain', false);
  },
};

const twice: Story = {
  name: 'two claims restored from one snapshot at once both hold what it holds',
  tell: async (stage) => {
    await stage.source('shared');
    await stage.take('shared', 'shared');
    const claims = ['shared-copy-1', 'shared-copy-2'];
    await Promise.all(claims.map((claim) => stage.restore(claim, 'shared')));
    await Promise.all(claims.map((claim) => stage.use(claim)));
    await Promise.all(claims.map((claim) => stage.holdsTheContent(claim)));
    await stage.disappears('shared');
  },
};

export const choiceStories: readonly Story[] = [early, lateClass, defaults, twice];
