// The Pod Security Standards: what a pod may not have at each level, one check for each control, in the order in which
// the server lists them.
// Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
import { fieldsOf, items, part, text, type Fields } from '../../builtin/kinds/loose.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** A control that is not kept: `privileged (container "a" must not set securityContext.privileged=true)`. */
export interface Violation {
  readonly control: string;
  readonly detail: string;
}

type Check = (pod: Pod) => Violation | undefined;

/** A pod's specification, with its containers of all kinds gathered once. */
interface Pod {
  readonly spec: Fields;
  readonly security: Fields;
  readonly containers: readonly Fields[];
  readonly volumes: readonly Fields[];
}

function each(owner: Fields, name: string): Fields[] {
  return items(owner, name).map((item) => fieldsOf(item as object));
}

function podOf(spec: Fields): Pod {
  const containers = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) => each(spec, list));
  return { spec, security: part(spec, 'securityContext'), containers, volumes: each(spec, 'volumes') };
}

function securityOf(container: Fields): Fields {
  return part(container, 'securityContext');
}

/** `container "a"` or `containers "a", "b"`. */
function named(containers: readonly Fields[]): string {
  const names = containers.map((container) => JSON.stringify(text(container, 'name')));
  return `container${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}

/** A violation that names the containers for which `breaks` holds. */
function containersThat(control: string, breaks: (container: Fields, pod: Pod) => boolean, must: string): Check {
  return (pod) => {
    const found = pod.containers.filter((container) => breaks(container, pod));
    return found.length === 0 ? undefined : { control, detail: `${named(found)} ${must}` };
  };
}

const CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

function added(container: Fields): string[] {
  return items(part(securityOf(container), 'capabilities'), 'add').map(String);
}

const hostNamespaces: Check = ({ spec }) => {
  const used = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field] === true);
  return used.length === 0 ? undefined : { control: 'host namespaces', detail: used.map((field) => `${field}=true`).join(', ') };
};

const hostPaths: Check = ({ volumes }) => {
  const found = volumes.filter((volume) => volume['hostPath'] !== undefined).map((volume) => JSON.stringify(text(volume, 'name')));
  return found.length === 0 ? undefined : { control: 'hostPath volumes', detail: `volume${found.length === 1 ? '' : 's'} ${found.join(', ')}` };
};

const BASELINE: readonly Check[] = [
  hostNamespaces,
  containersThat('privileged', (container) => securityOf(container)['privileged'] === true, 'must not set securityContext.privileged=true'),
  containersThat(
    'non-default capabilities',
    (container) => added(container).some((name) => !CAPABILITIES.has(name)),
    'must not include other than the default capabilities in securityContext.capabilities.add',
  ),
  hostPaths,
  containersThat('hostPort', (container) => each(container, 'ports').some(({ hostPort }) => hostPort !== undefined && hostPort !== 0), 'uses hostPorts'),
  containersThat(
    'seccompProfile',
    (container, { security }) => [securityOf(container), security].some((context) => text(part(context, 'seccompProfile'), 'type') === 'Unconfined'),
    'must not set securityContext.seccompProfile.type to "Unconfined"',
  ),
  containersThat(
    'procMount',
    (container) => !['', 'Default'].includes(text(securityOf(container), 'procMount')),
    'must not set securityContext.procMount to other than "Default"',
  ),
];

const VOLUME_KINDS = new Set(['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret', 'image', 'name']);

const restrictedVolumes: Check = ({ volumes }) => {
  const found = volumes.flatMap((volume) =>
    Object.keys(volume)
      .filter((kind) => !VOLUME_KINDS.has(kind))
      .map((kind) => `${JSON.stringify(text(volume, 'name'))} uses restricted volume type ${JSON.stringify(kind)}`),
  );
  return found.length === 0 ? undefined : { control: 'restricted volume types', detail: `volume ${found.join(', ')}` };
};

/** A setting of the container counts before that of the pod. */
function effective(container: Fields, { security }: Pod, field: string): unknown {
  return securityOf(container)[field] ?? security[field];
}

const RESTRICTED: readonly Check[] = [
  ...BASELINE.filter((check) => check !== hostPaths),
  restrictedVolumes,
  containersThat(
    'allowPrivilegeEscalation != false',
    (container) => securityOf(container)['allowPrivilegeEscalation'] !== false,
    'must set securityContext.allowPrivilegeEscalation=false',
  ),
  containersThat(
    'unrestricted capabilities',
    (container) => !items(part(securityOf(container), 'capabilities'), 'drop').includes('ALL') || added(container).some((name) => name !== 'NET_BIND_SERVICE'),
    'must set securityContext.capabilities.drop=["ALL"]',
  ),
  containersThat(
    'runAsNonRoot != true',
    (container, pod) => effective(container, pod, 'runAsNonRoot') !== true,
    'must set securityContext.runAsNonRoot=true, or the pod must',
  ),
  containersThat('runAsUser=0', (container, pod) => effective(container, pod, 'runAsUser') === 0, 'must not set runAsUser=0'),
  containersThat(
    'seccompProfile',
    (container, pod) => !['RuntimeDefault', 'Localhost'].includes(text(fieldsOf(effective(container, pod, 'seccompProfile') as object | undefined), 'type')),
    'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost", or the pod must',
  ),
];

const CHECKS: Readonly<Record<Level, readonly Check[]>> = { privileged: [], baseline: BASELINE, restricted: RESTRICTED };

/** What of the level a pod's specification does not keep. */
export function violations(level: Level, spec: object): Violation[] {
  const pod = podOf(fieldsOf(spec));
  return CHECKS[level].map((check) => check(pod)).filter((violation) => violation !== undefined);
}
