// The workflows: valid for GitHub as far as actionlint can tell, and calling only commands that are there.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { HELM_PIN } from '../src/charts/helm.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dir = join(root, '.github/workflows');
const names = readdirSync(dir);
const ACTIONLINT = 'v1.7.9';
const GO = existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : 'go';
const hasGo = spawnSync(GO, ['version'], { stdio: 'ignore' }).status === 0;

interface Workflow {
  permissions?: Record<string, string>;
  jobs: Record<string, { 'timeout-minutes'?: number; needs?: string; steps: { uses?: string; run?: string; with?: Record<string, unknown> }[] }>;
}

describe.each(names)('%s', (name) => {
  const workflow = parse(readFileSync(join(dir, name), 'utf8')) as Workflow;
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

  it('starts with no more than reading rights', () => expect(workflow.permissions).toEqual({ contents: 'read' }));

  it('names a version of every action', () => {
    const unpinned = steps.flatMap(({ uses }) => (uses === undefined || /@v?\d/.test(uses) ? [] : [uses]));
    expect(unpinned).toEqual([]);
  });

  it('installs the Helm that the charts are tested with', () => {
    const installed = steps.flatMap((step) => (step.uses?.startsWith('azure/setup-helm@') === true ? [step.with?.['version']] : []));
    expect(installed.filter((version) => version !== HELM_PIN.version)).toEqual([]);
  });

  it('runs scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const called = steps.flatMap(({ run = '' }) => [...run.matchAll(/npm run ([a-z0-9-]+)/g)].map(([, script = '']) => script));
    expect(called.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
  });
});

it.skipIf(!hasGo)(`actionlint ${ACTIONLINT} finds nothing${hasGo ? '' : ' (not possible here: Go is not installed)'}`, { timeout: 300_000 }, () => {
  const args = ['run', `github.com/rhysd/actionlint/cmd/actionlint@${ACTIONLINT}`, '-shellcheck=', '-pyflakes=', ...names.map((name) => join(dir, name))];
  const { status, stdout, stderr } = spawnSync(GO, args, { encoding: 'utf8' });
  expect({ status, stdout, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});
