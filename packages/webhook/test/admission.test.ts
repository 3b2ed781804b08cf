// The webhook as an API server meets it: registered, called over TLS, its answers passed on to clients.
import {
  Annotation,
  csiDrivers,
  persistentVolumeClaims,
  volumeGroupSnapshotClasses,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { KubeError, type Client } from '@snapshot-stack/runtime';
import { VOLUME_MODE_VERB } from '@snapshot-stack/webhook';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configurationFor, startScene, waitFor, webhookConfigurations, type Scene } from './support/scene.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const tokens = new Map([
  ['jane', { name: 'jane', groups: ['system:authenticated'] }],
  ['converter', { name: 'converter', groups: ['system:authenticated', 'backup'] }],
]);
let scene: Scene;
let client: Client;

beforeAll(async () => {
  scene = await startScene({ api: { tokens } });
  client = scene.client;
  await client.create(csiDrivers, { metadata: { name: 'd' }, spec: {} });
});
afterAll(() => scene.stop());

async function refusal(write: Promise<unknown>): Promise<KubeError> {
  const error = await write.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof KubeError)) throw new Error(`the write was not refused: ${String(error)}`);
  return error;
}

/** Caches follow the API server by a watch: waits until a dry run meets what they have to learn. */
function isRefusedSoon(dryRun: () => Promise<unknown>): Promise<void> {
  return waitFor(() =>
    dryRun().then(
      () => false,
      () => true,
    ),
  );
}

/** The warnings that a write is answered with, as kubectl prints them. */
async function warningsOf(method: string, path: string, body: object, contentType = 'application/json'): Promise<string> {
  const { headers } = await client.raw(method, path, { body, contentType });
  const { warning } = headers as { warning?: string };
  return warning ?? '';
}

function aClass(name: string, driver: string, annotations?: Record<string, string>): VolumeSnapshotClass {
  return { metadata: { name, ...(annotations && { annotations }) }, driver, deletionPolicy: 'Delete' };
}

function aContent(name: string, snapshot: string, more: Partial<VolumeSnapshotContent['spec']> = {}): VolumeSnapshotContent {
  return {
    metadata: { name },
    spec: {
      driver: 'd',
      deletionPolicy: 'Retain',
      source: { snapshotHandle: `h-${name}` },
      volumeSnapshotRef: { name: snapshot, namespace: 'default' },
      ...more,
    },
  };
}

const defaults = { [Annotation.isDefaultClass]: 'true' };

describe('a second default class of a driver', () => {
  it('is denied with field, rule and remedy; another driver may have its own', async () => {
    await client.create(volumeSnapshotClasses, aClass('first', 'one', defaults));
    await client.create(volumeSnapshotClasses, aClass('other', 'two', defaults));
    const error = await refusal(client.create(volumeSnapshotClasses, aClass('second', 'one', defaults)));
    expect(error.status).toBe(422);
    expect(error.message).toBe(
      `admission webhook "validation-webhook.snapshot.storage.k8s.io" denied the request: metadata.annotations[${Annotation.isDefaultClass}]: ` +
        'default snapshot class: first already exists for driver: one (rule one-default-class): leave the annotation off, or first take it off the other: ' +
        `kubectl annotate volumesnapshotclass first ${Annotation.isDefaultClass}-`,
    );
    expect(error.body?.details?.causes).toMatchObject([{ reason: 'FieldValueInvalid', field: `metadata.annotations[${Annotation.isDefaultClass}]` }]);
    // Following the remedy helps at once: what is asked is the present state, not a cache.
    await client.patch(volumeSnapshotClasses, { name: 'first' }, { kind: 'merge', body: { metadata: { annotations: { [Annotation.isDefaultClass]: null } } } });
    await client.create(volumeSnapshotClasses, aClass('second', 'one', defaults));
    const back = client.patch(volumeSnapshotClasses, { name: 'first' }, { kind: 'merge', body: { metadata: { annotations: defaults } } });
    expect((await refusal(back)).message).toContain('second already exists for driver: one');
  });

  it('is denied for group classes too', async () => {
    const annotations = { [Annotation.isDefaultGroupClass]: 'true' };
    await client.create(volumeGroupSnapshotClasses, aClass('group-first', 'one', annotations));
    const error = await refusal(client.create(volumeGroupSnapshotClasses, aClass('group-second', 'one', annotations)));
    expect(error.message).toContain('default group snapshot class: group-first already exists for driver: one');
  });

  it('is not made by a dry run, nor does one leave anything behind', async () => {
    await client.create(volumeSnapshotClasses, aClass('dry', 'dry', defaults), { dryRun: true });
    await client.create(volumeSnapshotClasses, aClass('wet', 'dry', defaults));
    expect((await refusal(client.create(volumeSnapshotClasses, aClass('dry', 'dry', defaults), { dryRun: true }))).message).toContain('wet already exists');
  });
});

