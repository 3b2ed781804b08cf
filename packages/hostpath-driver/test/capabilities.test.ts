// What the driver says it can do, it does; what it does not say, it refuses as not implemented.
import { afterEach, describe, expect, test } from 'vitest';
import {
  ControllerServiceCapability_RPC_Type as Rpc,
  CsiError,
  NodeServiceCapability_RPC_Type as NodeRpc,
  PluginCapability_Service_Type as Service,
} from '@snapshot-stack/csi';
import { CALL, startTestDriver, type TestDriver } from './harness.ts';

let driver: TestDriver;
afterEach(async () => driver.dispose());

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'OK',
    (error: unknown) => CsiError.from(error).code,
  );
}

/** The optional things, by the number that stands for each, and whether calling for it reaches the driver. */
async function optional(): Promise<Record<string, { said: boolean; done: boolean }>> {
  const { identity, controller, node, snapshotMetadata, groupController } = driver.csi;
  const services = (await identity.getPluginCapabilities({}, CALL)).capabilities.map(({ type }) => (type?.$case === 'service' ? type.value.type : 0));
  const rpcs: number[] = await controller.controllerGetCapabilities({}, CALL).then(
    ({ capabilities }) => capabilities.map(({ type }) => type?.value.type ?? 0),
    () => [],
  );
  const nodeRpcs: number[] = (await node.nodeGetCapabilities({}, CALL)).capabilities.map(({ type }) => type?.value.type ?? 0);
  const done = async (answer: Promise<unknown>): Promise<boolean> => (await codeOf(answer)) !== 'UNIMPLEMENTED';
  const firstMessage = async (): Promise<void> => {
    for await (const _ of snapshotMetadata.getMetadataAllocated({ snapshotId: 'x', startingOffset: 0n, maxResults: 0 }, CALL)) return;
  };
  const volumeId = 'x';
  return {
    controller: { said: services.includes(Service.CONTROLLER_SERVICE), done: await done(controller.listVolumes({}, CALL)) },
    groups: { said: services.includes(Service.GROUP_CONTROLLER_SERVICE), done: await done(groupController.groupControllerGetCapabilities({}, CALL)) },
    metadata: { said: services.includes(Service.SNAPSHOT_METADATA_SERVICE), done: await done(firstMessage()) },
    topology: { said: services.includes(Service.VOLUME_ACCESSIBILITY_CONSTRAINTS), done: (await node.nodeGetInfo({}, CALL)).accessibleTopology !== undefined },
    attach: { said: rpcs.includes(Rpc.PUBLISH_UNPUBLISH_VOLUME), done: await done(controller.controllerPublishVolume({ volumeId, nodeId: 'x' }, CALL)) },
    expand: { said: rpcs.includes(Rpc.EXPAND_VOLUME), done: await done(controller.controllerExpandVolume({ volumeId }, CALL)) },
    nodeExpand: { said: nodeRpcs.includes(NodeRpc.EXPAND_VOLUME), done: await done(node.nodeExpandVolume({ volumeId }, CALL)) },
    modify: { said: rpcs.includes(Rpc.MODIFY_VOLUME), done: await done(controller.controllerModifyVolume({ volumeId }, CALL)) },
    listSnapshots: { said: rpcs.includes(Rpc.LIST_SNAPSHOTS), done: await done(controller.listSnapshots({}, CALL)) },
  };
}

const ALL = ['controller', 'groups', 'metadata', 'topology', 'attach', 'expand', 'nodeExpand', 'modify', 'listSnapshots'];

describe('capabilities', () => {
  test.each([
    { flags: [], off: ['metadata', 'attach', 'modify'] },
    { flags: ['--enable-snapshot-metadata', '--enable-attach', '--enable-controller-modify-volume'], off: [] },
    { flags: ['--enable-list-snapshots=false', '--enable-topology=false'], off: ['metadata', 'attach', 'modify', 'listSnapshots', 'topology'] },
    { flags: ['--enable-volume-expansion=false'], off: ['metadata', 'attach', 'modify', 'expand', 'nodeExpand'] },
    { flags: ['--node-expand-required=false'], off: ['metadata', 'attach', 'modify', 'expand', 'nodeExpand'] },
    { flags: ['--disable-node-expansion'], off: ['metadata', 'attach', 'modify', 'nodeExpand'] },
    { flags: ['--ephemeral', '--enable-snapshot-metadata'], off: ALL.filter((name) => name !== 'topology' && name !== 'nodeExpand') },
  ])('are true with $flags', async ({ flags, off }) => {
    driver = await startTestDriver(flags);
    expect(await optional()).toEqual(Object.fromEntries(ALL.map((name) => [name, { said: !off.includes(name), done: !off.includes(name) }])));
  });
});
