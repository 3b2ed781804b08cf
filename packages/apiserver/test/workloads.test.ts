// The kinds that charts are made of: what the server fills in, what it refuses, and that applying twice changes nothing.
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callerOf, type Caller } from './caller.ts';

const APPS = '/apis/apps/v1/namespaces/default';
let api: ApiServer;
let call: Caller;
let close: () => void;

beforeAll(async () => {
  api = await startApiServer();
  ({ call, close } = callerOf(api));
});
afterAll(async () => {
  close();
  await api.stop();
});

const container = { name: 'c', image: 'example.dev/c:1' };
const template = (over: object = {}, labels: object = { app: 'a' }): object => ({ metadata: { labels }, spec: { containers: [container], ...over } });

function workload(kind: string, name: string, spec: object = {}): object {
  return { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { selector: { matchLabels: { app: 'a' } }, template: template(), ...spec } };
}

describe('a Deployment', () => {
  it('gets what kube-apiserver fills in', async () => {
    const probe = { httpGet: { port: 8080 } };
    const full = template({
      serviceAccountName: 'runner',
      containers: [
        {
          ...container,
          ports: [{ containerPort: 8080 }],
          readinessProbe: probe,
          env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        },
      ],
      volumes: [
        { name: 'cert', secret: { secretName: 's' } },
        { name: 'dir', hostPath: { path: '/dev' } },
      ],
    });
    const { status, body } = await call('POST', `${APPS}/deployments?fieldValidation=Strict`, { body: workload('Deployment', 'full', { template: full }) });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      metadata: { generation: 1 },
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: {
          spec: {
            restartPolicy: 'Always',
            dnsPolicy: 'ClusterFirst',
            schedulerName: 'default-scheduler',
            securityContext: {},
            serviceAccount: 'runner',
            terminationGracePeriodSeconds: 30,
            containers: [
              {
                imagePullPolicy: 'IfNotPresent',
                ports: [{ containerPort: 8080, protocol: 'TCP' }],
                readinessProbe: {
                  httpGet: { path: '/', port: 8080, scheme: 'HTTP' },
                  timeoutSeconds: 1,
                  periodSeconds: 10,
                  successThreshold: 1,
                  failureThreshold: 3,
                },
                env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
                terminationMessagePath: '/dev/termination-log',
              },
            ],
            volumes: [{ secret: { defaultMode: 420 } }, { hostPath: { type: '' } }],
          },
        },
      },
      status: {},
    });
    expect((body as { spec: { template: { spec: object } } }).spec.template.spec).not.toHaveProperty('enableServiceLinks');
  });

  it.each<[string, object, string]>([
    ['whose selector is not that of its pods', { template: template({}, { app: 'b' }) }, '`selector` does not match template `labels`'],
    ['without a selector', { selector: undefined }, 'spec.selector: Required value'],
    [
      'whose pods end',
      { template: template({ restartPolicy: 'Never' }) },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    ['without containers', { template: { metadata: { labels: { app: 'a' } }, spec: { containers: [] } } }, 'spec.template.spec.containers: Required value'],
    [
      'that mounts a volume it does not have',
      { template: template({ containers: [{ ...container, volumeMounts: [{ name: 'x', mountPath: '/x' }] }] }) },
      'volumeMounts[0].name: Not found: "x"',
    ],
    ['that may neither remove nor add a pod', { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 0 } } }, 'may not be 0 when `maxSurge` is 0'],
  ])('%s is refused', async (_says, spec, message) => {
    const { status, body } = await call('POST', `${APPS}/deployments`, { body: workload('Deployment', 'bad', spec) });
    expect(status).toBe(422);
    expect((body as { message: string }).message).toContain(message);
  });

  it('keeps its selector, and counts changes of its spec', async () => {
    await call('POST', `${APPS}/deployments`, { body: workload('Deployment', 'kept') });
    const moved = await call('PUT', `${APPS}/deployments/kept`, {
      body: workload('Deployment', 'kept', { selector: { matchLabels: { app: 'b' } }, template: template({}, { app: 'b' }) }),
    });
    expect((moved.body as { message: string }).message).toContain('field is immutable');
    const scaled = await call('PATCH', `${APPS}/deployments/kept/scale`, {
      body: { spec: { replicas: 3 } },
      headers: { 'Content-Type': 'application/merge-patch+json' },
    });
    expect(scaled).toMatchObject({ status: 200, body: { kind: 'Scale', spec: { replicas: 3 } } });
    expect((await call('GET', `${APPS}/deployments/kept`)).body).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 3 } });
  });
});