describe('a class', () => {
  it('whose driver is not registered is allowed with a warning', async () => {
    const body = { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotClass', ...aClass('stray', 'nowhere') };
    const path = '/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses';
    expect(await warningsOf('POST', path, body)).toContain('there is no CSIDriver nowhere');
    expect(await warningsOf('POST', path, { ...body, ...aClass('known', 'd') })).toBe('');
  });
});

describe('an object as large as objects can be', () => {
  it('is judged, in both its versions', async () => {
    const filler = (letter: string): VolumeSnapshotClass => ({ ...aClass('large', 'd'), parameters: { filler: letter.repeat(1_400_000) } });
    await client.create(volumeSnapshotClasses, filler('a'));
    const { resourceVersion } = (await client.get(volumeSnapshotClasses, { name: 'large' })).metadata;
    await client.replace(volumeSnapshotClasses, { ...filler('b'), metadata: { name: 'large', resourceVersion: resourceVersion ?? '' } });
    expect(await scene.metrics.text()).toMatch(/review_seconds_count\{kind="VolumeSnapshotClass",operation="UPDATE",verdict="allowed"\} [1-9]/);
  });
});

describe('a content', () => {
  it('may not claim a snapshot that is bound to another', async () => {
    await client.create(volumeSnapshots, { metadata: { name: 'taken', namespace: 'default' }, spec: { source: { volumeSnapshotContentName: 'mine' } } });
    await client.create(volumeSnapshotContents, aContent('mine', 'taken'));
    const ref = { name: 'taken', namespace: 'default' };
    await client.patch(volumeSnapshots, ref, { kind: 'merge', body: { status: { boundVolumeSnapshotContentName: 'mine' } } }, { subresource: 'status' });
    await isRefusedSoon(() => client.create(volumeSnapshotContents, aContent('thief', 'taken'), { dryRun: true }));
    const error = await refusal(client.create(volumeSnapshotContents, aContent('thief', 'taken')));
    expect(error.message).toContain(
      'spec.volumeSnapshotRef: VolumeSnapshot default/taken is already bound to VolumeSnapshotContent mine (rule content-bound-elsewhere)',
    );
    await client.create(volumeSnapshotContents, aContent('thief', 'free'));
    const turned = client.patch(volumeSnapshotContents, { name: 'thief' }, { kind: 'merge', body: { spec: { volumeSnapshotRef: { name: 'taken' } } } });
    expect((await refusal(turned)).message).toContain('already bound');
  });

  it('may be made by the controller for its snapshot, whoever else refers to it', async () => {
    const snapshot = await client.create(volumeSnapshots, {
      metadata: { name: 'dyn', namespace: 'default' },
      spec: { source: { persistentVolumeClaimName: 'c' } },
    });
    const uid = snapshot.metadata.uid ?? '';
    const ref = { name: 'dyn', namespace: 'default', uid };
    await client.create(volumeSnapshotContents, aContent('squatter', 'dyn', { volumeSnapshotRef: ref }));
    await isRefusedSoon(() => client.create(volumeSnapshotContents, aContent('third', 'dyn'), { dryRun: true }));
    await client.create(volumeSnapshotContents, aContent(`snapcontent-${uid}`, 'dyn', { volumeSnapshotRef: ref, source: { volumeHandle: 'v' } }));
  });

  it('that gets policy Delete while a claim is being restored from it, or beside a twin, is allowed with warnings', async () => {
    await client.create(volumeSnapshots, { metadata: { name: 'used', namespace: 'default' }, spec: { source: { volumeSnapshotContentName: 'used' } } });
    await client.create(volumeSnapshotContents, aContent('used', 'used'));
    const bound = { kind: 'merge' as const, body: { status: { boundVolumeSnapshotContentName: 'used' } } };
    await client.patch(volumeSnapshots, { name: 'used', namespace: 'default' }, bound, { subresource: 'status' });
    await client.create(persistentVolumeClaims, {
      metadata: { name: 'copy', namespace: 'default' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'used' },
      },
    });
    await client.create(volumeSnapshotContents, aContent('twin', 'elsewhere', { source: { snapshotHandle: 'h-used' } }));
    const path = '/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents/used';
    const patch = (dryRun: string): Promise<string> =>
      warningsOf('PATCH', `${path}${dryRun}`, { spec: { deletionPolicy: 'Delete' } }, 'application/merge-patch+json');
    await waitFor(async () => /default\/copy is being restored.*twin stands for the same snapshot h-used/.test(await patch('?dryRun=All')));
    await patch('');
    expect((await client.get(volumeSnapshotContents, { name: 'used' })).spec.deletionPolicy).toBe('Delete');
  });
});

