// Replays recordings of a real kube-apiserver 1.36, which lie beside the repository, with the project's own
// CustomResourceDefinitions installed. Skipped where they or python3 are absent.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const VECTORS = process.env['APISERVER_VECTORS'] ?? fileURLToPath(new URL('../../../../shared/apiserver-vectors', import.meta.url));
const CRDS = fileURLToPath(new URL('../../api-types/crds', import.meta.url));
const outOfScope = JSON.parse(readFileSync(new URL('vectors-out-of-scope.json', import.meta.url), 'utf8')) as Record<string, string>;

function hasPython(): boolean {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

// Each server replays one file at a time: scenarios define resources of the same names.
const SERVERS = 4;
const canReplay = existsSync(join(VECTORS, 'record-vectors.py')) && hasPython();
const files = canReplay ? readdirSync(VECTORS).filter((name) => name.endsWith('.json')) : [];

interface Replayed {
  failed: string[];
  summary: string;
  output: string;
}

describe.skipIf(!canReplay)('recordings of kube-apiserver (../shared/apiserver-vectors)', () => {
  const servers: { api: ApiServer; dir: string }[] = [];
  const free: { api: ApiServer; dir: string }[] = [];
  const waiting: ((server: { api: ApiServer; dir: string }) => void)[] = [];

  beforeAll(async () => {
    for (let index = 0; index < SERVERS; index++) {
      const dir = await mkdtemp(join(tmpdir(), 'vectors-'));
      servers.push({ api: await startApiServer({ crds: [CRDS], dir }), dir });
    }
    free.push(...servers);
  });
  afterAll(async () => {
    for (const { api, dir } of servers) {
      await api.stop();
      await rm(dir, { recursive: true });
    }
  });

  async function replay(file: string): Promise<Replayed> {
    const server = free.pop() ?? (await new Promise<{ api: ApiServer; dir: string }>((resolve) => waiting.push(resolve)));
    const pem = (name: string): string => join(server.dir, name);
    const args = ['record-vectors.py', '--replay', server.api.url, '--ca', pem('ca.crt'), '--cert', pem('admin.crt'), '--key', pem('admin.key'), file];
    const output = await new Promise<string>((resolve) => {
      execFile('python3', args, { cwd: VECTORS, maxBuffer: 2 ** 24 }, (_error, stdout, stderr) => resolve(stdout + stderr));
    });
    const next = waiting.shift();
    if (next === undefined) free.push(server);
    else next(server);
    const failed = [...output.matchAll(/^FAIL (.*)$/gm)].map(([, step = '']) => step.trim());
    return { failed, summary: output.trimEnd().split('\n').at(-1) ?? '', output };
  }

  it.concurrent.each(files)('%s is answered the same', { timeout: 120_000 }, async (file) => {
    const { failed, summary, output } = await replay(file);
    expect(summary, output).toMatch(/^\d+ passed, \d+ failed$/);
    const scenario = file.replace(/\.json$/, '');
    // What is listed must fail: the list only shrinks.
    const listed = Object.keys(outOfScope).filter((step) => step.startsWith(`${scenario} #`));
    expect(failed.toSorted(), output).toEqual(listed.toSorted());
  });
});
