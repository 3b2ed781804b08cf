import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { Agent, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issue, makeAuthority } from '../src/auth/certificates.ts';
import { callerOf, type Answered, type Caller, type Sent } from './caller.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const MAPS = '/api/v1/namespaces/default/configmaps';

let api: ApiServer;
let call: Caller;
let closeCaller: () => void;

beforeAll(async () => {
  api = await startApiServer({ tokens: new Map([['letmein', { name: 'robot', groups: ['machines'] }]]) });
  ({ call, close: closeCaller } = callerOf(api));
});
afterAll(async () => {
  closeCaller();
  await api.stop();
});

const as = (name: string, groups: string[] = []): Record<string, string | string[]> => ({
  'Impersonate-User': name,
  ...(groups.length === 0 ? {} : { 'Impersonate-Group': groups }),
});
const bearer = (token: string): Sent => ({ anonymous: true, headers: { Authorization: `Bearer ${token}` } });

async function make(path: string, body: object, sent: Sent = {}): Promise<Answered> {
  return call('POST', path, { ...sent, body });
}

function role(name: string, rules: object[], kind = 'Role'): object {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name }, rules };
}

function binding(name: string, roleKind: string, roleName: string, subject: object, kind = 'RoleBinding'): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: roleKind, name: roleName },
    subjects: [subject],
  };
}

const user = (name: string): object => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name });

/** Gives a user rules in the default namespace. */
async function grant(name: string, rules: object[]): Promise<void> {
  expect((await make(`${RBAC}/namespaces/default/roles`, role(`of-${name}`, rules))).status).toBe(201);
  expect((await make(`${RBAC}/namespaces/default/rolebindings`, binding(`of-${name}`, 'Role', `of-${name}`, user(name)))).status).toBe(201);
}

describe('who is asking', () => {
  it('is known by a static token, and unknown with another', async () => {
    expect((await call('GET', MAPS, bearer('letmein'))).body.message).toContain('User "robot" cannot list');
    expect(await call('GET', MAPS, bearer('guess'))).toMatchObject({ status: 401, body: { reason: 'Unauthorized', message: 'Unauthorized' } });
  });

  it('is refused with a certificate of another authority, even where anybody may come', async () => {
    const other = await makeAuthority('other', new Date());
    const fake = await issue(other, { commonName: 'kubernetes-admin', organizations: ['system:masters'], now: new Date() });
    const agent = new Agent({ ca: api.adminConnection.tls.ca, cert: fake.cert, key: fake.key });
    const status = await new Promise((resolve, reject) => {
      const sent = request(new URL('/version', api.url), { agent }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end();
    });
    agent.destroy();
    expect(status).toBe(401);
  });

  it('may ask who the server takes it for', async () => {
    const review = await make(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      { headers: as('jane', ['dev']) },
    );
    expect(review).toMatchObject({ status: 201, body: { status: { userInfo: { username: 'jane', groups: ['dev', 'system:authenticated'] } } } });
  });
});

describe('impersonation', () => {
  it('needs the right to it for the user and for each group', async () => {
    await make(
      `${RBAC}/clusterroles`,
      role('act-as-jane', [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['jane'] }], 'ClusterRole'),
    );
    await make(`${RBAC}/clusterrolebindings`, binding('act-as-jane', 'ClusterRole', 'act-as-jane', user('robot'), 'ClusterRoleBinding'));
    const robot = (headers: Record<string, string | string[]>): Promise<Answered> =>
      call('GET', MAPS, { anonymous: true, headers: { Authorization: 'Bearer letmein', ...headers } });
    expect((await robot(as('jane'))).body.message).toContain('User "jane" cannot list');
    expect((await robot(as('joe'))).body).toMatchObject({
      message: 'users "joe" is forbidden: User "robot" cannot impersonate resource "users" in API group "" at the cluster scope',
      details: { name: 'joe', kind: 'users' },
    });
    expect((await robot(as('jane', ['system:masters']))).body.message).toContain('groups "system:masters" is forbidden');
  });

  it('of a service account brings its groups', async () => {
    const review = await make(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' },
      { headers: as('system:serviceaccount:default:bot') },
    );
    expect(review.body.status.userInfo.groups).toEqual(['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated']);
  });

  it('of a group alone makes no sense', async () => {
    expect((await call('GET', MAPS, { headers: { 'Impersonate-Group': 'dev' } })).status).toBe(500);
  });
});

