// The specification of a pod, on its own or as a template: what the server fills in, and the rules that both share.
// Source: pkg/apis/core/v1/defaults.go and pkg/apis/core/validation.
import { invalid, required, duplicate, type FieldError } from '../../schema/field-error.ts';
import { fieldsOf, items, oneOf, part, requiredText, setDefault, text, type Fields } from './loose.ts';

const FILE_MODE = 0o644;

function each(owner: Fields, name: string): Fields[] {
  return items(owner, name).map((item) => fieldsOf(item as object));
}

function setHandlerDefaults(handler: Fields): void {
  if (handler['httpGet'] !== undefined) {
    const get = part(handler, 'httpGet');
    setDefault(get, 'path', '/');
    setDefault(get, 'scheme', 'HTTP');
  }
  if (handler['grpc'] !== undefined) part(handler, 'grpc')['service'] ??= '';
}

function setProbeDefaults(probe: Fields): void {
  for (const [field, value] of [
    ['timeoutSeconds', 1],
    ['periodSeconds', 10],
    ['successThreshold', 1],
    ['failureThreshold', 3],
  ] as const) {
    // A zero counts as not given: in Go the field has no other way to be absent. It is dropped where it is the default.
    if (probe[field] === undefined || probe[field] === 0) probe[field] = value;
  }
  if (probe['initialDelaySeconds'] === 0) delete probe['initialDelaySeconds'];
  setHandlerDefaults(probe);
}

function setContainerDefaults(container: Fields): void {
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  const image = text(container, 'image');
  setDefault(container, 'imagePullPolicy', /(:(?!latest$)[^/]+$)|@sha256:/.test(image) ? 'IfNotPresent' : 'Always');
  setDefault(container, 'resources', {});
  for (const port of each(container, 'ports')) setDefault(port, 'protocol', 'TCP');
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) if (container[probe] !== undefined) setProbeDefaults(part(container, probe));
  for (const hook of ['postStart', 'preStop']) setHandlerDefaults(part(part(container, 'lifecycle'), hook));
  for (const variable of each(container, 'env')) {
    const from = part(variable, 'valueFrom');
    if (from['fieldRef'] !== undefined) setDefault(part(from, 'fieldRef'), 'apiVersion', 'v1');
    if (part(from, 'resourceFieldRef')['resource'] !== undefined) setDefault(part(from, 'resourceFieldRef'), 'divisor', '0');
  }
}

function setItemDefaults(source: Fields): void {
  for (const item of each(source, 'items')) if (item['fieldRef'] !== undefined) setDefault(part(item, 'fieldRef'), 'apiVersion', 'v1');
}

function setVolumeDefaults(volume: Fields): void {
  for (const kind of ['configMap', 'secret', 'projected', 'downwardAPI']) {
    if (volume[kind] === undefined) continue;
    setDefault(part(volume, kind), 'defaultMode', FILE_MODE);
    setItemDefaults(part(volume, kind));
  }
  if (volume['hostPath'] !== undefined) part(volume, 'hostPath')['type'] ??= '';
  for (const source of each(part(volume, 'projected'), 'sources')) {
    if (source['serviceAccountToken'] !== undefined) setDefault(part(source, 'serviceAccountToken'), 'expirationSeconds', 3_600);
    setItemDefaults(part(source, 'downwardAPI'));
  }
}

/** Fills in what kube-apiserver fills in, so that what is read back differs from what was written as it does there. */
export function setPodDefaults(spec: Fields): void {
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'schedulerName', 'default-scheduler');
  setDefault(spec, 'securityContext', {});
  if (spec['serviceAccountName'] !== undefined) spec['serviceAccount'] = spec['serviceAccountName'];
  for (const list of ['containers', 'initContainers']) for (const container of each(spec, list)) setContainerDefaults(container);
  for (const volume of each(spec, 'volumes')) setVolumeDefaults(volume);
}

/** What a pod gets beyond its template: links to Services, and requests for what is limited and was not asked for. */
export function setOwnDefaults(spec: Fields): void {
  spec['enableServiceLinks'] ??= true;
  for (const list of ['containers', 'initContainers']) {
    for (const container of each(spec, list)) {
      const resources = part(container, 'resources');
      if (resources['limits'] !== undefined) resources['requests'] = { ...part(resources, 'limits'), ...part(resources, 'requests') };
    }
  }
}

/** The rules of a pod's specification that templates share. `at` is its path: `spec`, or `spec.template.spec`. */
export function podErrors(spec: Fields, at: string): FieldError[] {
  const containers = each(spec, 'containers');
  if (containers.length === 0) return [required(`${at}.containers`)];
  return [
    ...containers.flatMap((container, index) => containerErrors(container, `${at}.containers[${index}]`, spec)),
    ...each(spec, 'initContainers').flatMap((container, index) => containerErrors(container, `${at}.initContainers[${index}]`, spec)),
    ...sameNames(containers, `${at}.containers`),
    ...sameNames(each(spec, 'volumes'), `${at}.volumes`),
    ...oneOf(spec, 'restartPolicy', `${at}.restartPolicy`, ['Always', 'OnFailure', 'Never']),
    ...oneOf(spec, 'dnsPolicy', `${at}.dnsPolicy`, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']),
  ];
}

function sameNames(named: readonly Fields[], at: string): FieldError[] {
  const seen = new Set<string>();
  return named.flatMap((one, index) => {
    const name = text(one, 'name');
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [duplicate(`${at}[${index}].name`, name)];
  });
}

const PORT_MAX = 65_535;

function containerErrors(container: Fields, at: string, spec: Fields): FieldError[] {
  const volumes = new Set(each(spec, 'volumes').map((volume) => text(volume, 'name')));
  return [
    ...requiredText(container, 'name', `${at}.name`),
    ...requiredText(container, 'image', `${at}.image`),
    ...oneOf(container, 'imagePullPolicy', `${at}.imagePullPolicy`, ['Always', 'IfNotPresent', 'Never']),
    ...each(container, 'ports').flatMap((port, index) => {
      const number = port['containerPort'];
      return typeof number === 'number' && number >= 1 && number <= PORT_MAX
        ? []
        : [invalid(`${at}.ports[${index}].containerPort`, number ?? 0, 'must be between 1 and 65535, inclusive')];
    }),
    ...each(container, 'volumeMounts').flatMap((mount, index) => [
      ...(volumes.has(text(mount, 'name')) ? [] : [notFound(`${at}.volumeMounts[${index}].name`, text(mount, 'name'))]),
      ...requiredText(mount, 'mountPath', `${at}.volumeMounts[${index}].mountPath`),
    ]),
  ];
}

function notFound(field: string, value: string): FieldError {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${JSON.stringify(value)}` };
}