describe('the annotation allow-volume-mode-change', () => {
  const annotate = (who: Client, value: string | null): Promise<unknown> =>
    who.patch(volumeSnapshotContents, { name: 'moded' }, { kind: 'merge', body: { metadata: { annotations: { [Annotation.allowVolumeModeChange]: value } } } });

  beforeAll(async () => {
    const rules = [{ apiGroups: ['snapshot.storage.k8s.io'], resources: ['*'], verbs: ['get', 'create', 'update', 'patch', 'delete'] }];
    const allow = [{ apiGroups: ['snapshot.storage.k8s.io'], resources: ['volumesnapshotcontents'], verbs: [VOLUME_MODE_VERB] }];
    const bind = (name: string, subject: object): Promise<unknown> =>
      client.raw('POST', `${RBAC}/clusterrolebindings`, {
        body: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', ...subject }],
        },
      });
    for (const [name, given] of [
      ['editors', rules],
      ['converters', allow],
    ] as const)
      await client.raw('POST', `${RBAC}/clusterroles`, {
        body: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: given },
      });
    await bind('editors', { kind: 'Group', name: 'system:authenticated' });
    await bind('converters', { kind: 'Group', name: 'backup' });
    await client.create(volumeSnapshotContents, aContent('moded', 'moded'));
  });

  it('may not be put on, changed or taken off by who may only edit contents', async () => {
    const jane = scene.clientOf('jane');
    const error = await refusal(annotate(jane, 'true'));
    expect(error.status).toBe(403);
    expect(error.message).toContain(
      'user "jane" may not change this annotation (rule volume-mode-change): ask an administrator for the verb allow-volume-mode-change',
    );
    const created = { ...aContent('born', 'born'), metadata: { name: 'born', annotations: { [Annotation.allowVolumeModeChange]: 'true' } } };
    expect((await refusal(jane.create(volumeSnapshotContents, created))).status).toBe(403);
    await annotate(client, 'true');
    expect((await refusal(annotate(jane, null))).status).toBe(403);
  });

  it('may not be put on an object that is leaving either, whose snapshot might still be restored from', async () => {
    await client.create(volumeSnapshotContents, { ...aContent('leaving', 'leaving'), metadata: { name: 'leaving', finalizers: ['a/b'] } });
    await client.delete(volumeSnapshotContents, { name: 'leaving' });
    const jane = scene.clientOf('jane');
    const merge = (body: object): Promise<unknown> => jane.patch(volumeSnapshotContents, { name: 'leaving' }, { kind: 'merge', body });
    expect((await refusal(merge({ metadata: { annotations: { [Annotation.allowVolumeModeChange]: 'true' } } }))).status).toBe(403);
    await merge({ spec: { volumeSnapshotRef: { name: 'other' } } });
    await merge({ metadata: { finalizers: [] } });
    expect(await client.find(volumeSnapshotContents, { name: 'leaving' })).toBeUndefined();
  });

  it('may be changed by who has the verb', async () => {
    await annotate(scene.clientOf('converter'), 'false');
    await annotate(scene.clientOf('converter'), null);
  });

  it('does not keep others from changing the rest of the content, in any way that the controllers do', async () => {
    await annotate(client, 'true');
    const jane = scene.clientOf('jane');
    await jane.patch(volumeSnapshotContents, { name: 'moded' }, { kind: 'merge', body: { metadata: { annotations: { [Annotation.beingDeleted]: 'yes' } } } });
    await jane.patch(volumeSnapshotContents, { name: 'moded' }, { kind: 'json', body: [{ op: 'add', path: '/metadata/finalizers', value: ['a/b'] }] });
    const content = await jane.get(volumeSnapshotContents, { name: 'moded' });
    await jane.replace(volumeSnapshotContents, { ...content, spec: { ...content.spec, volumeSnapshotClassName: 'c' } });
    await jane.patch(
      volumeSnapshotContents,
      { name: 'moded' },
      { kind: 'json', body: [{ op: 'add', path: '/status', value: { readyToUse: true } }] },
      { subresource: 'status' },
    );
  });
});

