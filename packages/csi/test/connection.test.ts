import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CsiError, connectCsi, serveCsi, type CallContext, type CsiServer } from '@snapshot-stack/csi';

let dir: string;
let endpoint: string;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'csi-'));
  endpoint = `unix://${dir}/csi.sock`;
});
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close();
  await rm(dir, { recursive: true });
});

function connect(onCall?: (record: { method: string; code: string }) => void): ReturnType<typeof connectCsi> {
  const connection = connectCsi({ endpoint, ...(onCall === undefined ? {} : { onCall }) });
  open.push(connection);
  return connection;
}

async function serve(options: Omit<Parameters<typeof serveCsi>[0], 'endpoint'>): Promise<CsiServer> {
  const server = await serveCsi({ endpoint, ...options });
  open.push({ close: () => server.close(100) });
  return server;
}

describe('a CSI connection', () => {
  it('carries int64 beyond 2^53 and nanoseconds without loss', async () => {
    const sizeBytes = 2n ** 53n + 1n;
    const creationTime = { seconds: 1_795_412_439n, nanos: 123_456_789 };
    await serve({
      controller: {
        createSnapshot: (request) =>
          Promise.resolve({
            snapshot: {
              sizeBytes,
              snapshotId: `s-${request.name}`,
              sourceVolumeId: request.sourceVolumeId,
              creationTime,
              readyToUse: true,
              groupSnapshotId: '',
            },
          }),
      },
    });
    const { snapshot } = await connect().controller.createSnapshot({ name: 'one', sourceVolumeId: 'vol' }, { timeoutMs: 2_000 });
    expect(snapshot).toMatchObject({ sizeBytes, creationTime, snapshotId: 's-one', sourceVolumeId: 'vol' });
  });

  it('tells the handler when the deadline has passed', async () => {
    const seen = Promise.withResolvers<CallContext>();
    await serve({
      controller: {
        deleteSnapshot: (_request, context) => {
          seen.resolve(context);
          return new Promise((resolve) => context.signal.addEventListener('abort', () => resolve({})));
        },
      },
    });
    const call = connect().controller.deleteSnapshot({ snapshotId: 's' }, { timeoutMs: 100 });
    await expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', final: false });
    const { signal } = await seen.promise;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(signal.aborted).toBe(true);
  });

  it('ends a call when its caller gives up', async () => {
    await serve({ controller: { deleteSnapshot: () => new Promise(() => {}) } });
    const abort = new AbortController();
    const call = connect().controller.deleteSnapshot({ snapshotId: 's' }, { timeoutMs: 5_000, signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await expect(call).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringContaining('enough') as string });
  });

  it('turns thrown CsiErrors into their codes and other exceptions into INTERNAL', async () => {
    await serve({
      controller: {
        deleteVolume: () => Promise.reject(new CsiError('FAILED_PRECONDITION', 'volume v is in use; unpublish it first')),
        deleteSnapshot: () => {
          throw new TypeError('boom');
        },
      },
    });
    const { controller } = connect();
    await expect(controller.deleteVolume({ volumeId: 'v' }, { timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 'volume v is in use; unpublish it first',
    });
    await expect(controller.deleteSnapshot({ snapshotId: 's' }, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: 'INTERNAL', final: true });
    await expect(controller.listVolumes({}, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  });

  it('comes back by itself when the driver was started again', async () => {
    const first = await serve({ identity: { probe: () => Promise.resolve({ ready: true }) } });
    const { identity, ready } = connect();
    await expect(identity.probe({}, { timeoutMs: 2_000 })).resolves.toEqual({ ready: true });
    await first.close(100);
    await expect(identity.probe({}, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: 'UNAVAILABLE', final: false });
    await serve({ identity: { probe: () => Promise.resolve({ ready: false }) } });
    await ready(5_000);
    await expect(identity.probe({}, { timeoutMs: 2_000 })).resolves.toEqual({ ready: false });
  });

  it('streams, and ends an unfinished stream with an error status', async () => {
    const block = (offset: bigint) => ({
      blockMetadataType: 1 as const,
      volumeCapacityBytes: 8_192n,
      blockMetadata: [{ byteOffset: offset, sizeBytes: 4_096n }],
    });
    await serve({
      snapshotMetadata: {
        getMetadataAllocated: async function* (request) {
          yield block(0n);
          if (request.snapshotId === 'broken') throw new CsiError('UNAVAILABLE', 'the disk is gone');
          yield block(4_096n);
        },
      },
    });
    const { snapshotMetadata } = connect();
    const offsets: bigint[] = [];
    for await (const message of snapshotMetadata.getMetadataAllocated({ snapshotId: 'whole' }, { timeoutMs: 2_000 }))
      offsets.push(...message.blockMetadata.map((range) => range.byteOffset));
    expect(offsets).toEqual([0n, 4_096n]);
    const broken = async () => {
      for await (const message of snapshotMetadata.getMetadataAllocated({ snapshotId: 'broken' }, { timeoutMs: 2_000 })) void message;
    };
    await expect(broken()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'the disk is gone' });
  });

  it('says UNIMPLEMENTED for a service that the driver does not serve', async () => {
    await serve({ identity: {} });
    const failure: unknown = await connect()
      .controller.listVolumes({}, { timeoutMs: 2_000 })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CsiError);
    expect(failure).toMatchObject({ code: 'UNIMPLEMENTED', grpcCode: 12, final: true, retryable: false });
  });

  it('refuses a message above 16 MiB with RESOURCE_EXHAUSTED, and goes on', async () => {
    const manifest = (bytes: number) => ({ name: 'x', vendorVersion: '1', manifest: { big: 'a'.repeat(bytes) } });
    let bytes = 17 * 2 ** 20;
    await serve({ identity: { getPluginInfo: () => Promise.resolve(manifest(bytes)) } });
    const { identity } = connect();
    await expect(identity.getPluginInfo({}, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    bytes = 5 * 2 ** 20; // more than grpc's own 4 MiB
    expect((await identity.getPluginInfo({}, { timeoutMs: 5_000 })).manifest['big']).toHaveLength(bytes);
  });

  it('reports each call with its method and code', async () => {
    const records: string[] = [];
    await serve({ identity: { getPluginInfo: () => Promise.resolve({ name: 'x', vendorVersion: '1' }) } });
    const { identity } = connect((record) => records.push(`${record.method} ${record.code}`));
    await identity.getPluginInfo({}, { timeoutMs: 2_000 });
    await identity.probe({}, { timeoutMs: 2_000 }).catch(() => {});
    expect(records).toEqual(['/csi.v1.Identity/GetPluginInfo OK', '/csi.v1.Identity/Probe UNIMPLEMENTED']);
  });
});

describe('a CSI socket', () => {
  it('left behind by a dead server does not stop the next one', async () => {
    const left = createServer();
    await new Promise<void>((resolve) => left.listen(`${dir}/csi.sock`, resolve));
    // Closing unlinks the file; a killed process does not, so put one back that nobody listens on.
    await new Promise((resolve) => left.close(resolve));
    const { spawnSync } = await import('node:child_process');
    spawnSync(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(`${dir}/csi.sock`)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    expect(existsSync(`${dir}/csi.sock`)).toBe(true);
    await serve({ identity: { probe: () => Promise.resolve({}) } });
    await expect(connect().identity.probe({}, { timeoutMs: 2_000 })).resolves.toEqual({ ready: undefined });
  });

  it('of a living server is left alone', async () => {
    await serve({});
    await expect(serveCsi({ endpoint })).rejects.toThrow(/another process serves .*csi\.sock already/);
  });

  it('is never made over a file that is none', async () => {
    await writeFile(`${dir}/csi.sock`, 'precious');
    await expect(serveCsi({ endpoint })).rejects.toThrow(/is no socket/);
  });

  it('is gone after the server has closed', async () => {
    const server = await serve({});
    await server.close(100);
    expect(existsSync(`${dir}/csi.sock`)).toBe(false);
  });
});