describe('roles', () => {
  it('with names allow those objects alone, also in lists and watches of one', async () => {
    await grant('amy', [{ verbs: ['get', 'list', 'update'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['hers'] }]);
    const ask = (path: string, method = 'GET'): Promise<Answered> => call(method, path, { headers: as('amy') });
    expect((await ask(`${MAPS}/hers`)).status).toBe(404);
    expect((await ask(`${MAPS}/his`)).status).toBe(403);
    expect((await ask(MAPS)).status).toBe(403);
    expect((await ask(`${MAPS}?fieldSelector=metadata.name%3Dhers`)).status).toBe(200);
  });

  it('take effect and lose it at once', async () => {
    await grant('ben', [{ verbs: ['list'], apiGroups: [''], resources: ['pods'] }]);
    const pods = '/api/v1/namespaces/default/pods';
    expect((await call('GET', pods, { headers: as('ben') })).status).toBe(200);
    await call('DELETE', `${RBAC}/namespaces/default/rolebindings/of-ben`);
    expect((await call('GET', pods, { headers: as('ben') })).status).toBe(403);
  });

  it('that are bound but not there are named in the refusal', async () => {
    await make(`${RBAC}/clusterrolebindings`, binding('dangling', 'ClusterRole', 'ghost', user('cid'), 'ClusterRoleBinding'));
    const refused = await call('GET', MAPS, { headers: as('cid') });
    expect(refused.body.message).toBe(
      'configmaps is forbidden: User "cid" cannot list resource "configmaps" in API group "" in the namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "ghost" not found',
    );
  });

  it('gather the rules of others by label', async () => {
    await make(`${RBAC}/clusterroles`, role('widget-view', [{ verbs: ['list'], apiGroups: ['example.dev'], resources: ['widgets'] }], 'ClusterRole'));
    await call('PATCH', `${RBAC}/clusterroles/widget-view`, {
      body: { metadata: { labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } } },
      contentType: 'application/merge-patch+json',
    });
    await make(`${RBAC}/clusterrolebindings`, binding('dora-views', 'ClusterRole', 'view', user('dora'), 'ClusterRoleBinding'));
    expect(await allowed('dora', { verb: 'list', group: 'example.dev', resource: 'widgets' })).toBe(true);
    expect(await allowed('dora', { verb: 'delete', group: 'example.dev', resource: 'widgets' })).toBe(false);
  });

  it('of one namespace hold in no other', async () => {
    await grant('eve', [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]);
    expect((await call('GET', MAPS, { headers: as('eve') })).status).toBe(200);
    expect((await call('GET', '/api/v1/namespaces/kube-system/configmaps', { headers: as('eve') })).status).toBe(403);
    expect((await call('GET', '/api/v1/configmaps', { headers: as('eve') })).status).toBe(403);
    expect((await call('GET', '/api/v1/namespaces/default', { headers: as('eve') })).status).toBe(200);
  });
});

async function allowed(name: string, resourceAttributes: object): Promise<boolean> {
  const review = await make('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user: name, resourceAttributes },
  });
  expect(review.status).toBe(201);
  return review.body.status.allowed as boolean;
}

it.each([
  ['roles', { verbs: [], apiGroups: [''], resources: ['pods'] }, ['rules[0].verbs']],
  ['roles', { verbs: ['get'] }, ['rules[0].apiGroups', 'rules[0].resources']],
  ['roles', { verbs: ['get'], nonResourceURLs: ['/x'] }, ['rules[0].nonResourceURLs']],
  ['clusterroles', { verbs: ['get'], nonResourceURLs: ['/x'], resources: ['pods'] }, ['rules[0].nonResourceURLs']],
])('%s with the rule %j are refused', async (plural, rule, fields) => {
  const path = plural === 'roles' ? `${RBAC}/namespaces/default/roles` : `${RBAC}/clusterroles`;
  const refused = await make(path, role('broken', [rule], plural === 'roles' ? 'Role' : 'ClusterRole'));
  expect(refused.status).toBe(422);
  expect(refused.body.details.causes.map((cause: { field: string }) => cause.field)).toEqual(fields);
});

