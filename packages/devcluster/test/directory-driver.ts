// A CSI driver for tests: volumes are directories, publishing makes a directory at the target, or (`binds`) mounts the
// staged one there, which takes privileges. It speaks the real protocol over a real socket, keeps to the idempotency
// CSI asks for, and writes down each call.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ControllerServiceCapability_RPC_Type as ControllerRpc,
  CsiError,
  NodeServiceCapability_RPC_Type as NodeRpc,
  serveCsi,
  type CsiServer,
} from '@snapshot-stack/csi';

export const DRIVER = 'directory.example.dev';

export interface DirectoryDriver {
  readonly endpoint: string;
  /** `<method> <volume>` of each call that changes something, in order. */
  readonly calls: string[];
  /** Runs when a call has been done and before it is answered; what it throws is the answer. */
  beforeAnswer: (call: string) => Promise<void> | void;
  close(): Promise<void>;
}

/** For `beforeAnswer`: loses the answer of the next call of this name. */
export function losingAnswerOf(driver: DirectoryDriver, name: string): DirectoryDriver['beforeAnswer'] {
  return (call) => {
    if (call !== name) return;
    driver.beforeAnswer = () => {};
    throw new CsiError('UNAVAILABLE', `${name} was done, but its answer is lost`);
  };
}

/** True where this process may mount: as root on Linux, outside most containers. */
export function mayMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'may-mount-'));
  try {
    return bind(directory, directory) && unbind(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function bind(from: string, to: string): boolean {
  return spawnSync('mount', ['--bind', from, to]).status === 0;
}

export function unbind(target: string): boolean {
  return spawnSync('umount', [target]).status === 0;
}

export async function startDirectoryDriver(socket: string, options: { attaches?: boolean; binds?: boolean } = {}): Promise<DirectoryDriver> {
  const driver: DirectoryDriver = { endpoint: socket, calls: [], beforeAnswer: () => {}, close: async () => await server.close(100) };
  const did = async (name: string, volumeId: string) => {
    driver.calls.push(`${name} ${volumeId}`);
    await driver.beforeAnswer(name);
  };
  const controllerRpcs = [ControllerRpc.EXPAND_VOLUME, ...(options.attaches === true ? [ControllerRpc.PUBLISH_UNPUBLISH_VOLUME] : [])];
  const nodeRpcs = [NodeRpc.STAGE_UNSTAGE_VOLUME, NodeRpc.EXPAND_VOLUME];
  const server: CsiServer = await serveCsi({
    endpoint: socket,
    identity: {
      getPluginInfo: async () => ({ name: DRIVER, vendorVersion: '1', manifest: {} }),
      probe: async () => ({ ready: undefined }),
    },
    controller: {
      controllerGetCapabilities: async () => ({ capabilities: controllerRpcs.map((type) => ({ type: { $case: 'rpc', value: { type } } })) }),
      controllerPublishVolume: async ({ volumeId, nodeId }) => {
        await did('attach', volumeId);
        return { publishContext: { device: `${volumeId} at ${nodeId}` } };
      },
      controllerUnpublishVolume: async ({ volumeId }) => {
        await did('detach', volumeId);
        return {};
      },
      controllerExpandVolume: async ({ volumeId, capacityRange }) => {
        await did('expand', volumeId);
        return { capacityBytes: capacityRange?.requiredBytes ?? 0n, nodeExpansionRequired: true };
      },
    },
    node: {
      nodeGetInfo: async () => ({ nodeId: 'node-id-1', maxVolumesPerNode: 0n, accessibleTopology: { segments: { 'topology.example.dev/node': 'one' } } }),
      nodeGetCapabilities: async () => ({ capabilities: nodeRpcs.map((type) => ({ type: { $case: 'rpc', value: { type } } })) }),
      nodeStageVolume: async ({ volumeId, stagingTargetPath }) => {
        await writeFile(join(stagingTargetPath, '.staged'), volumeId);
        await did('stage', volumeId);
        return {};
      },
      nodeUnstageVolume: async ({ volumeId, stagingTargetPath }) => {
        await Promise.all(['.staged', 'publish.json'].map((name) => rm(join(stagingTargetPath, name), { force: true })));
        await did('unstage', volumeId);
        return {};
      },
      nodePublishVolume: async ({ volumeId, targetPath, stagingTargetPath, publishContext, volumeContext }) => {
        await mkdir(targetPath, { recursive: true });
        if (options.binds === true) bind(stagingTargetPath, targetPath);
        await writeFile(join(targetPath, 'publish.json'), JSON.stringify({ publishContext, volumeContext }));
        await did('publish', volumeId);
        return {};
      },
      nodeUnpublishVolume: async ({ volumeId, targetPath }) => {
        if (options.binds === true) unbind(targetPath);
        await rm(targetPath, { recursive: true, force: true });
        await did('unpublish', volumeId);
        return {};
      },
      nodeExpandVolume: async ({ volumeId, capacityRange }) => {
        await did('node-expand', volumeId);
        return { capacityBytes: capacityRange?.requiredBytes ?? 0n };
      },
    },
  });
  return driver;
}
