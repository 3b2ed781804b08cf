// A stock kubectl, as a person would use it. Skipped where there is none on the PATH.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const CRDS = fileURLToPath(new URL('../../api-types/crds', import.meta.url));

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const SNAPSHOT = `apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata:
  name: nightly
spec:
  volumeSnapshotClassName: fast
  source:
    persistentVolumeClaimName: data
`;

describe.skipIf(!hasKubectl())('a stock kubectl', { timeout: 60_000 }, () => {
  let api: ApiServer;
  let dir: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kubectl-'));
    api = await startApiServer({ crds: [CRDS], dir });
    env = { ...process.env, KUBECONFIG: join(dir, 'kubeconfig'), HOME: dir };
    await writeFile(join(dir, 'snapshot.yaml'), SNAPSHOT);
  });
  afterAll(async () => {
    await api.stop();
    await rm(dir, { recursive: true });
  });

  /** What kubectl prints; a refusal is in `errors`, with the exit code. */
  function run(...args: string[]): Promise<{ code: number; text: string; errors: string }> {
    return new Promise((resolve) => {
      execFile('kubectl', args, { env, cwd: dir, timeout: 30_000 }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, text: stdout, errors: stderr });
      });
    });
  }

  async function kubectl(...args: string[]): Promise<string> {
    const { code, text, errors } = await run(...args);
    expect(code, errors).toBe(0);
    return text;
  }

  it('creates namespaces and config maps, whose bodies it sends as protobuf', async () => {
    expect(await kubectl('create', 'namespace', 'made')).toBe('namespace/made created\n');
    await kubectl('create', 'configmap', 'plain', '-n', 'made', '--from-literal=colour=blue');
    expect(await kubectl('get', 'configmap', 'plain', '-n', 'made', '-o', 'jsonpath={.data.colour}')).toBe('blue');
  });

  it('applies, shows no difference, applies on the server, and is told of conflicts', async () => {
    expect(await kubectl('apply', '-f', 'snapshot.yaml')).toContain('created');
    expect(await kubectl('apply', '-f', 'snapshot.yaml')).toContain('unchanged');
    expect((await run('diff', '-f', 'snapshot.yaml')).code).toBe(0);
    await writeFile(join(dir, 'other.yaml'), SNAPSHOT.replace('fast', 'slow'));
    expect((await run('diff', '-f', 'other.yaml')).text).toContain('+  volumeSnapshotClassName: slow');
    await kubectl('apply', '--server-side', '--field-manager=one', '--force-conflicts', '-f', 'snapshot.yaml');
    const refused = await run('apply', '--server-side', '--field-manager=two', '-f', 'other.yaml');
    expect(refused.errors).toContain('conflict with "one"');
  });

  it('prints tables with the columns of the definition', async () => {
    const [head = '', row = ''] = (await kubectl('get', 'volumesnapshots')).split('\n');
    expect(head.split(/\s{2,}/).map((column) => column.trim())).toEqual([
      'NAME',
      'READYTOUSE',
      'SOURCEPVC',
      'SOURCESNAPSHOTCONTENT',
      'RESTORESIZE',
      'SNAPSHOTCLASS',
      'SNAPSHOTCONTENT',
      'CREATIONTIME',
      'AGE',
    ]);
    expect(row).toMatch(/^nightly\s+data\s+fast\s+\d+s$/);
  });

  it('describes, patches, replaces, labels and waits', async () => {
    expect(await kubectl('describe', 'volumesnapshot', 'nightly')).toMatch(/Persistent Volume Claim Name:\s+data/);
    expect(await kubectl('patch', 'volumesnapshot', 'nightly', '--type=merge', '--subresource=status', '-p', '{"status":{"readyToUse":true}}')).toContain(
      'patched',
    );
    expect(await kubectl('wait', 'volumesnapshot/nightly', '--for=jsonpath={.status.readyToUse}=true', '--timeout=5s')).toContain('condition met');
    await kubectl('label', 'volumesnapshot', 'nightly', 'keep=yes');
    await writeFile(join(dir, 'edited.json'), (await kubectl('get', 'volumesnapshot', 'nightly', '-o', 'json')).replace('"keep": "yes"', '"keep": "no"'));
    await kubectl('replace', '-f', 'edited.json');
    expect(await kubectl('get', 'volumesnapshot', '-l', 'keep=no', '-o', 'name')).toBe('volumesnapshot.snapshot.storage.k8s.io/nightly\n');
  });

  it('explains fields and says what one may do', async () => {
    expect(await kubectl('explain', 'volumesnapshot.spec.source')).toContain('volumeSnapshotContentName');
    expect(await kubectl('explain', 'pvc.spec.accessModes')).toContain('accessModes contains');
    expect(await kubectl('auth', 'can-i', 'create', 'pods')).toBe('yes\n');
    expect((await run('auth', 'can-i', 'create', 'pods', '--as=nobody')).text).toBe('no\n');
  });

  it('shows changes as they happen', async () => {
    const watching = spawn('kubectl', ['get', 'configmap', '-w', '--no-headers'], { env, cwd: dir });
    try {
      let seen = '';
      const both = new Promise<void>((resolve) => {
        watching.stdout.on('data', (chunk: Buffer) => {
          seen += chunk.toString();
          if (/^watched\s+1/m.test(seen) && /^watched\s+2/m.test(seen)) resolve();
        });
      });
      await kubectl('create', 'configmap', 'watched', '--from-literal=a=1');
      await expect.poll(() => seen).toMatch(/^watched\s+1/m);
      await kubectl('patch', 'configmap', 'watched', '-p', '{"data":{"b":"2"}}');
      await both;
    } finally {
      watching.kill();
    }
  });

  it('deletes, and waits until it is gone', async () => {
    expect(await kubectl('delete', 'volumesnapshot', 'nightly')).toContain('deleted');
    expect((await run('get', 'volumesnapshot', 'nightly')).errors).toContain('NotFound');
  });
});
