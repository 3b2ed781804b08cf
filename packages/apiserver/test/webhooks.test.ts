import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callerOf, type Caller } from './caller.ts';
import { startWebhook, type WebhookServer } from './webhook-server.ts';

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
const MAPS = '/api/v1/namespaces/default/configmaps';

let api: ApiServer;
let hook: WebhookServer;
let call: Caller;
let closeCaller: () => void;

beforeAll(async () => {
  hook = await startWebhook();
  api = await startApiServer({ resolveService: ({ name, namespace }) => (name === 'hook' && namespace === 'system' ? hook.url : undefined) });
  ({ call, close: closeCaller } = callerOf(api));
});
afterAll(async () => {
  closeCaller();
  await api.stop();
  await hook.close();
});
beforeEach(async () => {
  hook.answer(() => ({ allowed: true }));
  for (const kind of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) await call('DELETE', `${CONFIGURATIONS}/${kind}`);
  await call('DELETE', MAPS);
});

type Kind = 'Mutating' | 'Validating';

function webhook(over: object = {}): object {
  return {
    name: 'check.example.dev',
    clientConfig: { url: hook.url, caBundle: hook.caBundle },
    rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...over,
  };
}

async function register(kind: Kind, webhooks: object[], name = 'w'): Promise<void> {
  const body = { apiVersion: 'admissionregistration.k8s.io/v1', kind: `${kind}WebhookConfiguration`, metadata: { name }, webhooks };
  const { status, body: answer } = await call('POST', `${CONFIGURATIONS}/${kind.toLowerCase()}webhookconfigurations`, { body });
  expect(answer).toMatchObject({ kind: `${kind}WebhookConfiguration` });
  expect(status).toBe(201);
}

const configMap = (name: string, over: object = {}): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' }, ...over });
const create = (name: string, over: object = {}, query = ''): ReturnType<Caller> => call('POST', `${MAPS}${query}`, { body: configMap(name, over) });

describe('validating webhooks', () => {
  it('see who asks for what, and stop it in their own words', async () => {
    await register('Validating', [webhook()]);
    hook.answer(() => ({ allowed: false, status: { message: 'not today', code: 409, reason: 'Conflict' } }));
    const refused = await create('a');
    expect(refused).toMatchObject({
      status: 409,
      body: { kind: 'Status', reason: 'Conflict', message: 'admission webhook "check.example.dev" denied the request: not today' },
    });
    expect(hook.questions).toMatchObject([
      {
        operation: 'CREATE',
        name: 'a',
        namespace: 'default',
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        userInfo: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
        object: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } },
        oldObject: null,
        dryRun: false,
      },
    ]);
    expect((await call('GET', `${MAPS}/a`)).status).toBe(404);
  });

  it('refuse with 400 and no reason when they give none', async () => {
    await register('Validating', [webhook()]);
    hook.answer(() => ({ allowed: false }));
    expect(await create('a')).toMatchObject({ status: 400, body: { message: 'admission webhook "check.example.dev" denied the request without explanation' } });
  });

  it('see both objects of an update and the old one of a deletion, and their warnings reach the client', async () => {
    await create('a');
    await register('Validating', [webhook()]);
    hook.answer(() => ({ allowed: true, warnings: ['mind the gap'] }));
    const patched = await call('PATCH', `${MAPS}/a`, { body: { data: { b: '2' } }, contentType: 'application/merge-patch+json' });
    expect(patched.warnings).toEqual(['299 - "mind the gap"']);
    await call('DELETE', `${MAPS}/a`);
    expect(hook.questions).toMatchObject([
      { operation: 'UPDATE', object: { data: { a: '1', b: '2' } }, oldObject: { data: { a: '1' } } },
      { operation: 'DELETE', object: null, oldObject: { data: { a: '1', b: '2' } } },
    ]);
  });

  it('keep their connection', async () => {
    await register('Validating', [webhook()]);
    await create('a');
    const before = hook.connections();
    for (const name of ['b', 'c', 'd']) await create(name);
    expect(hook.questions).toHaveLength(4);
    expect(hook.connections()).toBe(before);
  });

  it('may not change the object', async () => {
    await register('Validating', [webhook()]);
    hook.answer(() => ({ allowed: true, patch: [{ op: 'add', path: '/data/x', value: 'y' }] }));
    expect((await create('a')).body.message).toContain('validating webhook may not return response.patch');
  });
});

