import { Annotation, Finalizer, type PersistentVolume, type VolumeAttachment } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import { decideVolume, type SeenVolume } from './decide.ts';

const DRIVER = 'd';
const held = [Finalizer.provisionedVolume];

function aVolume(change: Partial<PersistentVolume['spec']> = {}, metadata: Partial<PersistentVolume['metadata']> = {}, phase = 'Released'): PersistentVolume {
  return {
    metadata: { name: 'pv', annotations: { [Annotation.provisionedBy]: DRIVER }, finalizers: held, ...metadata },
    spec: { persistentVolumeReclaimPolicy: 'Delete', csi: { driver: DRIVER, volumeHandle: 'h' }, ...change },
    status: { phase: phase as 'Released' },
  };
}

const at = (host: string) => ({ nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'host', operator: 'In', values: [host] }] }] } } });
const attached: VolumeAttachment = { metadata: { name: 'a' }, spec: { attacher: DRIVER, nodeName: 'n', source: { persistentVolumeName: 'pv' } } };
const seen = (volume: PersistentVolume | undefined, change: Partial<SeenVolume> = {}): SeenVolume => ({
  volume,
  driver: DRIVER,
  attachments: [],
  place: undefined,
  ...change,
});

describe('a volume', () => {
  it.each<[string, SeenVolume, string]>([
    ['that is released is deleted', seen(aVolume()), 'delete'],
    ['that is released and kept by its policy is let go', seen(aVolume({ persistentVolumeReclaimPolicy: 'Retain' })), 'unprotect'],
    ['that is released and still attached waits', seen(aVolume(), { attachments: [attached] }), 'waiting'],
    ['that is bound is held', seen(aVolume({}, { finalizers: [] }, 'Bound')), 'protect'],
    ['that is bound and held needs nothing', seen(aVolume({}, {}, 'Bound')), 'settled'],
    ['that was made by hand is held as well', seen(aVolume({}, { annotations: {}, finalizers: [] }, 'Bound')), 'protect'],
    ['that was made by hand is deleted as well', seen(aVolume({}, { annotations: {} })), 'delete'],
    ['of another provisioner is left alone', seen(aVolume({}, { annotations: { [Annotation.provisionedBy]: 'other' } })), 'settled'],
    ['of another driver is left alone', seen(aVolume({ csi: { driver: 'other', volumeHandle: 'h' } }, { annotations: {} })), 'settled'],
    ['whose data was seen to is left to go', seen(aVolume({}, { finalizers: [], deletionTimestamp: 'now' })), 'settled'],
    ['at this node is deleted here', seen(aVolume(at('here')), { place: { host: 'here' } }), 'delete'],
    ['at another node is left to that node', seen(aVolume(at('there')), { place: { host: 'here' } }), 'settled'],
    ['that is gone needs nothing', seen(undefined), 'settled'],
  ])('%s', (_name, world, kind) => expect(decideVolume(world).kind).toBe(kind));
});
