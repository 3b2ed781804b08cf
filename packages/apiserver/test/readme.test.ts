// The example of the README, run.
import { request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { startApiServer } from '@snapshot-stack/apiserver';
import { expect, it } from 'vitest';
import { callerOf } from './caller.ts';

const CRDS = fileURLToPath(new URL('../../api-types/crds', import.meta.url));
const SNAPSHOTS = '/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots';

it('runs as the README says', async () => {
  const api = await startApiServer({ crds: [CRDS] });
  const { call, close } = callerOf(api);
  try {
    expect(api.kubeconfig).toContain(api.url);
    api.faults.inject({ verb: 'patch', subresource: 'status' }, { kind: 'fail', code: 409, reason: 'Conflict' }, { after: 1 });
    const body = {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshot',
      metadata: { name: 's' },
      spec: { source: { persistentVolumeClaimName: 'c' } },
    };
    const headers = { 'User-Agent': 'my-controller/1.0' };
    expect((await call('POST', SNAPSHOTS, { body, headers })).status).toBe(201);
    const patch = (): Promise<{ status: number }> =>
      call('PATCH', `${SNAPSHOTS}/s/status`, { body: { status: { readyToUse: false } }, contentType: 'application/merge-patch+json', headers });
    expect([(await patch()).status, (await patch()).status, (await patch()).status]).toEqual([200, 409, 200]);
    expect(api.requests.filter(({ userAgent }) => userAgent.startsWith('my-controller'))).toHaveLength(4);
  } finally {
    close();
    await api.stop();
  }
  const { port } = new URL(api.url);
  const refused = new Promise((resolve) =>
    request({ host: '127.0.0.1', port })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      .end(),
  );
  expect(await refused).toBe('ECONNREFUSED');
});
