// Stories of how long things live: policies, protection of what is still needed, and crashes in between.
import { Finalizer, hasFinalizer, persistentVolumeClaims, persistentVolumes, pods, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { secrets } from '@snapshot-stack/api-types';
import { CRASHABLE } from '../cluster.ts';
import { NAMESPACE } from '../fixtures.ts';
import { eventAbout, until } from '../wait.ts';
import { expected, named, type Story } from './story.ts';

const policies: Story = {
  name: 'policy Delete takes the content with the snapshot, policy Retain keeps it',
  tell: async (stage) => {
    const { client } = stage.cluster;
    await stage.source('policies');
    for (const policy of ['delete', 'retain']) {
      const { status } = await stage.take(`policy-${policy}`, 'policies', `e2e-${policy}`);
      await stage.disappears(`policy-${policy}`);
      const content = { name: status?.boundVolumeSnapshotContentName ?? '' };
      const left = await client.find(volumeSnapshotContents, content);
      expected((left === undefined) === (policy === 'delete'), `with policy ${policy} the content is ${left === undefined ? 'gone' : 'still there'}`);
      if (left !== undefined) await client.delete(volumeSnapshotContents, content);
    }
  },
};

/** A snapshot whose driver secret is not there yet cannot be taken: time enough to delete the claim under it. */
const sourceProtection: Story = {
  name: 'a claim that is deleted while a snapshot of it is taken stays until the snapshot is ready',
  tell: async (stage) => {
    const { client } = stage.cluster;
    await stage.source('protected');
    await stage.class('e2e-with-secret', 'Delete', {
      parameters: { 'csi.storage.k8s.io/snapshotter-secret-name': 'late', 'csi.storage.k8s.io/snapshotter-secret-namespace': NAMESPACE },
    });
    await stage.ask('of-protected', 'protected', 'e2e-with-secret');
    await until(
      client,
      persistentVolumeClaims,
      named('protected'),
      'protected',
      (claim) => claim !== undefined && hasFinalizer(claim, Finalizer.claimAsSource),
    );
    await client.delete(pods, named('protected'), { gracePeriodSeconds: 0 });
    await client.delete(persistentVolumeClaims, named('protected'));
    await until(client, pods, named('protected'), 'gone', (pod) => pod === undefined);
    expected((await client.find(persistentVolumeClaims, named('protected'))) !== undefined, 'the claim went while its snapshot was not taken');
    await client.create(secrets, { metadata: named('late'), data: { token: 'bGF0ZQ==' } });
    await stage.ready('of-protected');
    await until(client, persistentVolumeClaims, named('protected'), 'gone', (claim) => claim === undefined);
    await stage.restore('after-protected', 'of-protected');
    await stage.use('after-protected');
    await stage.holdsTheContent('after-protected');
    await stage.disappears('of-protected');
  },
};

const doomed: Story = {
  name: 'a claim restored from a snapshot that is being deleted is told so',
  tell: async (stage) => {
    const { client } = stage.cluster;
    await stage.source('doomed');
    await stage.take('doomed', 'doomed');
    await client.patch(volumeSnapshots, named('doomed'), { kind: 'json', body: [{ op: 'add', path: '/metadata/finalizers/-', value: 'example.com/hold' }] });
    await client.delete(volumeSnapshots, named('doomed'));
    await stage.restore('too-late', 'doomed');
    await eventAbout(client, named('too-late'), /doomed.* is being deleted/);
    await client.patch(volumeSnapshots, named('doomed'), { kind: 'merge', body: { metadata: { finalizers: null } } });
    await client.delete(persistentVolumeClaims, named('too-late'));
  },
};

const shortLived: Story = {
  name: 'deleting a claim takes its volume with it, and leaves its snapshots',
  tell: async (stage) => {
    const { client } = stage.cluster;
    await stage.source('short-lived');
    await stage.take('outlives', 'short-lived');
    const { spec } = await stage.claim('short-lived');
    await client.delete(pods, named('short-lived'), { gracePeriodSeconds: 0 });
    await client.delete(persistentVolumeClaims, named('short-lived'));
    await until(client, persistentVolumes, { name: spec.volumeName ?? '' }, 'gone', (volume) => volume === undefined);
    await stage.restore('from-outlives', 'outlives');
    await stage.use('from-outlives');
    await stage.holdsTheContent('from-outlives');
    await stage.disappears('outlives');
  },
};

const killed: Story = {
  name: 'whichever process is killed while snapshots are taken, all of them become ready and none is left when deleted',
  needs: ['crash'],
  tell: async (stage) => {
    const { client } = stage.cluster;
    await stage.source('killed');
    const names: string[] = [];
    for (const component of CRASHABLE) {
      const last = [0, 1, 2].map((i) => `during-${component}-${i}`);
      names.push(...last);
      for (const name of last) await stage.ask(name, 'killed', 'e2e-delete');
      await stage.cluster.crash(component);
      await stage.ready(last.at(-1) as string);
    }
    for (const name of names) await stage.ready(name);
    for (const name of names) await client.delete(volumeSnapshots, named(name));
    for (const name of names) await stage.snapshot(name, 'gone', (snapshot) => snapshot === undefined);
    const { items } = await client.list(volumeSnapshotContents);
    const left = items.filter(({ spec }) => spec.volumeSnapshotRef.name?.startsWith('during-') === true).map(({ metadata }) => metadata.name);
    expected(left.length === 0, `contents were left behind: ${left.join(', ')}`);
  },
};

export const lifetimeStories: readonly Story[] = [policies, sourceProtection, doomed, shortLived, killed];
