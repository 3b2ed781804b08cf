import { describe, expect, it } from 'vitest';
import type { VolumeAttachment } from '@snapshot-stack/api-types';
import { aVolume } from '../../test/builders.ts';
import { decideAttachment, type AttachmentSeen } from './decide.ts';

const FINALIZER = 'external-attacher/d-example-dev';
const anAttachment = ({ held = true, attached = false, going = false }): VolumeAttachment => ({
  metadata: { name: 'a', ...(held && { finalizers: [FINALIZER] }), ...(going && { deletionTimestamp: 'now' }) },
  spec: { attacher: 'd.example.dev', nodeName: 'a', source: { persistentVolumeName: 'v' } },
  status: { attached },
});

const outcome = (seen: Partial<AttachmentSeen>): string => {
  const plan = decideAttachment({ attachment: anAttachment({}), volume: aVolume(), nodeId: 'node-1', isNeeded: true, ...seen });
  return plan.kind === 'act' ? plan.actions.map(({ kind }) => kind).join(' ') : plan.why;
};

describe('an attachment', () => {
  it.each<[string, Partial<AttachmentSeen>, string]>([
    ['is held before anything is attached', { attachment: anAttachment({ held: false }) }, 'hold'],
    ['is carried out', {}, 'publish'],
    ['that is carried out rests', { attachment: anAttachment({ attached: true }) }, 'it is attached'],
    ['waits for its driver', { nodeId: undefined }, 'the driver has not registered on the node'],
    ['waits for its volume', { volume: undefined }, 'its volume does not exist'],
    ['that nothing uses is given up', { attachment: anAttachment({ attached: true }), isNeeded: false }, 'giveUp'],
    ['being deleted is undone, needed or not', { attachment: anAttachment({ attached: true, going: true }) }, 'unpublish'],
    ['that is undone is let go', { attachment: anAttachment({ going: true }), isNeeded: false }, 'release'],
    ['of a volume that is gone is let go', { attachment: anAttachment({ attached: true, going: true }), volume: undefined }, 'release'],
    ['let go by us is left to others', { attachment: anAttachment({ going: true, held: false }) }, 'it is being deleted, and nothing is attached'],
  ])('%s', (_, seen, expected) => {
    expect(outcome(seen)).toBe(expected);
  });
});
