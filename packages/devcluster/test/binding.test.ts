// Claims and volumes, in front of the real API server.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { events, persistentVolumeClaims, persistentVolumes, storageClasses } from '@snapshot-stack/api-types';
import { eventually, gone, startTestCluster, until, type TestCluster } from './cluster.ts';
import { newClaim, newClass, newVolume } from './objects.ts';

describe('binding', { timeout: 30_000 }, () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startTestCluster();
    await cluster.startAgent();
  });
  afterAll(() => cluster.stop());

  it('binds a claim to a volume made beforehand, protects both, and releases the volume with the claim', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const ref = { namespace, name: 'c' };
    await client.create(storageClasses, newClass('kept'));
    await client.create(persistentVolumes, newVolume('too-large', { storageClassName: 'kept', capacity: { storage: '9Gi' } }));
    await client.create(persistentVolumes, newVolume('fitting', { storageClassName: 'kept' }));
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: 'kept' }));

    const claim = await eventually(client, persistentVolumeClaims, ref, ({ status }) => status?.phase === 'Bound');
    expect(claim.spec.volumeName).toBe('fitting');
    expect(claim.status?.capacity).toEqual({ storage: '1Gi' });
    expect(claim.metadata.annotations).toMatchObject({ 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' });
    await eventually(client, persistentVolumeClaims, ref, ({ metadata }) => metadata.finalizers?.includes('kubernetes.io/pvc-protection') ?? false);
    const volume = await eventually(client, persistentVolumes, { name: 'fitting' }, ({ status }) => status?.phase === 'Bound');
    expect(volume.spec.claimRef).toMatchObject({ kind: 'PersistentVolumeClaim', namespace, name: 'c', uid: claim.metadata.uid });
    await eventually(client, persistentVolumes, { name: 'fitting' }, ({ metadata }) => metadata.finalizers?.includes('kubernetes.io/pv-protection') ?? false);

    await client.delete(persistentVolumes, { name: 'fitting' });
    expect(await client.find(persistentVolumes, { name: 'fitting' })).toBeDefined();
    await client.delete(persistentVolumeClaims, ref);
    await gone(client, persistentVolumeClaims, ref);
    await gone(client, persistentVolumes, { name: 'fitting' });
    await eventually(client, persistentVolumes, { name: 'too-large' }, ({ status }) => status?.phase === 'Available');
  });

  it('releases a retained volume, and does not give it to a claim of the same name', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const ref = { namespace, name: 'c' };
    await client.create(persistentVolumes, newVolume('retained', { storageClassName: '', claimRef: { namespace, name: 'c' } }));
    await eventually(client, persistentVolumes, { name: 'retained' }, ({ status }) => status?.phase === 'Available');
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: '' }));
    await eventually(client, persistentVolumeClaims, ref, ({ status }) => status?.phase === 'Bound');
    await client.delete(persistentVolumeClaims, ref);
    await eventually(client, persistentVolumes, { name: 'retained' }, ({ status }) => status?.phase === 'Released');
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: '' }));
    await until('the claim to be told', () => hasEvent(namespace, 'FailedBinding'));
    expect((await client.get(persistentVolumeClaims, ref)).status?.phase).toBe('Pending');
  });

  it('gives a claim the default class and hands it to the provisioner', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    await client.create(storageClasses, newClass('usual', { metadata: { name: 'usual', annotations } }));
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c'));
    const claim = await eventually(
      client,
      persistentVolumeClaims,
      { namespace, name: 'c' },
      ({ metadata }) => 'volume.kubernetes.io/storage-provisioner' in (metadata.annotations ?? {}),
    );
    expect(claim.spec.storageClassName).toBe('usual');
    expect(claim.metadata.annotations).toMatchObject({ 'volume.beta.kubernetes.io/storage-provisioner': 'directory.example.dev' });
    await until('the event', () => hasEvent(namespace, 'ExternalProvisioning'));
    // What the provisioner does:
    const { uid = '' } = claim.metadata;
    const claimRef = { kind: 'PersistentVolumeClaim', namespace, name: 'c', uid };
    await client.create(persistentVolumes, newVolume(`pvc-${uid}`, { storageClassName: 'usual', claimRef }));
    await eventually(client, persistentVolumeClaims, { namespace, name: 'c' }, ({ status }) => status?.phase === 'Bound');
    await client.delete(storageClasses, { name: 'usual' });
  });

  it('declares a bound claim lost when its volume goes', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const ref = { namespace, name: 'c' };
    await client.create(persistentVolumes, newVolume('fleeting', { storageClassName: 'none' }));
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: 'none', volumeName: 'fleeting' }));
    await eventually(client, persistentVolumeClaims, ref, ({ status }) => status?.phase === 'Bound');
    await client.delete(persistentVolumes, { name: 'fleeting' });
    await client.patch(persistentVolumes, { name: 'fleeting' }, { kind: 'merge', body: { metadata: { finalizers: null } } });
    await eventually(client, persistentVolumeClaims, ref, ({ status }) => status?.phase === 'Lost');
    await until('the event', () => hasEvent(namespace, 'ClaimLost'));
  });

  async function hasEvent(namespace: string, reason: string): Promise<boolean | string[]> {
    const { items } = await cluster.client.list(events, { namespace });
    return items.some((event) => event.reason === reason) || items.map((event) => event.reason ?? '');
  }
});
