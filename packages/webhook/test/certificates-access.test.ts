// The rights that certificates need, on these names alone, are enough: an account that has nothing else comes to work.
import { customResourceDefinitions, snapshotCrds, type KubeObject } from '@snapshot-stack/api-types';
import { startApiServer } from '@snapshot-stack/apiserver';
import { createClient, selfCheckAccess, silentLog, systemClock } from '@snapshot-stack/runtime';
import { expect, it } from 'vitest';
import { certificateAccess, selfMadeCertificates } from '../src/certificates/index.ts';
import { SERVICE, allRules, configurationFor, waitFor, webhookConfigurations } from './support/scene.ts';

const RBAC = 'rbac.authorization.k8s.io';
const names = {
  secretName: 'only-this-one',
  webhookConfigurations: ['validation-webhook.snapshot.storage.k8s.io'],
  convertedCrds: ['volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io'],
};

it('works with rights on its own objects alone', async () => {
  const tokens = new Map([['webhook', { name: 'webhook', groups: ['system:authenticated'] }]]);
  const api = await startApiServer({ crds: snapshotCrds(), tokens });
  const admin = createClient(api.adminConnection, { userAgent: 'admin/1' });
  const { server, tls } = api.adminConnection;
  const own = createClient({ server, namespace: 'default', tls: { ca: tls.ca }, token: () => Promise.resolve('webhook') }, { userAgent: 'snapshot-webhook/1' });
  const end = new AbortController();
  try {
    const access = certificateAccess(SERVICE.namespace, names);
    const rules = access.map(({ group, resource, name, verbs }) => ({
      apiGroups: [group],
      resources: [resource],
      verbs,
      ...(name === undefined ? {} : { resourceNames: [name] }),
    }));
    const metadata = { name: 'webhook' };
    const post = (kind: string, body: object): Promise<unknown> =>
      admin.raw('POST', `/apis/${RBAC}/v1/${kind}`, { body: { apiVersion: `${RBAC}/v1`, metadata, ...body } });
    await post('clusterroles', { kind: 'ClusterRole', rules });
    await post('clusterrolebindings', {
      kind: 'ClusterRoleBinding',
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'webhook' },
      subjects: [{ apiGroup: RBAC, kind: 'User', name: 'webhook' }],
    });
    await admin.create(webhookConfigurations, configurationFor('', 'Ignore', allRules));
    const conversion = { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig: { service: { ...SERVICE, path: '/convert' } } } };
    await admin.patch(customResourceDefinitions, { name: names.convertedCrds[0] ?? '' }, { kind: 'merge', body: { spec: { conversion } } });

    expect(await selfCheckAccess(own, access)).toEqual([]);
    expect(await selfCheckAccess(own, certificateAccess(SERVICE.namespace))).toContain(`list secrets in namespace ${SERVICE.namespace}`);
    const parts = { client: own, clock: systemClock, random: Math.random, log: silentLog };
    const certificates = selfMadeCertificates({ ...parts, ...names, namespace: SERVICE.namespace, serviceName: SERVICE.name });
    await certificates.start(end.signal);
    const running = certificates.run(() => {}, end.signal);
    await waitFor(() => certificates.trouble() === undefined);
    const found: KubeObject = await admin.get(webhookConfigurations, { name: names.webhookConfigurations[0] ?? '' });
    expect(JSON.stringify(found)).toContain('caBundle');
    end.abort();
    await running;
  } finally {
    end.abort();
    own.close();
    admin.close();
    await api.stop();
  }
});
