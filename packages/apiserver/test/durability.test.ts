// What was answered must survive kill -9 of the server's process, when it keeps its objects in a folder.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const MAPS = '/api/v1/namespaces/default/configmaps';

interface ObjectAnswer {
  metadata: { name: string; resourceVersion: string };
  data?: Record<string, string>;
  items: ObjectAnswer[];
  code?: number;
}

describe('a server with --data-dir', { timeout: 60_000 }, () => {
  let dir: string;
  let child: ChildProcess;
  let url: string;
  let agent: Agent;

  async function start(): Promise<void> {
    const args = [
      '--conditions=@snapshot-stack/source',
      '--disable-warning=ExperimentalWarning',
      PROGRAM,
      '--port',
      '0',
      '--dir',
      dir,
      '--data-dir',
      join(dir, 'data'),
    ];
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child = started;
    const [line] = (await once(started.stdout, 'data')) as [Buffer];
    url = /https:\S+/.exec(line.toString())?.[0] ?? '';
    const [ca, cert, key] = await Promise.all(['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFile(join(dir, name))));
    agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: 8 });
  }

  async function kill(): Promise<void> {
    agent.destroy();
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'durable-'));
    await start();
  });
  afterEach(async () => {
    await kill();
    await rm(dir, { recursive: true });
  });

  function call(method: string, path: string, body?: object): Promise<{ status: number; body: ObjectAnswer }> {
    return new Promise((resolve, reject) => {
      const sent = request(
        new URL(path, url),
        { method, agent, headers: { 'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' } },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as ObjectAnswer }));
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  const make = (name: string): Promise<{ status: number; body: ObjectAnswer }> =>
    call('POST', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { name } });

  it('has every write that it answered after kill -9 in the middle of many', async () => {
    const answered: string[] = [];
    const lane = async (_: unknown, number: number): Promise<never> => {
      for (let i = 0; ; i++) {
        const name = `map-${number}-${i}`;
        const { status } = await make(name);
        if (status === 201) answered.push(name);
      }
    };
    const ended = Promise.allSettled(Array.from({ length: 8 }, lane));
    await expect.poll(() => answered.length, { timeout: 10_000 }).toBeGreaterThan(200);
    await kill();
    await ended;
    await start();
    const listed = new Map((await call('GET', MAPS)).body.items.map((item) => [item.metadata.name, item]));
    expect(answered.filter((name) => listed.get(name)?.data?.['name'] !== name)).toEqual([]);
    // At most what was under way when it died is there besides.
    expect(listed.size - answered.length).toBeLessThanOrEqual(8);
  });

  it('goes on with its resource versions, and sends watches from before to list again or on their way', async () => {
    const before = await make('first');
    await kill();
    await start();
    const after = await make('second');
    expect(Number(after.body.metadata.resourceVersion)).toBeGreaterThan(Number(before.body.metadata.resourceVersion));
    const watched = await new Promise<string>((resolve, reject) => {
      const path = `${MAPS}?watch=1&timeoutSeconds=1&resourceVersion=${Number(before.body.metadata.resourceVersion) - 1}`;
      request(new URL(path, url), { agent }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    expect(watched).toContain('"code":410');
  });

  it('forgets what was deleted, and keeps what was changed', async () => {
    await make('gone');
    await make('kept');
    expect((await call('PATCH', `${MAPS}/kept`, { data: { name: 'changed' } })).status).toBe(200);
    expect((await call('DELETE', `${MAPS}/gone`)).status).toBe(200);
    await kill();
    await start();
    expect((await call('GET', `${MAPS}/gone`)).status).toBe(404);
    expect((await call('GET', `${MAPS}/kept`)).body.data).toEqual({ name: 'changed' });
  });
});
