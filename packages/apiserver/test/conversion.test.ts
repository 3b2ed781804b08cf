// A custom resource in two versions, converted by a real HTTPS webhook of this test.
import { once } from 'node:events';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { issue, makeAuthority } from '../src/auth/certificates.ts';

type Json = Record<string, any>;

let webhook: Server;
let api: ApiServer;
let calls = 0;
let broken = false;

/** v1 has spec.size as a number, v2 as text with a unit. */
function convertOne(object: Json, apiVersion: string): Json {
  const { size } = object['spec'] as { size: number | string };
  const converted = apiVersion.endsWith('/v2') ? `${size}Gi` : Number.parseInt(String(size), 10);
  return { ...object, apiVersion, spec: { size: converted } };
}

async function startWebhook(): Promise<{ url: string; caBundle: string }> {
  const ca = await makeAuthority('webhook authority', new Date());
  const { cert, key } = await issue(ca, { commonName: 'webhook', addresses: ['127.0.0.1'], now: new Date() });
  webhook = createServer({ cert, key }, (request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      calls++;
      const { uid, desiredAPIVersion, objects } = (JSON.parse(text) as Json)['request'] as { uid: string; desiredAPIVersion: string; objects: Json[] };
      const result = broken ? { status: 'Failure', message: 'out of order' } : { status: 'Success' };
      response.end(JSON.stringify({ response: { uid, result, convertedObjects: objects.map((one) => convertOne(one, desiredAPIVersion)) } }));
    });
  }).listen(0, '127.0.0.1');
  await once(webhook, 'listening');
  return { url: `https://127.0.0.1:${(webhook.address() as AddressInfo).port}/convert`, caBundle: Buffer.from(ca.cert).toString('base64') };
}

function ask(method: string, path: string, body?: Json): Promise<{ status: number; body: Json }> {
  const { ca, cert, key } = api.adminConnection.tls;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`${api.url}${path}`, { method, ca, cert, key, headers: { 'Content-Type': 'application/json' } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text.split('\n')[0] ?? '') as Json }));
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const version = (name: string, storage: boolean, type: string): Json => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { size: { type } } } } } },
});
const things = (in_: string, name = ''): string => `/apis/example.dev/${in_}/namespaces/default/things${name === '' ? '' : `/${name}`}`;

beforeAll(async () => {
  const clientConfig = await startWebhook();
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.dev' },
    spec: {
      group: 'example.dev',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [version('v1', true, 'integer'), version('v2', false, 'string')],
      conversion: { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } },
    },
  };
  api = await startApiServer({ crds: [crd] });
  const created = await ask('POST', things('v1'), { apiVersion: 'example.dev/v1', kind: 'Thing', metadata: { name: 'a' }, spec: { size: 3 } });
  expect(created.status).toBe(201);
});

afterAll(async () => {
  await api.stop();
  webhook.close();
});

describe('conversion by webhook', () => {
  it('shows an object in another version, alone and in lists, and asks once for each version of it', async () => {
    calls = 0;
    expect((await ask('GET', things('v2', 'a'))).body).toMatchObject({ apiVersion: 'example.dev/v2', spec: { size: '3Gi' }, metadata: { name: 'a' } });
    expect((await ask('GET', things('v2'))).body['items']).toMatchObject([{ apiVersion: 'example.dev/v2', spec: { size: '3Gi' } }]);
    expect((await ask('GET', things('v1', 'a'))).body).toMatchObject({ spec: { size: 3 } });
    expect(calls).toBe(1);
  });

  it('takes writes in either version', async () => {
    const { body } = await ask('GET', things('v2', 'a'));
    const written = await ask('PUT', things('v2', 'a'), { ...body, spec: { size: '5Gi' } });
    expect(written.body).toMatchObject({ spec: { size: '5Gi' }, metadata: { generation: 2 } });
    expect((await ask('GET', things('v1', 'a'))).body).toMatchObject({ apiVersion: 'example.dev/v1', spec: { size: 5 } });
  });

  it('shows converted objects in watches', async () => {
    const event = await ask('GET', `${things('v1')}?watch=true&timeoutSeconds=1`);
    expect(event.body).toMatchObject({ type: 'ADDED', object: { apiVersion: 'example.dev/v1', spec: { size: 5 } } });
  });

  it('answers 500 with the reason of a webhook that fails, and recovers', async () => {
    await ask('PUT', things('v2', 'a'), {
      apiVersion: 'example.dev/v2',
      kind: 'Thing',
      metadata: { name: 'a', resourceVersion: (await ask('GET', things('v2', 'a'))).body['metadata'].resourceVersion },
      spec: { size: '7Gi' },
    });
    broken = true;
    expect(await ask('GET', things('v1', 'a'))).toMatchObject({
      status: 500,
      body: { kind: 'Status', message: 'conversion webhook for example.dev/v2, Kind=Thing failed: out of order' },
    });
    broken = false;
    expect((await ask('GET', things('v1', 'a'))).body).toMatchObject({ spec: { size: 7 } });
  });
});
