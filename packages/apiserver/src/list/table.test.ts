import type { KubeObject } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import { builtinResources } from '../builtin/resources.ts';
import { negotiate } from '../http/accept.ts';
import { partialOf, tableOf } from './table.ts';

const created = '2024-01-01T00:00:00Z';
const nowMs = Date.parse('2024-01-01T01:00:00Z');
const query = new URLSearchParams();

function cellsOf(kind: string, object: object): Record<string, unknown> {
  const definition = builtinResources.find((one) => one.kind === kind)!;
  const full = { metadata: { name: 'a', creationTimestamp: created }, ...object } as KubeObject;
  const table = tableOf(definition, [full], { includeObject: 'None', nowMs, metadata: {} }) as {
    columnDefinitions: { name: string }[];
    rows: { cells: unknown[]; object: unknown }[];
  };
  return Object.fromEntries(table.columnDefinitions.map(({ name }, index) => [name, table.rows[0]?.cells[index]]));
}

describe('tables of built-in kinds', () => {
  it('show a bound claim with its capacity, and an unbound one without', () => {
    const bound = {
      spec: { volumeName: 'pv', storageClassName: 'fast', volumeMode: 'Block' },
      status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] },
    };
    expect(cellsOf('PersistentVolumeClaim', bound)).toEqual({
      Name: 'a',
      Status: 'Bound',
      Volume: 'pv',
      Capacity: '1Gi',
      'Access Modes': 'RWO,ROX',
      StorageClass: 'fast',
      VolumeAttributesClass: '<unset>',
      Age: '60m',
      VolumeMode: 'Block',
    });
    expect(cellsOf('PersistentVolumeClaim', { spec: {}, status: { phase: 'Pending' } })).toMatchObject({ Status: 'Pending', Capacity: '', 'Access Modes': '' });
  });

  it('show what a pod waits for', () => {
    const pod = {
      spec: { containers: [{}, {}] },
      status: { phase: 'Pending', containerStatuses: [{ ready: true, restartCount: 2 }, { state: { waiting: { reason: 'ImagePullBackOff' } } }] },
    };
    expect(cellsOf('Pod', pod)).toMatchObject({ Ready: '1/2', Status: 'ImagePullBackOff', Restarts: '2', Node: '<none>' });
  });

  it('put the name of an event last', () => {
    expect(Object.keys(cellsOf('Event', { involvedObject: { kind: 'Pod', name: 'p' }, message: 'm' })).at(-1)).toBe('Name');
  });

  it('show metadata alone when it is asked for', () => {
    expect(partialOf({ metadata: { name: 'a' }, spec: {} } as KubeObject)).toEqual({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { name: 'a' },
    });
  });
});

describe('negotiate', () => {
  it.each([
    [undefined, { kind: 'object', mediaType: 'application/json' }],
    ['*/*', { kind: 'object', mediaType: 'application/json' }],
    ['text/plain,*/*;q=0.1', { kind: 'object', mediaType: 'application/json' }],
    ['application/vnd.kubernetes.protobuf,application/json', { kind: 'object', mediaType: 'application/json' }],
    ['application/yaml', { kind: 'object', mediaType: 'application/yaml' }],
    ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json', { kind: 'table', includeObject: 'Metadata' }],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', { kind: 'object', mediaType: 'application/json' }],
    ['application/json;q=0.5, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', { kind: 'partial' }],
  ])('reads %s', (accept, wanted) => {
    expect(negotiate(accept, query)).toEqual(wanted);
  });

  it('refuses what cannot be sent', () => {
    expect(() => negotiate('text/html', query)).toThrow('only the following media types are accepted');
    expect(() => negotiate('application/json;as=Table;v=v1;g=meta.k8s.io', new URLSearchParams('includeObject=Some'))).toThrow(
      "must be 'Metadata', 'Object', 'None', or empty",
    );
  });
});
