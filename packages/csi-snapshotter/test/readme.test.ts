// The examples of the two READMEs, run as they stand: with the socket and the patience of a test.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApiServer } from '@snapshot-stack/apiserver';
import { snapshotCrds } from '@snapshot-stack/api-types';
import { expect, test } from 'vitest';
import { InspectableDriver } from './support/inspectable-driver.ts';

test.each(['snapshot-controller', 'csi-snapshotter'])(
  'the example of %s runs',
  async (name) => {
    const dir = await mkdtemp(join(tmpdir(), 'readme-'));
    const api = await startApiServer({ crds: snapshotCrds(), dir });
    const driver = new InspectableDriver();
    await driver.start();
    try {
      const readme = await readFile(new URL(`../../${name}/README.md`, import.meta.url), 'utf8');
      const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
      const code = example.replace('60_000);\n', '1_000);\n').replace('timeout(60_000)', 'timeout(1_000)').replace('/run/csi/socket', driver.socket);
      const flags = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', '--input-type=module-typescript'];
      const child = spawn(process.execPath, [...flags, '-e', `${code}\nprocess.exit(0);`], {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: { ...process.env, KUBECONFIG: api.kubeconfigPath },
      });
      let output = '';
      child.stderr.on('data', (data: Buffer) => (output += String(data)));
      const exitCode = await new Promise((resolve) => child.once('exit', resolve));
      expect(exitCode, output).toBe(0);
      expect(api.requests.some(({ userAgent, verb }) => userAgent === `${name}/example` && verb === 'watch')).toBe(true);
    } finally {
      await driver.stop();
      await api.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
  30_000,
);
