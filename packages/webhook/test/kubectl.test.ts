// What a person sees: a stock kubectl, an API server that calls the webhook, and our words on the terminal.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScene, type Scene } from './support/scene.ts';

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const aClass = (name: string, driver: string): string => `apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata:
  name: ${name}
  annotations: { snapshot.storage.kubernetes.io/is-default-class: "true" }
driver: ${driver}
deletionPolicy: Delete
`;
const CONTENT = `apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: { name: imported }
spec:
  driver: d
  deletionPolicy: Retain
  source: { snapshotHandle: h }
  sourceVolumeMode: Filesystem
  volumeSnapshotRef: { name: imported, namespace: default }
`;

describe.skipIf(!hasKubectl())(hasKubectl() ? 'kubectl' : 'kubectl (skipped: there is none on the PATH)', { timeout: 60_000 }, () => {
  let scene: Scene;
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'webhook-kubectl-'));
    scene = await startScene({ api: { dir, tokens: new Map([['jane', { name: 'jane', groups: ['system:authenticated'] }]]) } });
  });
  afterAll(async () => {
    await scene.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function kubectl(...args: string[]): Promise<{ code: number; text: string; errors: string }> {
    const env = { ...process.env, KUBECONFIG: join(dir, 'kubeconfig'), HOME: dir };
    return new Promise((resolve) => {
      execFile('kubectl', args, { env, cwd: dir, timeout: 30_000 }, (error, text, errors) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), text, errors });
      });
    });
  }

  it('prints warnings, and why an object is refused, with what helps', async () => {
    await writeFile(join(dir, 'a.yaml'), aClass('a', 'd'));
    await writeFile(join(dir, 'b.yaml'), aClass('b', 'd'));
    const first = await kubectl('apply', '-f', 'a.yaml');
    expect([first.code, first.text]).toEqual([0, 'volumesnapshotclass.snapshot.storage.k8s.io/a created\n']);
    expect(first.errors).toContain('Warning: driver: there is no CSIDriver d; snapshots of this class wait until that driver is installed');
    const second = await kubectl('apply', '-f', 'b.yaml');
    expect(second.code).toBe(1);
    expect(second.errors).toContain('The VolumeSnapshotClass "b" is invalid: metadata.annotations[snapshot.storage.kubernetes.io/is-default-class]');
    expect(second.errors).toContain('default snapshot class: a already exists for driver: d (rule one-default-class)');
    // The remedy is a command: it is run as it was printed.
    const remedy = /kubectl (annotate \S+ \S+ \S+-)/.exec(second.errors)?.[1] ?? '';
    expect((await kubectl(...remedy.split(' '))).code).toBe(0);
    expect((await kubectl('apply', '-f', 'b.yaml')).code).toBe(0);
  });

  it('prints a forbidden annotation, and deletes and dry-runs as ever', async () => {
    await writeFile(join(dir, 'content.yaml'), CONTENT);
    expect((await kubectl('apply', '--dry-run=server', '-f', 'content.yaml')).text).toContain('created (server dry run)');
    expect((await kubectl('apply', '-f', 'content.yaml')).code).toBe(0);
    const editor = ['create', 'clusterrole', 'editor', '--verb=get,list,patch', '--resource=volumesnapshotcontents.snapshot.storage.k8s.io'];
    expect((await kubectl(...editor)).errors).toBe('');
    expect((await kubectl('create', 'clusterrolebinding', 'editor', '--clusterrole=editor', '--user=jane')).errors).toBe('');
    const annotation = 'snapshot.storage.kubernetes.io/allow-volume-mode-change=true';
    const refused = await kubectl('--as=jane', 'annotate', 'volumesnapshotcontent', 'imported', annotation);
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining('user "jane" may not change this annotation (rule volume-mode-change)')]);
    expect((await kubectl('annotate', 'volumesnapshotcontent', 'imported', annotation)).code).toBe(0);
    expect((await kubectl('delete', 'volumesnapshotcontent', 'imported', '--wait=true', '--timeout=20s')).code).toBe(0);
  });
});
