// The permissions that access.ts names are all that the webhook needs: it runs here as an account that has no others.
import { Annotation, persistentVolumeClaims, volumeGroupSnapshotClasses, volumeSnapshotClasses, volumeSnapshots } from '@snapshot-stack/api-types';
import { createClient, selfCheckAccess, type Client } from '@snapshot-stack/runtime';
import { accessNeeded } from '@snapshot-stack/webhook';
import { expect, it } from 'vitest';
import { send } from './support/https.ts';
import { aReview } from './support/reviews.ts';
import { startScene, waitFor } from './support/scene.ts';

const RBAC = 'rbac.authorization.k8s.io';

async function allow(client: Client): Promise<void> {
  const rules = accessNeeded.map(({ group, resource, subresource, verbs }) => ({
    apiGroups: [group],
    resources: [subresource === undefined ? resource : `${resource}/${subresource}`],
    verbs,
  }));
  const metadata = { name: 'snapshot-webhook' };
  const create = (plural: string, body: object): Promise<unknown> =>
    client.raw('POST', `/apis/${RBAC}/v1/${plural}`, { body: { apiVersion: `${RBAC}/v1`, metadata, ...body } });
  await create('clusterroles', { kind: 'ClusterRole', rules });
  await create('clusterrolebindings', {
    kind: 'ClusterRoleBinding',
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: metadata.name },
    subjects: [{ apiGroup: RBAC, kind: 'User', name: 'webhook' }],
  });
}

it('the webhook is never refused what it asks for', async () => {
  let own: Client | undefined;
  const scene = await startScene({
    unregistered: true,
    unsynced: true,
    api: { tokens: new Map([['webhook-token', { name: 'webhook', groups: ['system:authenticated'] }]]) },
    wrap: (_admin, { server, namespace, tls }) =>
      (own = createClient({ server, namespace, tls: { ca: tls.ca }, token: () => Promise.resolve('webhook-token') }, { userAgent: 'snapshot-webhook/1' })),
  });
  try {
    const { client } = scene;
    await allow(client);
    expect(await selfCheckAccess(own!, accessNeeded)).toEqual([]);
    await scene.webhook.synced(AbortSignal.timeout(20_000));
    scene.api.clearRequests();

    const annotations = { [Annotation.isDefaultClass]: 'true', [Annotation.isDefaultGroupClass]: 'true' };
    const aClass = { metadata: { name: 'a', annotations }, driver: 'd', deletionPolicy: 'Delete' as const };
    for (const { group, version, kind } of [volumeSnapshotClasses, volumeGroupSnapshotClasses])
      await send(scene, { body: aReview({ apiVersion: `${group}/${version}`, kind, ...aClass }) });
    await client.create(volumeSnapshots, { metadata: { name: 's', namespace: 'default' }, spec: { source: { volumeSnapshotContentName: 'c' } } });
    const ref = { name: 's', namespace: 'default' };
    await client.patch(volumeSnapshots, ref, { kind: 'merge', body: { status: { boundVolumeSnapshotContentName: 'c' } } }, { subresource: 'status' });
    const spec = { driver: 'd', deletionPolicy: 'Retain', source: { snapshotHandle: 'h' }, volumeSnapshotRef: ref };
    const content = { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotContent', metadata: { name: 'other' }, spec };
    await waitFor(async () => (await send(scene, { body: aReview(content) })).json.response.allowed === false);
    const mine = { ...content, metadata: { name: 'c' } };
    await send(scene, { body: aReview({ ...mine, spec: { ...spec, deletionPolicy: 'Delete' } } as never, mine) });
    await send(scene, { body: aReview({ ...mine, metadata: { name: 'c', annotations: { [Annotation.allowVolumeModeChange]: 'true' } } }, mine) });

    const asked = scene.api.requests.filter(({ userAgent }) => userAgent.startsWith('snapshot-webhook'));
    expect(asked.filter(({ status }) => status >= 400)).toEqual([]);
    const done = new Set(asked.map(({ verb, resource }) => `${verb} ${resource}`));
    const { plural } = volumeSnapshots;
    const expected = [
      `get ${plural}`,
      `list ${volumeSnapshotClasses.plural}`,
      `list ${volumeGroupSnapshotClasses.plural}`,
      `list ${persistentVolumeClaims.plural}`,
    ];
    expect([...done]).toEqual(expect.arrayContaining([...expected, 'create subjectaccessreviews']));
  } finally {
    await scene.stop();
    own?.close();
  }
}, 60_000);
