// The annotation allow-volume-mode-change lets claims read a snapshot in another volume mode than it was taken in, and
// so hand a crafted file system to a node's kernel. Whoever may change contents could set it by the way (backup
// programs, or people who mend a policy), hence a permission of its own: the verb allow-volume-mode-change.
// Source: https://kubernetes-csi.github.io/docs/prevent-volume-mode-conversion.html
import { Annotation, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import type { Access } from '../observe/look.ts';
import type { Finding } from '../review/verdict.ts';
import { crossRule, type CrossRule } from './rule.ts';

const NAME = 'volume-mode-change';

/** The verb, on volumesnapshotcontents of snapshot.storage.k8s.io, that a user needs who changes the annotation. */
export const VOLUME_MODE_VERB = 'allow-volume-mode-change';

export interface ModeSeen {
  readonly user: string;
  readonly access: Access;
}

export function decideMode({ user, access }: ModeSeen): Finding[] {
  if (access.kind === 'allowed') return [];
  const field = `metadata.annotations[${Annotation.allowVolumeModeChange}]`;
  if (access.kind === 'unknown') {
    return [
      {
        kind: 'deny',
        rule: NAME,
        field,
        message: `whether user "${user}" may change this annotation could not be asked of the API server (${access.why})`,
        remedy: 'try again; without the annotation the rest of the change is not held up',
        reason: 'ServiceUnavailable',
      },
    ];
  }
  return [
    {
      kind: 'deny',
      rule: NAME,
      field,
      message: `user "${user}" may not change this annotation`,
      remedy: `ask an administrator for the verb ${VOLUME_MODE_VERB} on volumesnapshotcontents.snapshot.storage.k8s.io, or leave the annotation as it is`,
      reason: 'Forbidden',
    },
  ];
}

/** The rule; it has no say where conversions of the mode are not prevented at all. */
export function volumeModeChange(isPrevented: boolean): CrossRule {
  return crossRule<VolumeSnapshotContent, ModeSeen>({
    name: NAME,
    readsMetadataOnly: true,
    kinds: ['snapshot.storage.k8s.io/VolumeSnapshotContent'],
    concerns: ({ object, old }) => isPrevented && valueOf(object) !== valueOf(old),
    observe: async ({ request: { user, name } }, look) => ({ user: user.username, access: await look.access(user, VOLUME_MODE_VERB, name) }),
    decide: decideMode,
  });
}

function valueOf(content: VolumeSnapshotContent | undefined): string | undefined {
  return content?.metadata.annotations?.[Annotation.allowVolumeModeChange];
}
