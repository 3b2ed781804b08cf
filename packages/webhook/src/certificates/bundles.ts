// The caBundles that API servers verify us by: which fields of which objects point at our service, what they hold, and
// the patch that sets them right.
import { customResourceDefinitions, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import type { Patch } from '@snapshot-stack/runtime';
import type { BundleSeen, TrustedCa } from './decide.ts';
import { CA_NAME } from './make.ts';
import { certificatesIn, factsOf, readCertificate } from './pair.ts';
import { canonical } from './secret.ts';

interface ClientConfig {
  service?: { name?: string; namespace?: string };
  caBundle?: string;
}

interface WebhookConfiguration extends KubeObject {
  webhooks?: { clientConfig?: ClientConfig }[];
}

interface ConvertedCrd extends KubeObject {
  spec?: { conversion?: { strategy?: string; webhook?: { clientConfig?: ClientConfig } } };
}

export const validatingWebhookConfigurations: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
  namespaced: false,
};

export interface ServiceName {
  readonly name: string;
  readonly namespace: string;
}

/** One object whose caBundles we keep right. */
export interface Target {
  readonly resource: Resource;
  readonly name: string;
}

export function targetLabel({ resource, name }: Target): string {
  return `${resource.kind} ${name}`;
}

interface Place {
  /** JSON pointer to the clientConfig. */
  readonly path: string;
  readonly caBundle: string;
}

/** The clientConfigs of the object that point at our service. */
function placesOf(object: KubeObject, resource: Resource, service: ServiceName): Place[] {
  const all =
    resource === customResourceDefinitions
      ? [{ path: '/spec/conversion/webhook/clientConfig', config: (object as ConvertedCrd).spec?.conversion?.webhook?.clientConfig }]
      : ((object as WebhookConfiguration).webhooks ?? []).map(({ clientConfig }, i) => ({ path: `/webhooks/${i}/clientConfig`, config: clientConfig }));
  return all.flatMap(({ path, config }) =>
    config?.service?.name === service.name && config.service.namespace === service.namespace ? [{ path, caBundle: config.caBundle ?? '' }] : [],
  );
}

/** undefined for an object that does not point at our service. */
export function readBundles(object: KubeObject, target: Target, service: ServiceName): BundleSeen | undefined {
  const places = placesOf(object, target.resource, service);
  if (places.length === 0) return undefined;
  const read = places.map(({ caBundle }) => readBundle(caBundle));
  const all = new Map(read.flatMap(({ cas }) => cas.map((ca) => [ca.pem, ca])));
  // A CA that only some of the places hold counts as missing, or else these would never get it.
  const everywhere = [...all.values()].filter(({ pem }) => read.every(({ cas }) => cas.some((ca) => ca.pem === pem)));
  return { target: targetLabel(target), cas: everywhere, hasOther: everywhere.length < all.size || read.some(({ hasOther }) => hasOther) };
}

function readBundle(caBundle: string): { cas: TrustedCa[]; hasOther: boolean } {
  const text = Buffer.from(caBundle, 'base64').toString('utf8');
  const cas = certificatesIn(text).flatMap((pem) => ourCa(pem) ?? []);
  // What stays when our certificates are taken out: other certificates, or something that is none.
  const others = certificatesIn(text).length - cas.length;
  return { cas, hasOther: others > 0 || (cas.length === 0 && text.trim() !== '') };
}

function ourCa(pem: string): TrustedCa | undefined {
  try {
    const certificate = readCertificate(pem, 'caBundle');
    return certificate.subject.startsWith(`CN=${CA_NAME}`) ? { pem: canonical(certificate), notAfterMs: factsOf(certificate).notAfterMs } : undefined;
  } catch {
    return undefined;
  }
}

/** Sets every caBundle that points at our service; refused with Conflict when the object is another version by now. */
export function bundlePatch(object: KubeObject, target: Target, service: ServiceName, cas: readonly string[]): Patch {
  const value = Buffer.from(cas.join('')).toString('base64');
  const places = placesOf(object, target.resource, service);
  return {
    kind: 'json',
    body: [
      { op: 'replace', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
      ...places.map(({ path }) => ({ op: 'add' as const, path: `${path}/caBundle`, value })),
    ],
  };
}

/** What is kept of a watched object: CRDs are large, and of ours only the conversion counts. */
export function essence(object: KubeObject): KubeObject {
  const { name, uid, resourceVersion, creationTimestamp } = object.metadata;
  const conversion = (object as ConvertedCrd).spec?.conversion;
  const webhooks = (object as WebhookConfiguration).webhooks?.map(({ clientConfig }) => ({ clientConfig }));
  const metadata = { name, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'];
  return { metadata, ...(conversion === undefined ? {} : { spec: { conversion } }), ...(webhooks === undefined ? {} : { webhooks }) } as KubeObject;
}
