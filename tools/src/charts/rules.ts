// The RBAC rules of the charts, from what each component says it needs: the same list it checks itself by at start.
import { accessNeeded as snapshotterAccess } from '@snapshot-stack/csi-snapshotter';
import { accessNeeded as provisionerAccess } from '@snapshot-stack/provisioner';
import type { AccessRule } from '@snapshot-stack/runtime';
import { accessNeeded as controllerAccess } from '@snapshot-stack/snapshot-controller';
import { accessNeeded as webhookAccess, certificateAccess } from '@snapshot-stack/webhook';
import type { Generator } from '../generate/generator.ts';

/** Of leader election on one Lease; a Lease that is yet to be made has no name that a rule could hold. */
const LEADER_ELECTION: readonly AccessRule[] = [{ group: 'coordination.k8s.io', resource: 'leases', verbs: ['get', 'create', 'update'] }];

/** One rule in flow style; `names` is a template that yields resourceNames. */
function line({ group, resource, subresource, verbs }: AccessRule, names?: string): string {
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  const named = names === undefined ? '' : `, resourceNames: ${names}`;
  return `- { apiGroups: ['${group}'], resources: [${whole}]${named}, verbs: [${verbs.join(', ')}] }`;
}

function define(name: string, lines: readonly string[]): string {
  return `{{- define "rules.${name}" -}}\n${lines.join('\n')}\n{{- end }}\n`;
}

const plain = (rules: readonly AccessRule[]): string[] => rules.map((rule) => line(rule));

/** What is in the longer list only: what a setting adds. */
function added(base: readonly AccessRule[], more: readonly AccessRule[]): string[] {
  const known = new Set(plain(base));
  return plain(more).filter((rule) => !known.has(rule));
}

// Creating cannot be limited by name: the name is not in the request's path.
function byName(rule: AccessRule, names: string): string[] {
  const create = rule.verbs.filter((verb) => verb === 'create');
  const others = rule.verbs.filter((verb) => verb !== 'create');
  return [line({ ...rule, verbs: others }, names), ...(create.length === 0 ? [] : [line({ ...rule, verbs: create })])];
}

const BUNDLE_NAMES: Readonly<Record<string, string>> = {
  validatingwebhookconfigurations: '[validation-webhook.snapshot.storage.k8s.io, validation-webhook.groupsnapshot.storage.k8s.io]',
  customresourcedefinitions: '[volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io]',
};

function controllerChart(): string {
  const certificates = certificateAccess('');
  const bundles = certificates.filter(({ resource }) => resource !== 'secrets').flatMap((rule) => byName(rule, BUNDLE_NAMES[rule.resource] ?? ''));
  const secret = certificates
    .filter(({ resource }) => resource === 'secrets')
    .flatMap((rule) => byName(rule, '[{{ .Values.webhook.certificates.secretName }}]'));
  return [
    define('controller', plain(controllerAccess({ distributed: false }))),
    define('controllerDistributed', added(controllerAccess({ distributed: false }), controllerAccess({ distributed: true }))),
    define('leaderElection', plain(LEADER_ELECTION)),
    define('webhook', plain(webhookAccess)),
    define('webhookBundles', bundles),
    define('webhookSecret', secret),
  ].join('\n');
}

function driverChart(): string {
  return [
    define('snapshotter', plain(snapshotterAccess)),
    define('provisioner', plain(provisionerAccess({ crossNamespace: false }))),
    define('provisionerCrossNamespace', added(provisionerAccess({ crossNamespace: false }), provisionerAccess({ crossNamespace: true }))),
    define('leaderElection', plain(LEADER_ELECTION)),
  ].join('\n');
}

const HEAD = "{{- /* Written by `npm run generate` from the components' own lists (src/access.ts of each): change it there. */}}\n";

export const chartRules: Generator = {
  name: 'chart-rules',
  files: () =>
    Promise.resolve(
      new Map([
        ['charts/snapshot-controller/templates/_rules.tpl', `${HEAD}${controllerChart()}`],
        ['charts/csi-hostpath/templates/_rules.tpl', `${HEAD}${driverChart()}`],
      ]),
    ),
};
