// VolumeAttributesClass at creation: from the claim's class to what the driver is told.
import { persistentVolumes } from '@snapshot-stack/api-types';
import { expect, test } from 'vitest';
import { volumeAttributesClasses } from '../src/kinds.ts';
import { DRIVER, Scene } from './support/scene.ts';

test('waits for its VolumeAttributesClass, and then writes it into the volume', async () => {
  await using scene = await Scene.start();
  await scene.startProvisioner({ args: ['--retry-interval-start=1h', '--retry-interval-max=1h'] });
  await scene.addClaim('quick', { spec: { volumeAttributesClassName: 'gold' } });
  await scene.untilEvent('quick', 'Provisioning', /waiting for VolumeAttributesClass gold/);
  await scene.client.create(volumeAttributesClasses, { metadata: { name: 'gold' }, driverName: DRIVER, parameters: { iops: '100' } });
  const { spec } = await scene.untilBound('quick');
  const volume = await scene.find(persistentVolumes, spec.volumeName ?? '');
  expect(volume?.spec.volumeAttributesClassName).toBe('gold');
}, 60_000);

test('tells the driver the parameters of the VolumeAttributesClass', async () => {
  await using scene = await Scene.start({ driverArgs: ['--accepted-mutable-parameter-names=iops'] });
  await scene.startProvisioner();
  await scene.client.create(volumeAttributesClasses, { metadata: { name: 'odd' }, driverName: DRIVER, parameters: { smell: 'roses' } });
  await scene.addClaim('refused', { spec: { volumeAttributesClassName: 'odd' } });
  // Only a driver that was told of it can complain of it.
  await scene.untilEvent('refused', 'ProvisioningFailed', /smell/);
}, 60_000);

test('refuses attributes of a driver that lacks MODIFY_VOLUME, unless the feature gate says to leave them out', async () => {
  await using scene = await Scene.start({ driverArgs: ['--enable-controller-modify-volume=false'] });
  const first = await scene.startProvisioner();
  await scene.addClaim('impossible', { spec: { volumeAttributesClassName: 'gold' } });
  await scene.untilEvent('impossible', 'ProvisioningFailed', /lacks MODIFY_VOLUME/);
  await first.stop();
  await scene.startProvisioner({ args: ['--feature-gates=VolumeAttributesClass=false'] });
  await scene.untilBound('impossible');
}, 60_000);
