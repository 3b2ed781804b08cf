// No volume is leaked: the provisioner dies after its nth write or CSI call, answers get lost, claims are deleted
// meanwhile. A real API server, a real CSI server over a socket whose volumes can be counted, real informers.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotation, persistentVolumeClaims, persistentVolumes, storageClasses, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import {
  ControllerServiceCapability_RPC_Type as Rpc,
  CsiError,
  PluginCapability_Service_Type as Service,
  connectCsi,
  serveCsi,
  type CsiServer,
} from '@snapshot-stack/csi';
import { checkOptions, connectDriver, createProvisioner, flags } from '@snapshot-stack/provisioner';
import { createClient, createMetrics, isWrite, silentLog, systemClock, wrapClient, type Client } from '@snapshot-stack/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';

const DRIVER = 'counting.csi.k8s.io';
let dir: string;
let api: ApiServer;
let client: Client;
let server: CsiServer;
/** Name → id of the volumes that the driver has. */
let volumes: Map<string, string>;
let calls: string[];
/** Called before a call takes effect; may refuse it. */
let beforeCall: (method: string) => void;
/** Called after a call took effect, before it is answered. */
let beforeAnswer: (method: string) => void;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'provisioner-'));
  api = await startApiServer();
  client = createClient(api.adminConnection, { userAgent: 'test' });
  volumes = new Map();
  calls = [];
  beforeCall = () => {};
  beforeAnswer = () => {};
  server = await serveCsi({
    endpoint: `unix://${dir}/csi.sock`,
    identity: {
      getPluginInfo: () => Promise.resolve({ name: DRIVER, vendorVersion: '1' }),
      getPluginCapabilities: () => Promise.resolve({ capabilities: [{ type: { $case: 'service', value: { type: Service.CONTROLLER_SERVICE } } }] }),
      probe: () => Promise.resolve({ ready: true }),
    },
    controller: {
      controllerGetCapabilities: () => Promise.resolve({ capabilities: [{ type: { $case: 'rpc', value: { type: Rpc.CREATE_DELETE_VOLUME } } }] }),
      createVolume: async ({ name, capacityRange }) => {
        beforeCall('CreateVolume');
        const id = volumes.get(name) ?? `id-${name}`;
        volumes.set(name, id);
        calls.push('CreateVolume');
        beforeAnswer('CreateVolume');
        return {
          volume: { volumeId: id, capacityBytes: capacityRange?.requiredBytes ?? 0n, volumeContext: {}, contentSource: undefined, accessibleTopology: [] },
        };
      },
      deleteVolume: async ({ volumeId }) => {
        beforeCall('DeleteVolume');
        for (const [name, id] of volumes) if (id === volumeId) volumes.delete(name);
        calls.push('DeleteVolume');
        beforeAnswer('DeleteVolume');
        return {};
      },
    },
  });
  await client.create(storageClasses, { metadata: { name: 'sc' }, provisioner: DRIVER });
});

afterEach(async () => {
  client.close();
  await server.close(100);
  await api.stop();
  await rm(dir, { recursive: true });
});

function aClaim(name: string): PersistentVolumeClaim {
  return {
    metadata: { name, namespace: 'default', annotations: { [Annotation.storageProvisioner]: DRIVER } },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'sc', resources: { requests: { storage: '1Mi' } } },
  };
}

/** One life of the provisioner. `dies` is asked after each of its writes and ends it, as kill -9 would, when it says so. */
async function live(dies: () => boolean, until: () => Promise<boolean>): Promise<void> {
  const death = new AbortController();
  const own = createClient(api.adminConnection, { userAgent: 'csi-provisioner/test' });
  const wrapped = wrapClient(own, {
    before: () => death.signal.throwIfAborted(),
    after: (call) => {
      if (isWrite(call) && call.resource !== 'events' && dies()) death.abort(new Error('killed'));
      death.signal.throwIfAborted();
    },
  });
  const csi = connectCsi({ endpoint: `unix://${dir}/csi.sock` });
  const driver = await connectDriver(csi, 2_000, death.signal);
  const options = checkOptions(flags.parse(['--retry-interval-start=20ms', '--worker-threads=2'], {}), {});
  const provisioner = createProvisioner({
    client: wrapped,
    driver,
    options,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    metrics: createMetrics(),
    host: 'test',
  });
  const running = provisioner.run(death.signal);
  const deadline = Date.now() + 10_000;
  while (!death.signal.aborted && Date.now() < deadline && !(await until())) await new Promise((resolve) => setTimeout(resolve, 10));
  death.abort(new Error('enough'));
  await running;
  csi.close();
  own.close();
}

const never = (): boolean => false;
const find = (name: string) => client.find(persistentVolumeClaims, { name, namespace: 'default' });
const saved = async (): Promise<boolean> => (await client.list(persistentVolumes)).items.length > 0;

