// The life of a process can only be seen from outside: each test runs one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const program = fileURLToPath(new URL('program.ts', import.meta.url));

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the program; `when` is called with each of its outputs. */
async function run(args: string[], when: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {}): Promise<Ran> {
  const child = spawn(process.execPath, ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += String(chunk);
    when(out, (signal) => child.kill(signal));
  });
  child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

describe('a process', { timeout: 30_000 }, () => {
  it('ends with the exit code of its main function', async () => {
    expect(await run(['--how=code'])).toEqual({ code: 7, out: '', err: '' });
  });

  it('says in one line why it failed, with the place from --v=5 on', async () => {
    expect(await run(['--how=fail'])).toEqual({ code: 1, out: '', err: 'error: the disk is full\n' });
    const verbose = await run(['--how=fail', '--v', '5']);
    expect(verbose.err).toMatch(/error: Error: the disk is full\n {4}at .*program\.ts/);
  });

  it('refuses a wrong command line with exit code 2', async () => {
    expect(await run(['--howl=fail'])).toEqual({ code: 2, out: '', err: 'error: unknown flag --howl; did you mean --how?\n' });
  });

  it('prints version and usage, and warns of deprecated flags', async () => {
    expect(await run(['--version'])).toMatchObject({ code: 0, out: 'program 1.2.3\n' });
    expect((await run(['--help'])).out).toContain('Usage of program:');
    expect((await run(['--how=code', '--old=1'])).err).toBe('warning: --old is deprecated: has no effect\n');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends in order on %s', async (signal) => {
    let sent = false;
    const ran = await run(['--how=wait'], (text, kill) => {
      if (!sent && text.includes('waiting')) sent = (kill(signal), true);
    });
    expect(ran).toEqual({ code: 0, out: `waiting\nending: asked to end by ${signal}\n`, err: '' });
  });

  it('takes a shutdown that was thrown for an orderly end', async () => {
    let sent = false;
    const ran = await run(['--how=sleep'], (text, kill) => {
      if (!sent && text.includes('waiting')) sent = (kill('SIGTERM'), true);
    });
    expect(ran).toMatchObject({ code: 0, err: '' });
  });

  it('ends at once on a second signal', async () => {
    let signals = 0;
    const ran = await run(['--how=hang'], (text, kill) => {
      if ((signals === 0 && text.includes('waiting')) || (signals === 1 && text.includes('ending'))) {
        signals++;
        kill('SIGTERM');
      }
    });
    expect(ran.code).toBe(130);
  });

  it('logs for people and for machines', async () => {
    const text = await run(['--how=log']);
    expect(text.err.split('\n')).toEqual([
      expect.stringMatching(/^I\d{4} \d\d:\d\d:\d\d\.\d{3} program\] hello part="worker" name="snap-1" bytes=9007199254740993$/),
      expect.stringMatching(/^W\d{4} .* program\] it failed error="KubeLike: no route: connection refused"$/),
      '',
    ]);
    const json = await run(['--how=log', '--logging-format=json', '--v=4']);
    const lines = json.err.trim().split('\n');
    expect(lines[0]).toContain('"bytes":9007199254740993');
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ level: 30, logger: 'program', name: 'snap-1', part: 'worker', msg: 'hello' }),
      expect.objectContaining({ level: 40, error: 'KubeLike: no route: connection refused' }),
      expect.objectContaining({ level: 20, msg: 'details' }),
    ]);
  });
});
