// The end of namespaces, and garbage collection, over built-in and custom resources.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configMaps,
  customResourceDefinitions,
  namespaces,
  persistentVolumeClaims,
  secrets,
  snapshotCrds,
  volumeSnapshots,
  type OwnerReference,
} from '@snapshot-stack/api-types';
import { eventually, gone, startTestCluster, until, type TestCluster } from './cluster.ts';
import { newClaim } from './objects.ts';

describe('cleaning up', { timeout: 30_000 }, () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startTestCluster();
    await cluster.startAgent();
    // After the start, to be found out by itself.
    for (const crd of snapshotCrds()) await cluster.client.create(customResourceDefinitions, crd);
    await until('the snapshot API', async () => await cluster.client.list(volumeSnapshots, { limit: 1 }).then(() => true, String));
  });
  afterAll(() => cluster.stop());

  const ownedBy = async (namespace: string, name: string, blockOwnerDeletion = false): Promise<OwnerReference> => {
    const { metadata } = await cluster.client.get(configMaps, { namespace, name });
    return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: metadata.uid!, blockOwnerDeletion };
  };

  async function family(
    blockOwnerDeletion = false,
  ): Promise<{ namespace: string; parent: { namespace: string; name: string }; child: { namespace: string; name: string } }> {
    const namespace = await cluster.namespace();
    await cluster.client.create(configMaps, { metadata: { namespace, name: 'parent' } });
    const ownerReferences = [await ownedBy(namespace, 'parent', blockOwnerDeletion)];
    await cluster.client.create(secrets, { metadata: { namespace, name: 'child', ownerReferences } });
    return { namespace, parent: { namespace, name: 'parent' }, child: { namespace, name: 'child' } };
  }

  it('deletes a namespace with all that is in it, and waits for what is held', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const held = { namespace, name: 'held' };
    await client.create(configMaps, { metadata: { namespace, name: 'plain' } });
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: '' }));
    await client.create(volumeSnapshots, {
      metadata: { ...held, finalizers: ['example.dev/hold'] },
      spec: { source: { persistentVolumeClaimName: 'c' } },
    });
    await client.delete(namespaces, { name: namespace });
    await gone(client, configMaps, { namespace, name: 'plain' });
    await gone(client, persistentVolumeClaims, { namespace, name: 'c' });
    const waiting = await eventually(client, namespaces, { name: namespace }, ({ status }) =>
      (status?.conditions ?? []).some(({ message }) => message?.includes('volumesnapshots') ?? false),
    );
    expect(waiting.metadata.deletionTimestamp).toBeDefined();
    await client.patch(volumeSnapshots, held, { kind: 'merge', body: { metadata: { finalizers: null } } });
    await gone(client, namespaces, { name: namespace });
  });

  it('deletes what its owner left behind', async () => {
    const { parent, child } = await family();
    await cluster.client.delete(configMaps, parent, { propagation: 'Background' });
    await gone(cluster.client, secrets, child);
  });

  it('deletes dependents first when the owner is deleted in the foreground', async () => {
    const { parent, child } = await family(true);
    await cluster.client.patch(secrets, child, { kind: 'merge', body: { metadata: { finalizers: ['example.dev/hold'] } } });
    await cluster.client.delete(configMaps, parent, { propagation: 'Foreground' });
    await eventually(cluster.client, secrets, child, ({ metadata }) => metadata.deletionTimestamp !== undefined);
    expect(await cluster.client.find(configMaps, parent)).toBeDefined();
    await cluster.client.patch(secrets, child, { kind: 'merge', body: { metadata: { finalizers: null } } });
    await gone(cluster.client, secrets, child);
    await gone(cluster.client, configMaps, parent);
  });

  it('lets dependents outlive an owner that is deleted with orphans', async () => {
    const { parent, child } = await family();
    await cluster.client.delete(configMaps, parent, { propagation: 'Orphan' });
    await gone(cluster.client, configMaps, parent);
    await eventually(cluster.client, secrets, child, ({ metadata }) => (metadata.ownerReferences ?? []).length === 0);
  });

  it('deletes custom resources with a built-in owner, and those of an owner that never was', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const never: OwnerReference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '00000000-0000-0000-0000-000000000000' };
    const ref = { namespace, name: 's' };
    await client.create(volumeSnapshots, { metadata: { ...ref, ownerReferences: [never] }, spec: { source: { persistentVolumeClaimName: 'c' } } });
    await gone(client, volumeSnapshots, ref);
  });
});
