// The README's example, run as it stands: with the socket and the patience of a test.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { snapshotCrds } from '@snapshot-stack/api-types';
import { startApiServer } from '@snapshot-stack/apiserver';
import { flags, startDriver } from '@snapshot-stack/hostpath-driver';
import { silentLog } from '@snapshot-stack/runtime';
import { expect, test } from 'vitest';

test('the example runs', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'provisioner-readme-'));
  const socket = join(dir, 'csi.sock');
  const api = await startApiServer({ crds: snapshotCrds(), dir });
  const driver = await startDriver(flags.parse([`--endpoint=unix://${socket}`, '--nodeid=n', `--statedir=${join(dir, 'state')}`], {}), silentLog);
  try {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const code = example.replace('timeout(60_000)', 'timeout(1_500)').replace('/run/csi/socket', socket);
    const nodeFlags = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', '--input-type=module-typescript'];
    const child = spawn(process.execPath, [...nodeFlags, '-e', `${code}\nprocess.exit(0);`], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, KUBECONFIG: api.kubeconfigPath },
    });
    let output = '';
    child.stderr.on('data', (data: Buffer) => (output += String(data)));
    const exitCode = await new Promise((resolve) => child.once('exit', resolve));
    expect(exitCode, output).toBe(0);
    expect(api.requests.some(({ userAgent, verb }) => userAgent === 'csi-provisioner/example' && verb === 'watch')).toBe(true);
  } finally {
    await driver.close();
    await api.stop();
    await rm(dir, { recursive: true, force: true });
  }
}, 30_000);
