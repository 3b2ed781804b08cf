// Services: defaults, and the rules for ports. Their addresses are given by an admission plugin (admission/service-address.ts).
// Source: pkg/apis/core/v1/defaults.go and pkg/apis/core/validation.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { Strategy } from '../../registry/resource.ts';
import { duplicate, invalid, required, type FieldError } from '../../schema/field-error.ts';
import { fieldsOf, immutableFields, items, oneOf, part, partIn, setDefault, text, type Fields } from './loose.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PORT_MAX = 65_535;

function portsOf(spec: Fields): Fields[] {
  return items(spec, 'ports').map((port) => fieldsOf(port as object));
}

function setSpecDefaults(spec: Fields): void {
  setDefault(spec, 'type', 'ClusterIP');
  setDefault(spec, 'sessionAffinity', 'None');
  if (spec['type'] === 'ExternalName') return;
  setDefault(spec, 'internalTrafficPolicy', 'Cluster');
  setDefault(spec, 'ipFamilies', ['IPv4']);
  setDefault(spec, 'ipFamilyPolicy', 'SingleStack');
  if (spec['type'] !== 'ClusterIP') setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  for (const port of portsOf(spec)) {
    setDefault(port, 'protocol', 'TCP');
    setDefault(port, 'targetPort', port['port']);
  }
}

function portErrors(spec: Fields): FieldError[] {
  const ports = portsOf(spec);
  const headless = text(spec, 'clusterIP') === 'None';
  if (ports.length === 0) return headless || text(spec, 'type') === 'ExternalName' ? [] : [required('spec.ports')];
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`;
    const name = text(port, 'name');
    const errors: FieldError[] = [];
    if (name === '' && ports.length > 1) errors.push(required(`${at}.name`));
    if (name !== '' && names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    const number = port['port'];
    if (typeof number !== 'number' || number < 1 || number > PORT_MAX)
      errors.push(invalid(`${at}.port`, number ?? 0, 'must be between 1 and 65535, inclusive'));
    return [...errors, ...oneOf(port, 'protocol', `${at}.protocol`, ['SCTP', 'TCP', 'UDP'])];
  });
}

export const service: Partial<Strategy> = {
  hasStatus: true,
  nameRule: 'label',
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    setSpecDefaults(partIn(object, 'spec'));
    fieldsOf(object)['status'] = { loadBalancer: {} };
  },
  prepareUpdate: (object, old) => {
    const spec = partIn(object, 'spec');
    setSpecDefaults(spec);
    // A client that does not know its Service's address may leave it out.
    for (const field of ['clusterIP', 'clusterIPs']) if (spec['type'] !== 'ExternalName') setDefault(spec, field, part(old, 'spec')[field]);
  },
  validate: (object: KubeObject, old) => {
    const spec = part(object, 'spec');
    const before = old === undefined ? undefined : part(old, 'spec');
    const moved = before !== undefined && text(before, 'clusterIP') !== '' ? immutableFields(spec, before, ['clusterIP']) : [];
    return [
      ...oneOf(spec, 'type', 'spec.type', TYPES),
      ...portErrors(spec),
      ...moved.map((error) => ({ ...error, field: `spec.${error.field}` })),
      ...oneOf(spec, 'sessionAffinity', 'spec.sessionAffinity', ['ClientIP', 'None']),
    ];
  },
};
