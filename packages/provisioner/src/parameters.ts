// Class parameters: what is for the provisioner itself (secrets, file system), and what goes to the driver.
// Source: https://kubernetes-csi.github.io/docs/secrets-and-credentials-storage-class.html
import { RESERVED_PARAMETER_PREFIX, type PersistentVolumeClaim, type SecretReference } from '@snapshot-stack/api-types';

const PURPOSES = ['provisioner', 'controller-publish', 'node-stage', 'node-publish', 'controller-expand', 'node-expand', 'controller-modify'] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface ClassParameters {
  /** For the driver. */
  forDriver: Record<string, string>;
  fsType: string | undefined;
  secrets: Partial<Record<Purpose, SecretReference>>;
}

/** Something in the class that cannot be used; the text names it. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
}

/** Spellings from before the reserved prefix. They still count, and unlike today's go to the driver too, as upstream has it. */
const DEPRECATED: Readonly<Record<string, string>> = {
  csiProvisionerSecret: 'provisioner',
  csiControllerPublishSecret: 'controller-publish',
  csiNodeStageSecret: 'node-stage',
  csiNodePublishSecret: 'node-publish',
};

/** The parameters with deprecated spellings under today's names as well. @throws ParameterError where a class uses both */
function withDeprecated(parameters: Readonly<Record<string, string>>): Map<string, string> {
  const all = new Map(Object.entries(parameters).filter(([key]) => key.startsWith(RESERVED_PARAMETER_PREFIX)));
  for (const [old, purpose] of Object.entries(DEPRECATED))
    for (const part of ['Name', 'Namespace']) {
      const value = parameters[`${old}${part}`];
      const today = `${RESERVED_PARAMETER_PREFIX}${purpose}-secret-${part.toLowerCase()}`;
      if (value === undefined) continue;
      if (all.has(today)) throw new ParameterError(`the class says the same twice: ${old}${part} and ${today}; keep the latter`);
      all.set(today, value);
    }
  return all;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

function expand(template: string, tokens: Readonly<Record<string, string>>, parameter: string): string {
  const unknown: string[] = [];
  const text = template.replaceAll(/\$\{([^}]*)\}/g, (_match, token: string) => {
    const value = tokens[token];
    if (value === undefined) unknown.push(token);
    return value ?? '';
  });
  if (unknown.length > 0)
    throw new ParameterError(`the class parameter ${parameter} uses unknown tokens: ${unknown.join(', ')}; known are ${Object.keys(tokens).join(', ')}`);
  return text;
}

function secretFor(purpose: string, given: ReadonlyMap<string, string>, claim: PersistentVolumeClaim, volumeName: string): SecretReference | undefined {
  const [nameKey, namespaceKey] = [`${RESERVED_PARAMETER_PREFIX}${purpose}secret-name`, `${RESERVED_PARAMETER_PREFIX}${purpose}secret-namespace`];
  const [nameTemplate, namespaceTemplate] = [given.get(nameKey), given.get(namespaceKey)];
  if (nameTemplate === undefined && namespaceTemplate === undefined) return undefined;
  if (!nameTemplate || !namespaceTemplate) throw new ParameterError(`the class parameters ${nameKey} and ${namespaceKey} belong together; give both, or none`);
  const inNamespace = { 'pv.name': volumeName, 'pvc.namespace': claim.metadata.namespace ?? '' };
  const annotations = Object.fromEntries(Object.entries(claim.metadata.annotations ?? {}).map(([key, value]) => [`pvc.annotations['${key}']`, value]));
  const namespace = expand(namespaceTemplate, inNamespace, namespaceKey);
  const name = expand(nameTemplate, { ...inNamespace, 'pvc.name': claim.metadata.name ?? '', ...annotations }, nameKey);
  if (!LABEL.test(namespace)) throw new ParameterError(`the class parameter ${namespaceKey} gives "${namespace}", which is no name of a namespace`);
  if (!SUBDOMAIN.test(name)) throw new ParameterError(`the class parameter ${nameKey} gives "${name}", which is no name of a secret`);
  return { name, namespace };
}

/** @throws ParameterError naming the parameter and what is wrong with it */
export function resolveParameters(parameters: Readonly<Record<string, string>>, claim: PersistentVolumeClaim, volumeName: string): ClassParameters {
  const reserved = withDeprecated(parameters);
  const forDriver = Object.fromEntries(Object.entries(parameters).filter(([key]) => !key.startsWith(RESERVED_PARAMETER_PREFIX)));
  const known = new Set([
    `${RESERVED_PARAMETER_PREFIX}fstype`,
    ...['', ...PURPOSES.map((purpose) => `${purpose}-`)].flatMap((purpose) => [
      `${RESERVED_PARAMETER_PREFIX}${purpose}secret-name`,
      `${RESERVED_PARAMETER_PREFIX}${purpose}secret-namespace`,
    ]),
  ]);
  const unknown = [...reserved.keys()].filter((key) => !known.has(key));
  if (unknown.length > 0)
    throw new ParameterError(`the class has unknown parameters under the reserved prefix ${RESERVED_PARAMETER_PREFIX}: ${unknown.join(', ')}`);
  const bareFsType = Object.keys(forDriver).find((key) => key.toLowerCase() === 'fstype');
  const reservedFsType = reserved.get(`${RESERVED_PARAMETER_PREFIX}fstype`);
  if (bareFsType !== undefined && reservedFsType !== undefined)
    throw new ParameterError(`the class says the file system twice: ${bareFsType} and ${RESERVED_PARAMETER_PREFIX}fstype; keep the latter`);
  const fallback = secretFor('', reserved, claim, volumeName);
  const secrets: ClassParameters['secrets'] = {};
  for (const purpose of PURPOSES) {
    const secret = secretFor(`${purpose}-`, reserved, claim, volumeName) ?? fallback;
    if (secret !== undefined) secrets[purpose] = secret;
  }
  return { forDriver, fsType: reservedFsType ?? (bareFsType === undefined ? undefined : forDriver[bareFsType]), secrets };
}