describe('escalation', () => {
  beforeAll(async () => {
    await grant('fay', [
      { verbs: ['create', 'update', 'patch', 'get'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'] },
      { verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'] },
    ]);
  });
  const asFay = { headers: as('fay') };
  const roles = `${RBAC}/namespaces/default/roles`;

  it('lets a role grant what its author has, and no more', async () => {
    expect((await make(roles, role('less', [{ verbs: ['get'], apiGroups: [''], resources: ['configmaps'] }]), asFay)).status).toBe(201);
    const refused = await make(roles, role('more', [{ verbs: ['get', 'delete'], apiGroups: [''], resources: ['configmaps', 'secrets'] }]), asFay);
    expect(refused).toMatchObject({ status: 403, body: { reason: 'Forbidden' } });
    expect(refused.body.message).toBe(
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "fay" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}\n{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}',
    );
  });

  it('lets nobody bind a role that is above him, unless he may bind', async () => {
    const bindings = `${RBAC}/namespaces/default/rolebindings`;
    expect((await make(bindings, binding('up', 'ClusterRole', 'cluster-admin', user('fay')), asFay)).status).toBe(403);
    await make(
      roles,
      role('binder', [{ verbs: ['bind'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], resourceNames: ['cluster-admin'] }]),
    );
    await make(bindings, binding('binder', 'Role', 'binder', user('fay')));
    expect((await make(bindings, binding('up', 'ClusterRole', 'cluster-admin', user('fay')), asFay)).status).toBe(201);
  });
});

describe('access reviews', () => {
  it('say why something is allowed', async () => {
    await grant('gus', [{ verbs: ['get'], apiGroups: [''], resources: ['pods/log'] }]);
    const review = await make('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: 'gus', resourceAttributes: { verb: 'get', resource: 'pods', subresource: 'log', namespace: 'default' } },
    });
    expect(review.body.status).toEqual({ allowed: true, reason: 'RBAC: allowed by RoleBinding "of-gus/default" of Role "of-gus" to User "gus"' });
    expect(await allowed('gus', { verb: 'get', resource: 'pods', namespace: 'default' })).toBe(false);
  });

  it('refuse a question that is none', async () => {
    const empty = await make('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {},
    });
    expect(empty.status).toBe(422);
    expect(empty.body.details.causes.map((cause: { field: string }) => cause.field)).toEqual(['spec.resourceAttributes', 'spec.user']);
    const elsewhere = await make('/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'LocalSubjectAccessReview',
      spec: { user: 'x', resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'other' } },
    });
    expect(elsewhere).toMatchObject({ status: 400, body: { message: 'spec.resourceAttributes.namespace must match namespace: default' } });
  });

  it('list all rules of the one who asks', async () => {
    await grant('hal', [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }]);
    const review = await make(
      '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: 'default' } },
      { headers: as('hal') },
    );
    expect(review.body.status.incomplete).toBe(false);
    expect(review.body.status.resourceRules).toContainEqual({ verbs: ['get'], apiGroups: [''], resources: ['pods'] });
    expect(review.body.status.nonResourceRules.length).toBeGreaterThan(0);
  });
});

describe('service account tokens', () => {
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const ask = (name: string, spec: object = {}): Promise<Answered> =>
    make(`${accounts}/${name}/token`, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec });
  beforeAll(async () => {
    await make(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bot' } });
    await make(`${RBAC}/namespaces/default/roles`, role('bots', [{ verbs: ['list'], apiGroups: [''], resources: ['configmaps'] }]));
    await make(`${RBAC}/namespaces/default/rolebindings`, binding('bots', 'Role', 'bots', { kind: 'ServiceAccount', name: 'bot', namespace: 'default' }));
  });

  it('let their account in with its own rights', async () => {
    const { status, body } = await ask('bot');
    expect(status).toBe(201);
    expect(body).toMatchObject({
      kind: 'TokenRequest',
      metadata: { name: 'bot', namespace: 'default' },
      spec: { expirationSeconds: 3600, audiences: ['https://kubernetes.default.svc.cluster.local'] },
    });
    const { token } = body.status as { token: string };
    expect((await call('GET', MAPS, bearer(token))).status).toBe(200);
    expect((await call('GET', '/api/v1/namespaces/default/secrets', bearer(token))).body.message).toContain(
      'User "system:serviceaccount:default:bot" cannot list',
    );
    expect((await call('GET', MAPS, bearer(`${token.slice(0, -6)}AAAAAA`))).status).toBe(401);
  });

  it('for another audience do not open this server, but a review tells whose they are', async () => {
    const { token } = (await ask('bot', { audiences: ['vault'] })).body.status as { token: string };
    expect((await call('GET', MAPS, bearer(token))).status).toBe(401);
    const review = (audiences: string[]): Promise<Answered> =>
      make('/apis/authentication.k8s.io/v1/tokenreviews', { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } });
    expect((await review(['vault', 'x'])).body.status).toMatchObject({
      authenticated: true,
      audiences: ['vault'],
      user: { username: 'system:serviceaccount:default:bot' },
    });
    expect((await review(['x'])).body.status.authenticated).toBeUndefined();
  });

  it('die with what they are bound to', async () => {
    const secret = await make('/api/v1/namespaces/default/secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tie' } });
    const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: 'tie', uid: secret.body.metadata.uid };
    const { token } = (await ask('bot', { boundObjectRef })).body.status as { token: string };
    expect((await call('GET', MAPS, bearer(token))).status).toBe(200);
    await call('DELETE', '/api/v1/namespaces/default/secrets/tie');
    expect((await call('GET', MAPS, bearer(token))).status).toBe(401);
    expect((await ask('bot', { boundObjectRef })).status).toBe(404);
  });

  it('are not given for less than ten minutes, or for nobody', async () => {
    expect((await ask('bot', { expirationSeconds: 60 })).body.message).toContain('may not specify a duration less than 10 minutes');
    expect((await ask('ghost')).status).toBe(404);
  });
});
