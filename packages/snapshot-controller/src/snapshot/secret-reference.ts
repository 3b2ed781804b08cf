// The secret that a class names for creating and deleting snapshots: a name and a namespace, each possibly with
// `${…}` tokens. Resolved when the content is made and kept in its annotations, so that deletion works without
// the class. Source: https://kubernetes-csi.github.io/docs/secrets-and-credentials-volume-snapshot-class.html
import { Parameter, type VolumeSnapshotClass } from '@snapshot-stack/api-types';

export interface SecretRef {
  name: string;
  namespace: string;
}

/** What the class says is no secret reference; the message names the class parameter and what is allowed. */
export class SecretReferenceError extends Error {
  override readonly name = 'SecretReferenceError';
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Names that the tokens stand for. */
export interface SecretTokens {
  contentName: string;
  snapshotName: string;
  snapshotNamespace: string;
}

/**
 * The class's snapshotter secret, or undefined when it names none.
 * @throws SecretReferenceError for half a reference, an unknown token, or a result that is no name
 */
export function snapshotterSecretOf(snapshotClass: VolumeSnapshotClass, tokens: SecretTokens): SecretRef | undefined {
  const name = snapshotClass.parameters?.[Parameter.snapshotterSecretName];
  const namespace = snapshotClass.parameters?.[Parameter.snapshotterSecretNamespace];
  if (name === undefined && namespace === undefined) return undefined;
  if (!name || !namespace) {
    throw new SecretReferenceError(
      `VolumeSnapshotClass "${snapshotClass.metadata.name}" must set both ${Parameter.snapshotterSecretName} and ${Parameter.snapshotterSecretNamespace}, or neither`,
    );
  }
  const common = { 'volumesnapshotcontent.name': tokens.contentName, 'volumesnapshot.namespace': tokens.snapshotNamespace };
  return {
    namespace: expand(Parameter.snapshotterSecretNamespace, namespace, common, LABEL),
    name: expand(Parameter.snapshotterSecretName, name, { ...common, 'volumesnapshot.name': tokens.snapshotName }, SUBDOMAIN),
  };
}

function expand(parameter: string, template: string, values: Readonly<Record<string, string>>, valid: RegExp): string {
  const unknown: string[] = [];
  const result = template.replaceAll(/\$\{([^}]*)\}/g, (_all, token: string) => {
    const value = Object.hasOwn(values, token) ? values[token] : undefined;
    if (value === undefined) unknown.push(token);
    return value ?? '';
  });
  if (unknown.length > 0)
    throw new SecretReferenceError(
      `invalid tokens: [${unknown.map((token) => `"${token}"`).join(' ')}] in ${parameter}; known are ${Object.keys(values).join(', ')}`,
    );
  if (!valid.test(result)) throw new SecretReferenceError(`${parameter} "${template}" resolves to "${result}", which is no valid name`);
  return result;
}