async function deleteClaim(name: string): Promise<void> {
  const claim = await find(name);
  // Nobody protects claims in use here: what the admission plugin put on is taken off as its controller would.
  const finalizers = (claim?.metadata.finalizers ?? []).filter((one) => one !== 'kubernetes.io/pvc-protection');
  if (claim !== undefined) await client.patch(persistentVolumeClaims, { name, namespace: 'default' }, { kind: 'merge', body: { metadata: { finalizers } } });
  await client.delete(persistentVolumeClaims, { name, namespace: 'default' });
}

it('dies after any of its writes, and still makes exactly one volume', { timeout: 60_000 }, async () => {
  for (let n = 1; ; n++) {
    const name = `claim-${n}`;
    let writes = 0;
    await client.create(persistentVolumeClaims, aClaim(name));
    const volumeOf = async () => (await client.list(persistentVolumes)).items.filter((volume) => volume.spec.claimRef?.name === name);
    const released = async (): Promise<boolean> =>
      (await volumeOf()).length === 1 && !((await find(name))?.metadata.finalizers ?? []).some((one) => one.startsWith('provisioner.'));
    await live(() => ++writes === n, released);
    await live(never, released);
    expect((await volumeOf()).length).toBe(1);
    expect(volumes.size).toBe(n);
    if (writes < n) break; // this time it was never killed: every write had its turn
  }
});

it('removes the volume of a claim that was deleted while the answer was lost', { timeout: 30_000 }, async () => {
  await client.create(persistentVolumeClaims, aClaim('lost'));
  let first = true;
  beforeAnswer = (method) => {
    if (method !== 'CreateVolume' || !first) return;
    first = false;
    throw new CsiError('DEADLINE_EXCEEDED', 'the answer was lost');
  };
  // The process dies right after the driver has made the volume and before it knows.
  await live(never, async () => volumes.size > 0);
  await deleteClaim('lost');
  expect(volumes.size).toBe(1);
  await live(never, async () => (await find('lost')) === undefined);
  expect(await find('lost')).toBeUndefined();
  expect(volumes.size).toBe(0);
  expect(await saved()).toBe(false);
});

/** A claim that is deleted after its volume was made at the driver, and before the provisioner knew. */
async function deletedMidway(name: string): Promise<void> {
  await client.create(persistentVolumeClaims, aClaim(name));
  beforeAnswer = (method) => {
    if (method === 'CreateVolume') throw new CsiError('DEADLINE_EXCEEDED', 'the answer was lost');
  };
  await live(never, async () => volumes.size > 0);
  beforeAnswer = () => {};
  await deleteClaim(name);
}

it('does not let go of a deleted claim while the driver cannot delete its volume', { timeout: 30_000 }, async () => {
  await deletedMidway('stubborn');
  let refusals = 0;
  beforeCall = (method) => {
    if (method === 'DeleteVolume' && ++refusals <= 2) throw new CsiError('INTERNAL', 'the disk hiccups');
  };
  await live(never, async () => (await find('stubborn')) === undefined);
  expect(await find('stubborn')).toBeUndefined();
  expect(refusals).toBe(3);
  expect(volumes.size).toBe(0);
});

it('keeps a deleted claim whose volume the driver has but does not give out', { timeout: 30_000 }, async () => {
  await deletedMidway('other-request');
  let asked = 0;
  beforeCall = (method) => {
    if (method !== 'CreateVolume') return;
    asked++;
    throw new CsiError('ALREADY_EXISTS', 'the name is taken by a volume with another source');
  };
  await live(never, async () => asked >= 2);
  expect((await find('other-request'))?.metadata.finalizers).toContain('provisioner.storage.kubernetes.io/volume-being-created');
});

it('lets a claim go that is deleted because the driver is full', { timeout: 30_000 }, async () => {
  await client.create(persistentVolumeClaims, aClaim('too-much'));
  let asked = 0;
  beforeCall = (method) => {
    if (method !== 'CreateVolume') return;
    asked++;
    throw new CsiError('RESOURCE_EXHAUSTED', 'the pool is full');
  };
  await live(never, async () => asked > 0);
  await deleteClaim('too-much');
  await live(never, async () => (await find('too-much')) === undefined);
  expect(await find('too-much')).toBeUndefined();
});

it('deletes a released volume at the driver, then its object', { timeout: 30_000 }, async () => {
  await client.create(persistentVolumeClaims, aClaim('short'));
  await live(never, saved);
  const [volume] = (await client.list(persistentVolumes)).items;
  await client.patch(
    persistentVolumes,
    { name: volume?.metadata.name ?? '' },
    { kind: 'merge', body: { status: { phase: 'Released' } } },
    { subresource: 'status' },
  );
  // What may still hold it is the protection of bound volumes, which is not ours.
  const isHeld = async (): Promise<boolean> => {
    const left = await client.find(persistentVolumes, { name: volume?.metadata.name ?? '' });
    return left?.metadata.finalizers?.includes('external-provisioner.volume.kubernetes.io/finalizer') ?? false;
  };
  expect(await isHeld()).toBe(true);
  await live(never, async () => volumes.size === 0 && !(await isHeld()));
  expect(calls.at(-1)).toBe('DeleteVolume');
  expect(volumes.size).toBe(0);
  expect(await isHeld()).toBe(false);
});
