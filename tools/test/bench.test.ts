// The benches are run for real, with small numbers: figures are not judged, only that there are some.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('../src/bench/main.ts', import.meta.url));

async function bench(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

it('lists the benches', async () => {
  const { code, out } = await bench();
  expect(code).toBe(2);
  for (const name of ['rss', 'runtime', 'snapshots']) expect(out).toContain(`\n  ${name} `);
  expect(await bench('speed')).toMatchObject({ code: 2, err: expect.stringContaining('there is no bench "speed"') as string });
});

it('measures the runtime and prints one JSON object', { timeout: 60_000 }, async () => {
  const { code, out, err } = await bench('runtime', '--json', '--objects=30', '--requests=40', '--keys=2000');
  expect(err).toBe('');
  expect(code).toBe(0);
  const report = JSON.parse(out) as Record<string, object>;
  expect(report['informer']).toMatchObject({ objects: 30 });
  expect(report).toMatchObject({
    get: { perSecond: expect.any(Number) as number },
    patch: { perSecond: expect.any(Number) as number },
    changeMs: { p50: expect.any(Number) as number },
    queue: { perSecond: expect.any(Number) as number },
  });
});
