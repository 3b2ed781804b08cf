// Certificates of the webhook's own making, against an API server that verifies them.
import { X509Certificate } from 'node:crypto';
import { secrets } from '@snapshot-stack/api-types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CRD, SECRET, deleteSecret, startCertificateScene, text, waitFor, webhookConfigurations, type CertificateScene } from './certificates-scene.ts';

let scene: CertificateScene;
beforeEach(async () => void (scene = await startCertificateScene()));
afterEach(() => scene.stop());

const countOf = (pem: string): number => pem.split('BEGIN CERTIFICATE').length - 1;
const writesOf = (plural: string): number =>
  scene.api.requests.filter(({ method, path, userAgent }) => method !== 'GET' && path.includes(plural) && userAgent.startsWith('snapshot-webhook')).length;

describe('the first start', () => {
  it('makes a Secret in the shape of kubernetes.io/tls and has API servers trust its CA', async () => {
    await scene.ready(scene.start());
    const secret = await scene.secret();
    expect(secret?.type).toBe('kubernetes.io/tls');
    const [cert, ca] = [new X509Certificate(text(secret, 'tls.crt')), new X509Certificate(text(secret, 'ca.crt'))];
    expect(cert.verify(ca.publicKey)).toBe(true);
    expect(cert.checkHost('snapshot-validation-service.kube-system.svc')).toBeDefined();
    expect(cert.validFromDate.getTime()).toBeLessThan(Date.now() - 86_400_000);
    expect(await scene.bundles()).toEqual([ca.toString(), ca.toString()]);
    await scene.review();
  });

  it('writes each object once, and nothing more once all is well', async () => {
    const replicas = [scene.start(), scene.start(), scene.start()];
    await scene.ready(...replicas);
    for (let i = 0; i < 20; i++) await scene.review();
    expect(writesOf('/validatingwebhookconfigurations/')).toBeLessThanOrEqual(3);
    const before = [writesOf('/validatingwebhookconfigurations/'), writesOf(`/customresourcedefinitions/${CRD}`), writesOf('/secrets')];
    // A change that leaves our field alone is looked at and left alone.
    await scene.client.patch(
      webhookConfigurations,
      { name: 'validation-webhook.snapshot.storage.k8s.io' },
      { kind: 'merge', body: { metadata: { labels: { a: 'b' } } } },
    );
    for (let i = 0; i < 20; i++) await scene.review();
    expect([writesOf('/validatingwebhookconfigurations/'), writesOf(`/customresourcedefinitions/${CRD}`), writesOf('/secrets')]).toEqual(before);
  });

  it('ends in one certificate for all replicas, whoever was first', async () => {
    const replicas = Array.from({ length: 4 }, () => scene.start());
    await scene.ready(...replicas);
    expect(countOf(text(await scene.secret(), 'ca.crt'))).toBe(1);
    const notAfter = await Promise.all(replicas.map(async ({ metrics }) => /certificate_expiry_timestamp_seconds (\d+)/.exec(await metrics.text())?.[1]));
    expect(new Set(notAfter).size).toBe(1);
    for (let i = 0; i < 8; i++) await scene.review();
  });

  it('leaves configurations alone that point at another Service', async () => {
    const other = {
      metadata: { name: 'validation-webhook.groupsnapshot.storage.k8s.io' },
      webhooks: [
        {
          name: 'other.example.com',
          clientConfig: { service: { namespace: 'default', name: 'other', path: '/' } },
          rules: [{ operations: ['CREATE'], apiGroups: ['example.com'], apiVersions: ['v1'], resources: ['things'] }],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    };
    await scene.client.create(webhookConfigurations, other);
    await scene.ready(scene.start());
    const found = await scene.client.get(webhookConfigurations, { name: other.metadata.name });
    expect(found.webhooks).toHaveLength(1);
    expect(JSON.stringify(found.webhooks)).not.toContain('caBundle');
  });
});

describe('the Secret', () => {
  it('of somebody else is left alone, and the remedy is named', async () => {
    const foreign = { metadata: { ...SECRET }, type: 'Opaque', data: { 'tls.crt': 'aGVsbG8=' } };
    await scene.client.create(secrets, foreign);
    const replica = scene.start();
    await waitFor(() => scene.lines.some((line) => line.includes('lacks the label') && line.includes('--certificate-secret')));
    expect(replica.isReady()).toBe(false);
    expect(replica.trouble()).toContain('lacks the label');
    expect((await scene.secret())?.data).toEqual(foreign.data);
    await deleteSecret(scene.client);
    await scene.ready(replica);
    await scene.review();
  });

  it.each([
    ['without its key', { 'tls.key': '' }, 'tls.key holds no private key'],
    ['with half a certificate', { 'tls.crt': Buffer.from('-----BEGIN CERTIFICATE-----\nMIIB').toString('base64') }, 'tls.crt holds no whole certificate'],
    ['without the CA', { 'ca.crt': '' }, 'ca.crt lacks the CA of tls.crt'],
  ])('%s is replaced, and no review fails meanwhile', async (_what, data, why) => {
    await scene.ready(scene.start({ policy: { settleMs: 100 } }), scene.start({ policy: { settleMs: 100 } }));
    const before = await scene.secret();
    await scene.client.patch(secrets, SECRET, { kind: 'merge', body: { data } });
    await waitFor(async () => {
      await scene.review();
      const now = text(await scene.secret(), 'tls.crt');
      return now.includes('END CERTIFICATE') && now !== text(before, 'tls.crt');
    });
    expect(scene.lines.filter((line) => line.startsWith('the Secret was damaged') && line.includes(why)).length).toBe(1);
  });

  it('that was deleted is made anew, with new keys, and no review fails meanwhile', async () => {
    await scene.ready(scene.start({ policy: { settleMs: 100 } }), scene.start({ policy: { settleMs: 100 } }));
    const before = text(await scene.secret(), 'tls.crt');
    await deleteSecret(scene.client);
    await waitFor(async () => {
      await scene.review();
      const now = text(await scene.secret(), 'tls.crt');
      return now !== '' && now !== before;
    });
    for (let i = 0; i < 10; i++) await scene.review();
  });
});

describe('a caBundle', () => {
  it.each([
    ['emptied', ''],
    ['set to a line feed, as charts do', '\n'],
    ['set to what is no certificate', 'nonsense'],
  ])('that was %s is set right within a second', async (_what, value) => {
    await scene.ready(scene.start(), scene.start());
    const [right] = await scene.bundles();
    const before = writesOf('/validatingwebhookconfigurations/');
    const start = performance.now();
    await scene.setBundle(value);
    await waitFor(async () => (await scene.bundles())[0] === right);
    expect(performance.now() - start).toBeLessThan(1_000);
    await scene.review();
    // One of two replicas may meet the other's write.
    expect(writesOf('/validatingwebhookconfigurations/') - before).toBeLessThanOrEqual(2);
  });
});
