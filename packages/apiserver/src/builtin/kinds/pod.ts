// Pods, as far as a cluster without kubelets needs them: defaults, what may change, how long they take to go.
// Source: pkg/registry/core/pod and pkg/apis/core/validation.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../../registry/deep-equal.ts';
import type { Strategy } from '../../registry/resource.ts';
import { forbidden } from '../../schema/field-error.ts';
import { fieldsOf, items, oneOf, part, partIn, setDefault, text, type Fields } from './loose.ts';
import { podErrors, setOwnDefaults, setPodDefaults } from './pod-spec.ts';

const UPDATES =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

// Added by the admission plugin DefaultTolerationSeconds.
const TOLERATIONS = ['not-ready', 'unreachable'].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));

/** The spec without what an update may change. */
function fixed(spec: Fields): object {
  const withoutImages = (name: string): object[] => items(spec, name).map((container) => ({ ...(container as object), image: '' }));
  return {
    ...spec,
    containers: withoutImages('containers'),
    initContainers: withoutImages('initContainers'),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
  };
}

function changesFixed(pod: KubeObject, old: KubeObject): boolean {
  const [spec, before] = [part(pod, 'spec'), part(old, 'spec')];
  const kept = items(before, 'tolerations').every((toleration) => items(spec, 'tolerations').some((other) => deepEqual(other, toleration)));
  return !kept || !deepEqual(fixed(spec), fixed(before));
}

export const pod: Partial<Strategy> = {
  hasStatus: true,
  hasGeneration: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const spec = partIn(object, 'spec');
    setPodDefaults(spec);
    setOwnDefaults(spec);
    setDefault(spec, 'priority', 0);
    setDefault(spec, 'preemptionPolicy', 'PreemptLowerPriority');
    const own = items(spec, 'tolerations');
    spec['tolerations'] = [...own, ...TOLERATIONS.filter(({ key }) => !own.some((toleration) => fieldsOf(toleration as object)['key'] === key))];
    fieldsOf(object)['status'] = { phase: 'Pending', qosClass: 'BestEffort' };
  },
  prepareUpdate: (object) => {
    setPodDefaults(partIn(object, 'spec'));
    setOwnDefaults(partIn(object, 'spec'));
  },
  graceSeconds: (object) => {
    const spec = part(object, 'spec');
    const phase = text(part(object, 'status'), 'phase');
    // A pod that no agent runs has nobody to wait for.
    if (text(spec, 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
    return Number(spec['terminationGracePeriodSeconds'] ?? 30);
  },
  validate: (object, old) => {
    const spec = part(object, 'spec');
    if (old !== undefined) return changesFixed(object, old) ? [forbidden('spec', UPDATES)] : [];
    return [...podErrors(spec, 'spec'), ...oneOf(spec, 'restartPolicy', 'spec.restartPolicy', ['Always', 'Never', 'OnFailure'])];
  },
};
