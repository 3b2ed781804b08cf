import { describe, expect, it } from 'vitest';
import type { VolumeAttachment } from '@snapshot-stack/api-types';
import { aClaim, aPod, aVolume, refTo } from '../../test/builders.ts';
import type { Use } from '../node/journal.ts';
import { decidePod, type Held, type PodSeen, type VolumeOfPod } from './decide.ts';

const claim = aClaim({ volumeName: 'v' }, { status: { phase: 'Bound' } });
const volume = aVolume({ claimRef: refTo(claim) });
const mountable: VolumeOfPod = { claimName: 'c', readOnly: false, claim, volume, attachment: undefined, driver: { stages: true, attaches: false } };
const attachable: VolumeOfPod = { ...mountable, driver: { stages: true, attaches: true } };
const attachment = (attached: boolean): VolumeAttachment => ({
  metadata: { name: 'a' },
  spec: { attacher: 'd.example.dev', nodeName: 'a', source: { persistentVolumeName: 'v' } },
  status: { attached },
});

const use: Use = {
  specVolID: 'v',
  driverName: 'd.example.dev',
  volumeHandle: 'handle-1',
  nodeName: 'a',
  attachmentID: '',
  podUid: 'pod-1',
  volumeMode: 'Filesystem',
  staged: true,
  published: true,
};
const held = (inPlace: boolean): Held[] => [{ use, inPlace }];
const running = aPod({ status: { phase: 'Running' } });
const going = aPod({ metadata: { deletionTimestamp: 'now' } });

const steps = (seen: Partial<PodSeen>): string => {
  const plan = decidePod({ podUid: 'pod-1', pod: aPod(), volumes: [mountable], held: [], ...seen });
  return plan.kind === 'act' ? plan.actions.map(({ kind }) => kind).join(' ') : plan.why;
};

describe('the node', () => {
  it.each<[string, Partial<PodSeen>, string]>([
    ['runs a pod without volumes', { volumes: [] }, 'run'],
    ['waits for a claim that does not exist', { volumes: [{ ...mountable, claim: undefined, volume: undefined }] }, 'claim c does not exist'],
    ['waits for a claim to be bound', { volumes: [{ ...mountable, claim: aClaim(), volume: undefined }] }, 'claim c is not bound'],
    ['does not mount the volume of another claim', { volumes: [{ ...mountable, volume: aVolume() }] }, 'volume v does not belong to claim c'],
    ['waits for the driver', { volumes: [{ ...mountable, driver: undefined }] }, 'driver d.example.dev has not registered on this node'],
    ['asks for an attachment first', { volumes: [attachable] }, 'attach'],
    ['waits for the attachment', { volumes: [{ ...attachable, attachment: attachment(false) }] }, 'a volume is being attached'],
    ['mounts an attached volume', { volumes: [{ ...attachable, attachment: attachment(true) }] }, 'mount'],
    ['mounts what needs no attachment', {}, 'mount'],
    ['mounts again what a crash or reboot interrupted', { held: held(false) }, 'mount'],
    ['runs the pod once all is mounted', { held: held(true) }, 'run'],
    ['leaves a running pod alone', { pod: running, held: held(true) }, 'it runs'],
    ['mounts again under a running pod what is not there', { pod: running, held: held(false) }, 'mount'],
    ['unmounts for a pod that is deleted', { pod: going, held: held(true) }, 'unmount'],
    ['undoes a mount that may have happened', { pod: going, held: held(false) }, 'unmount'],
    ['removes a deleted pod when all is unmounted', { pod: going }, 'remove'],
    ['unmounts for a pod that vanished', { pod: undefined, volumes: [], held: held(true) }, 'unmount'],
    ['unmounts for a pod that has ended', { pod: aPod({ status: { phase: 'Succeeded' } }), held: held(true) }, 'unmount'],
    ['forgets a pod that is gone', { pod: undefined, volumes: [] }, 'nothing of it is left here'],
  ])('%s', (_, seen, expected) => {
    expect(steps(seen)).toBe(expected);
  });
});