describe('mutating webhooks', () => {
  it('change the object in the order of their configurations, before the validating ones see it', async () => {
    await register('Mutating', [webhook({ name: 'b.example.dev' })], 'second');
    await register('Mutating', [webhook({ name: 'a.example.dev' })], 'first');
    await register('Validating', [webhook({ name: 'v.example.dev' })]);
    let round = 0;
    hook.answer(({ object }) => {
      round++;
      const seen = (object?.['data'] as Record<string, string> | undefined)?.['seen'] ?? '';
      return round > 2 ? { allowed: true } : { allowed: true, patch: [{ op: 'add', path: '/data/seen', value: `${seen}${round}` }] };
    });
    const made = await create('a');
    expect(made.body.data).toEqual({ a: '1', seen: '12' });
    expect(hook.questions[2]?.object).toMatchObject({ data: { seen: '12' } });
  });

  it('are asked again when a later one changed what they left, if they want so', async () => {
    await register('Mutating', [
      webhook({ name: 'a.example.dev', reinvocationPolicy: 'IfNeeded' }),
      webhook({ name: 'b.example.dev', reinvocationPolicy: 'Never' }),
    ]);
    hook.answer(() => ({ allowed: true, ...(hook.questions.length === 2 ? { patch: [{ op: 'add', path: '/data/late', value: '1' }] } : {}) }));
    await create('a');
    expect(hook.questions.map(({ object }) => Object.keys(object?.['data'] as object))).toEqual([['a'], ['a'], ['a', 'late']]);
  });

  it('own nothing of what they change', async () => {
    await register('Mutating', [webhook()]);
    hook.answer(() => ({ allowed: true, patch: [{ op: 'add', path: '/data/injected', value: '1' }] }));
    const made = await create('a');
    expect(made.body.data.injected).toBe('1');
    expect(JSON.stringify(made.body.metadata.managedFields)).not.toContain('injected');
  });

  it('cannot break what validation demands', async () => {
    await register('Mutating', [webhook()]);
    hook.answer(() => ({ allowed: true, patch: [{ op: 'add', path: '/data/not~1a~1key', value: '1' }] }));
    expect((await create('a')).status).toBe(422);
  });
});

describe('a webhook that cannot be asked', () => {
  it.each([
    ['is not there', { clientConfig: { url: 'https://127.0.0.1:1/' } }, 'ECONNREFUSED'],
    ['has a certificate of somebody else', { clientConfig: { url: undefined } }, 'certificate'],
    ['is a Service that nobody knows', { clientConfig: { service: { namespace: 'system', name: 'other' } } }, 'service "other" not found'],
  ])('fails the request when it %s, unless its failures are to be ignored', async (_case, over, why) => {
    const { url } = over.clientConfig as { url?: string };
    const clientConfig = 'url' in over.clientConfig && url === undefined ? { url: hook.url } : over.clientConfig;
    await register('Validating', [webhook({ clientConfig })]);
    const refused = await create('a');
    expect(refused).toMatchObject({ status: 500, body: { reason: 'InternalError' } });
    expect(refused.body.message).toMatch(/^Internal error occurred: failed calling webhook "check.example.dev": failed to call webhook: /);
    expect(refused.body.message).toContain(why);
    await call('DELETE', `${CONFIGURATIONS}/validatingwebhookconfigurations/w`);
    await register('Validating', [webhook({ clientConfig, failurePolicy: 'Ignore' })]);
    expect((await create('a')).status).toBe(201);
  });

  it('is given up after its own timeout', async () => {
    await register('Validating', [webhook({ timeoutSeconds: 1 })]);
    hook.answer(() => 'hang');
    expect((await create('a')).body.message).toContain('context deadline exceeded');
  });

  it.each([
    [{ raw: '{}' }, 'expected webhook response of admission.k8s.io/v1'],
    [{ raw: 'nonsense' }, 'the answer is no JSON'],
    [{ allowed: true, uid: 'other' }, 'expected response.uid='],
    [{ raw: '{}', status: 503 }, '503'],
  ])('counts as failed when it answers %j', async (answer, why) => {
    await register('Validating', [webhook()]);
    hook.answer(() => answer as never);
    const refused = await create('a');
    expect(refused.status).toBe(500);
    expect(refused.body.message).toContain(why);
  });
});

