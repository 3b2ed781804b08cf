// Holds the TypeScript rules against what a real kube-apiserver answered with upstream's CRDs installed: the
// recordings beside the repository, where they are there.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { validateAny, type KubeObject } from '@snapshot-stack/api-types';

const recordings = new URL('../../../../shared/apiserver-vectors/', import.meta.url);
const scenarios = ['volumesnapshot', 'content', 'class', 'group', 'group-content'];

interface Step {
  request: { name: string; method: string; path: string; headers?: Record<string, string>; body?: any };
  response: { status: number; body?: { details?: { causes?: { field: string; message: string }[] } } & Record<string, unknown> };
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}

/** `Invalid value: "x": words` and `Invalid value: words` to `words`. */
const words = (message: string) => message.replace(/^(Invalid value: )("[^"]*": |-?\d+: )?/, '').replace(/^\S+ in body /, '');
const isNotice = (message: string) => message.includes('some validation rules were not checked');

function verdicts(steps: Step[]): { name: string; recorded: string[]; ours: string[] }[] {
  const stored = new Map<string, KubeObject>();
  return steps.flatMap(({ request, response }) => {
    const key = request.path.replace(/\/status$/, '').replace(/\/apis\/([^/]+)\/[^/]+\//, '/$1/');
    const isMerge = request.headers?.['Content-Type'] === 'application/merge-patch+json';
    const old = stored.get(key);
    const { apiVersion } = /\/apis\/(?<apiVersion>[^/]+\/[^/]+)/.exec(request.path)?.groups ?? {};
    const next = request.method === 'POST' ? request.body : isMerge && old ? { ...(merge(old, request.body) as object), apiVersion } : undefined;
    if (next === undefined || response.status === 400 || response.status === 404) return [];
    const before = old && { ...old, apiVersion: next.apiVersion };
    const ours = (validateAny(next, request.method === 'POST' ? undefined : before) ?? []).map(({ field, message }) => `${field}: ${message}`);
    if (response.status < 300) stored.set(request.method === 'POST' ? `${key}/${next.metadata.name}` : key, next);
    const causes = response.body?.details?.causes ?? (response.body?.['pick'] as any)?.['details.causes'] ?? [];
    const recorded = causes
      .filter(({ message }: { message: string }) => !isNotice(message))
      .map(({ field, message }: { field: string; message: string }) => `${field}: ${words(message)}`);
    return [{ name: request.name, recorded: recorded.toSorted(), ours: ours.toSorted() }];
  });
}

describe.skipIf(!existsSync(recordings))('the recorded answers of a real API server', () => {
  it.each(scenarios)('are ours too: snapshot-crd-%s', (scenario) => {
    const { steps } = JSON.parse(readFileSync(new URL(`snapshot-crd-${scenario}.json`, recordings), 'utf8')) as { steps: Step[] };
    const compared = verdicts(steps);
    expect(compared.length).toBeGreaterThan(4);
    for (const { name, recorded, ours } of compared) expect({ name, verdict: ours }).toEqual({ name, verdict: recorded });
  });
});
