// The chart of the CRDs: rendered by real Helm where that is there, and its templates accepted by the API server.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startApiServer } from '@snapshot-stack/apiserver';
import { createClient } from '@snapshot-stack/runtime';
import { describe, expect, it } from 'vitest';

const chart = fileURLToPath(new URL('../../charts/snapshot-crds', import.meta.url));
const templates = readdirSync(`${chart}/templates`);
const hasHelm = spawnSync('helm', ['version'], { stdio: 'ignore' }).status === 0;

describe('the chart of the CRDs', () => {
  it('holds all six, each kept when the chart is uninstalled', () => {
    expect(templates).toHaveLength(6);
    for (const name of templates) expect(readFileSync(`${chart}/templates/${name}`, 'utf8')).toContain('helm.sh/resource-policy: keep');
  });

  it('is accepted by the API server, which then serves every kind', async () => {
    const api = await startApiServer();
    const client = createClient(api.adminConnection, { userAgent: 'chart-test' });
    try {
      for (const name of templates) {
        const text = readFileSync(`${chart}/templates/${name}`, 'utf8');
        expect(await post(api.adminConnection, text)).toBe(201);
      }
      const { body } = await client.raw('GET', '/apis/snapshot.storage.k8s.io/v1');
      expect(
        (body as { resources: { name: string }[] }).resources
          .map(({ name }) => name)
          .filter((name) => !name.includes('/'))
          .sort(),
      ).toEqual(['volumesnapshotclasses', 'volumesnapshotcontents', 'volumesnapshots']);
    } finally {
      client.close();
      await api.stop();
    }
  });

  it.skipIf(!hasHelm)('renders with Helm as it is written', () => {
    const rendered = spawnSync('helm', ['template', 'crds', chart], { encoding: 'utf8' });
    expect(rendered.stderr).toBe('');
    expect(rendered.stdout.match(/^kind: CustomResourceDefinition$/gm)).toHaveLength(6);
  });
});

/** POSTs YAML as kubectl would not: as it is, with strict field validation. */
async function post(connection: { server: string; tls: { ca: string; cert: string; key: string } }, yaml: string): Promise<number> {
  const { request } = await import('node:https');
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${connection.server}/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldValidation=Strict`,
      { method: 'POST', ...connection.tls, agent: false, headers: { 'Content-Type': 'application/yaml' } },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(yaml);
  });
}