describe('a webhook is asked only', () => {
  async function asked(over: object, made: object = {}): Promise<number> {
    await register('Validating', [webhook(over)]);
    expect((await create('a', made)).status).toBe(201);
    return hook.questions.length;
  }

  it('for the operations, groups, versions, resources and scope of its rules', async () => {
    const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: 'Namespaced' };
    const cases: [object, number][] = [
      [rule, 1],
      [{ ...rule, operations: ['UPDATE', 'DELETE'] }, 0],
      [{ ...rule, apiGroups: ['apps'] }, 0],
      [{ ...rule, resources: ['configmaps/status', 'pods'] }, 0],
      [{ ...rule, resources: ['*/*'] }, 1],
      [{ ...rule, scope: 'Cluster' }, 0],
    ];
    for (const [rules, times] of cases) {
      await call('DELETE', `${CONFIGURATIONS}/validatingwebhookconfigurations`);
      await call('DELETE', MAPS);
      hook.answer(() => ({ allowed: true }));
      expect(await asked({ rules: [rules] }), JSON.stringify(rules)).toBe(times);
    }
  });

  it('in namespaces that its selector names', async () => {
    expect(await asked({ namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['default'] }] } })).toBe(0);
  });

  it('for objects that its selector names', async () => {
    expect(await asked({ objectSelector: { matchLabels: { watch: 'me' } } })).toBe(0);
    await create('b', { metadata: { name: 'b', labels: { watch: 'me' } } });
    expect(hook.questions).toHaveLength(1);
  });

  it('when its conditions hold', async () => {
    expect(await asked({ matchConditions: [{ name: 'big', expression: "object.data['a'] == '2' && request.operation == 'CREATE'" }] })).toBe(0);
    await create('b', { data: { a: '2' } });
    expect(hook.questions).toHaveLength(1);
  });

  it('never of its own registration, which could not be repaired otherwise', async () => {
    await register('Validating', [webhook({ rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }] })]);
    hook.answer(() => ({ allowed: false }));
    expect((await call('DELETE', `${CONFIGURATIONS}/validatingwebhookconfigurations/w`)).status).toBe(200);
  });

  it('through the Service that its registration names', async () => {
    await register('Validating', [webhook({ clientConfig: { service: { namespace: 'system', name: 'hook', path: '/check' }, caBundle: hook.caBundle } })]);
    expect((await create('a')).status).toBe(201);
    expect(hook.questions).toHaveLength(1);
  });
});

it('a dry run is told to the webhook and changes nothing', async () => {
  await register('Validating', [webhook()]);
  expect((await create('a', {}, '?dryRun=All')).status).toBe(201);
  expect(hook.questions).toMatchObject([{ dryRun: true }]);
  expect((await call('GET', `${MAPS}/a`)).status).toBe(404);
});

it('a registration is refused field by field, and filled in where it may be', async () => {
  const broken = webhook({
    name: 'short',
    sideEffects: 'Some',
    timeoutSeconds: 31,
    admissionReviewVersions: [],
    clientConfig: {},
    rules: [{ operations: ['*', 'CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: [] }],
  });
  const body = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name: 'x' }, webhooks: [broken] };
  const refused = await call('POST', `${CONFIGURATIONS}/validatingwebhookconfigurations`, { body });
  const causes = refused.body.details.causes as { field: string; message: string }[];
  expect(causes.map(({ field }) => field)).toEqual([
    'webhooks[0].name',
    'webhooks[0].admissionReviewVersions',
    'webhooks[0].rules[0].resources',
    'webhooks[0].rules[0].operations',
    'webhooks[0].sideEffects',
    'webhooks[0].timeoutSeconds',
    'webhooks[0].clientConfig',
  ]);
  await register('Validating', [webhook()]);
  const stored = await call('GET', `${CONFIGURATIONS}/validatingwebhookconfigurations/w`);
  expect(stored.body.webhooks[0]).toMatchObject({
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    timeoutSeconds: 10,
    namespaceSelector: {},
    objectSelector: {},
    rules: [{ scope: '*' }],
  });
});