describe('other workloads', () => {
  it.each<[string, string, object]>([
    ['DaemonSet', 'daemonsets', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } } }],
    ['StatefulSet', 'statefulsets', { podManagementPolicy: 'OrderedReady', replicas: 1, updateStrategy: { rollingUpdate: { partition: 0 } } }],
    ['ReplicaSet', 'replicasets', { replicas: 1 }],
  ])('%s gets its defaults', async (kind, plural, spec) => {
    const { status, body } = await call('POST', `${APPS}/${plural}?fieldValidation=Strict`, { body: workload(kind, 'w') });
    expect({ status, body }).toMatchObject({ status: 201, body: { spec } });
  });

  it('a StatefulSet keeps the name of its Service', async () => {
    const { status, body } = await call('PATCH', `${APPS}/statefulsets/w`, {
      body: { spec: { serviceName: 'other' } },
      headers: { 'Content-Type': 'application/merge-patch+json' },
    });
    expect(status).toBe(422);
    expect((body as { message: string }).message).toContain('are forbidden');
  });
});

describe('a Service', () => {
  const services = '/api/v1/namespaces/default/services';
  const service = (name: string, spec: object = {}): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: 'a' }, ports: [{ port: 443, targetPort: 'https' }], ...spec },
  });

  it('gets an address of its own and keeps it', async () => {
    const [one, two] = [await call('POST', services, { body: service('one') }), await call('POST', services, { body: service('two') })];
    expect(one.body).toMatchObject({
      spec: {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ipFamilyPolicy: 'SingleStack',
        ports: [{ protocol: 'TCP', targetPort: 'https' }],
      },
      status: { loadBalancer: {} },
    });
    const address = (answer: typeof one): string => (answer.body as { spec: { clusterIP: string } }).spec.clusterIP;
    expect(address(one)).toMatch(/^10\.96\./);
    expect(address(two)).not.toBe(address(one));
    const replaced = await call('PUT', `${services}/one`, { body: service('one', { selector: { app: 'b' } }) });
    expect(replaced.status).toBe(200);
    expect(address(replaced)).toBe(address(one));
    const moved = await call('PUT', `${services}/one`, { body: service('one', { clusterIP: '10.96.9.9' }) });
    expect((moved.body as { message: string }).message).toContain('field is immutable');
  });

  it.each<[string, object, string]>([
    ['without ports', { ports: [] }, 'spec.ports: Required value'],
    ['whose ports have no names', { ports: [{ port: 1 }, { port: 2 }] }, 'spec.ports[0].name: Required value'],
    ['with a port that is none', { ports: [{ port: 70_000 }] }, 'must be between 1 and 65535, inclusive'],
  ])('%s is refused', async (_says, spec, message) => {
    const { status, body } = await call('POST', services, { body: service('bad', spec) });
    expect(status).toBe(422);
    expect((body as { message: string }).message).toContain(message);
  });
});

it('a PodDisruptionBudget cannot say both how many must stay and how many may go', async () => {
  const body = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'b' }, spec: { minAvailable: 1, maxUnavailable: 1, selector: {} } };
  const { status, body: answer } = await call('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', { body });
  expect(status).toBe(422);
  expect((answer as { message: string }).message).toContain('minAvailable and maxUnavailable cannot be both set');
});

it('a NetworkPolicy with egress rules is for both directions', async () => {
  const body = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'n' },
    spec: { podSelector: {}, egress: [{ ports: [{ port: 443 }] }] },
  };
  const { body: answer } = await call('POST', '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies?fieldValidation=Strict', { body });
  expect(answer).toMatchObject({ spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ port: 443, protocol: 'TCP' }] }] } });
});

describe('a namespace with the standard "restricted"', () => {
  const pods = '/api/v1/namespaces/guarded/pods';
  const good = {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [{ ...container, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
  };
  beforeAll(async () => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' };
    await call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'guarded', labels } } });
  });
  const pod = (name: string, spec: object): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });

  it('takes a pod that keeps it', async () => {
    expect((await call('POST', pods, { body: pod('good', good) })).status).toBe(201);
  });

  it('refuses a plain pod, and says everything that it lacks', async () => {
    const { status, body } = await call('POST', pods, { body: pod('plain', { containers: [container] }) });
    expect(status).toBe(403);
    const { message } = body as { message: string };
    for (const words of [
      'violates PodSecurity "restricted:latest"',
      'allowPrivilegeEscalation=false',
      'capabilities.drop=["ALL"]',
      'runAsNonRoot=true',
      'seccompProfile',
    ])
      expect(message).toContain(words);
  });

  it.each<[string, object]>([
    ['the host network', { hostNetwork: true }],
    ['a folder of the node', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }],
    [
      'a privileged container',
      { containers: [{ ...container, securityContext: { privileged: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }] },
    ],
    ['root by number', { securityContext: { ...good.securityContext, runAsUser: 0 } }],
  ])('refuses %s', async (_says, over) => {
    expect((await call('POST', pods, { body: pod('bad', { ...good, ...over }) })).status).toBe(403);
  });

  it('only warns of a workload, whose pods it would refuse', async () => {
    const { status, warnings } = await call('POST', '/apis/apps/v1/namespaces/guarded/deployments', { body: workload('Deployment', 'plain') });
    expect(status).toBe(201);
    expect(warnings.join()).toContain('would violate PodSecurity');
  });
});
