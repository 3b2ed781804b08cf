// The end of a CustomResourceDefinition: its objects go first, and those with finalizers hold it.
import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';

type Json = Record<string, any>;

let api: ApiServer;

function ask(method: string, path: string, body?: Json, contentType = 'application/json'): Promise<{ status: number; body: Json }> {
  const { ca, cert, key } = api.adminConnection.tls;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`${api.url}${path}`, { method, ca, cert, key, headers: { 'Content-Type': contentType } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text.startsWith('{') ? (JSON.parse(text) as Json) : { text } }));
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const definition = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.dev';
const things = '/apis/example.dev/v1/namespaces/default/things';
const aThing = (name: string, finalizers: string[] = []): Json => ({ apiVersion: 'example.dev/v1', kind: 'Thing', metadata: { name, finalizers } });

beforeAll(async () => {
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } };
  const spec = { group: 'example.dev', scope: 'Namespaced', names: { plural: 'things', kind: 'Thing' }, versions: [version] };
  api = await startApiServer({
    crds: [{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'things.example.dev' }, spec }],
  });
});

afterAll(() => api.stop());

it('shows stored objects with the defaults, and without the fields, of a definition that changed', async () => {
  await ask('POST', things, { ...aThing('old'), spec: { gone: 1, stays: 2 } });
  const { body } = await ask('GET', definition);
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { stays: { type: 'integer' }, fresh: { type: 'string', default: 'd' } } } },
  };
  body['spec'].versions[0].schema.openAPIV3Schema = schema;
  expect((await ask('PUT', definition, body)).status).toBe(200);
  expect((await ask('GET', `${things}/old`)).body['spec']).toEqual({ stays: 2, fresh: 'd' });
  expect((await ask('GET', things)).body['items']).toMatchObject([{ spec: { stays: 2, fresh: 'd' } }]);
  await ask('DELETE', `${things}/old`);
});

it('waits for objects with finalizers, refuses new ones meanwhile, and goes with the last', async () => {
  await ask('POST', things, aThing('free'));
  await ask('POST', things, aThing('held', ['example.dev/hold']));
  expect((await ask('DELETE', definition)).body).toMatchObject({ metadata: { finalizers: ['customresourcecleanup.apiextensions.k8s.io'] } });

  const crd = (await ask('GET', definition)).body;
  expect(crd['status'].conditions).toContainEqual(expect.objectContaining({ type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress' }));
  const { items } = (await ask('GET', things)).body;
  expect(items).toMatchObject([{ metadata: { name: 'held', deletionTimestamp: expect.any(String) } }]);
  expect(await ask('POST', things, aThing('new'))).toMatchObject({
    status: 405,
    body: { message: 'create not allowed while custom resource definition is terminating' },
  });

  await ask('PATCH', `${things}/held`, { metadata: { finalizers: null } }, 'application/merge-patch+json');
  await expect.poll(async () => (await ask('GET', definition)).status).toBe(404);
  expect(await ask('GET', things)).toMatchObject({ status: 404, body: { text: '404 page not found\n' } });
});