describe('a broken object', () => {
  const CRD = { name: 'volumesnapshots.snapshot.storage.k8s.io' };
  const ref = { name: 'broken', namespace: 'default' };
  const crds = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions', kind: 'CustomResourceDefinition', namespaced: false };

  it('can be marked, held, let go, mended in other parts, and deleted, but not broken further', async () => {
    // As with an old CRD: no rules, and nobody to judge when the object was made.
    const crd = (await client.get(crds, CRD)) as KubeObject & { spec: { versions: { schema: { openAPIV3Schema: object } }[] } };
    for (const version of crd.spec.versions) version.schema.openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    await client.replace(crds, crd);
    const bad = { metadata: { ...ref, labels: { unjudged: 'yes' }, finalizers: ['a/b'] }, spec: { source: {} } };
    const selector = (objectSelector: object): object[] => [{ op: 'add', path: '/webhooks/0/objectSelector', value: objectSelector }];
    await client.patch(
      webhookConfigurations,
      { name: 'validation-webhook.snapshot.storage.k8s.io' },
      { kind: 'json', body: selector({ matchExpressions: [{ key: 'unjudged', operator: 'DoesNotExist' }] }) as never },
    );
    await client.create(volumeSnapshots, bad);
    await client.patch(webhookConfigurations, { name: 'validation-webhook.snapshot.storage.k8s.io' }, { kind: 'json', body: selector({}) as never });

    const error = await refusal(client.create(volumeSnapshots, { ...bad, metadata: { name: 'worse', namespace: 'default' } }));
    expect(error.message).toContain('spec.source: exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set (rule exactly-one): set');
    const merge = (body: object): Promise<unknown> => client.patch(volumeSnapshots, ref, { kind: 'merge', body });
    await merge({ metadata: { labels: { seen: 'yes' }, annotations: { a: 'b' }, finalizers: ['a/b', 'c/d'] } });
    await merge({ spec: { volumeSnapshotClassName: 'fast' } });
    expect((await refusal(merge({ spec: { volumeSnapshotClassName: '' } }))).message).toContain('must not be the empty string');
    await client.patch(volumeSnapshots, ref, { kind: 'merge', body: { status: { readyToUse: false } } }, { subresource: 'status' });
    await client.delete(volumeSnapshots, ref);
    await merge({ metadata: { finalizers: ['c/d'] } });
    await merge({ metadata: { finalizers: [] } });
    expect(await client.find(volumeSnapshots, ref)).toBeUndefined();
  });
});

describe('with a stranger', () => {
  it('of an unknown kind the answer is yes, with a warning', async () => {
    const rules = [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }];
    const configuration = configurationFor(scene.authority.caBundle, 'Fail', rules);
    await client.create(webhookConfigurations, { ...configuration, metadata: { name: 'too-much' } });
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stranger' } };
    expect(await warningsOf('POST', '/api/v1/namespaces/default/configmaps', body)).toContain('v1 ConfigMap is not known here and was not checked');
    await client.delete(webhookConfigurations, { name: 'too-much' });
  });
});
