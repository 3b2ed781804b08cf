import type { PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import { ParameterError, resolveParameters } from './parameters.ts';

const claim: PersistentVolumeClaim = { metadata: { name: 'data', namespace: 'team', annotations: { tier: 'gold' } }, spec: {} };
const resolve = (parameters: Record<string, string>) => resolveParameters(parameters, claim, 'pvc-1');
const reserved = (name: string): string => `csi.storage.k8s.io/${name}`;
const secret = (purpose: string, name: string, namespace: string) => ({
  [reserved(`${purpose}secret-name`)]: name,
  [reserved(`${purpose}secret-namespace`)]: namespace,
});

describe('class parameters', () => {
  it('go to the driver, but for those under the reserved prefix', () => {
    expect(resolve({ kind: 'fast', [reserved('fstype')]: 'xfs' })).toEqual({ forDriver: { kind: 'fast' }, fsType: 'xfs', secrets: {} });
  });

  it('name a secret for a purpose, with what is known of claim and volume filled in', () => {
    const template = secret('node-stage-', "${pvc.name}-${pvc.annotations['tier']}-${pv.name}", '${pvc.namespace}');
    expect(resolve(template).secrets).toEqual({ 'node-stage': { name: 'data-gold-pvc-1', namespace: 'team' } });
  });

  it('name a secret for all purposes, which one of its own beats', () => {
    const { secrets } = resolve({ ...secret('', 'all', 'ns'), ...secret('provisioner-', 'mine', 'ns') });
    expect(secrets.provisioner?.name).toBe('mine');
    expect(Object.values(secrets).filter(({ name }) => name === 'all')).toHaveLength(6);
  });

  it('name secrets in the old spelling, which goes to the driver too', () => {
    const old = { csiProvisionerSecretName: 'old', csiProvisionerSecretNamespace: 'ns' };
    expect(resolve(old)).toEqual({ forDriver: old, fsType: undefined, secrets: { provisioner: { name: 'old', namespace: 'ns' } } });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['under the reserved prefix that nobody knows', { [reserved('colour')]: 'red' }, /unknown parameters.*colour/],
    ['that say the file system twice', { fsType: 'ext4', [reserved('fstype')]: 'xfs' }, /file system twice: fsType/],
    [
      'that say a secret in the old spelling and in the new',
      { ...secret('node-stage-', 'a', 'b'), csiNodeStageSecretName: 'c' },
      /twice: csiNodeStageSecretName/,
    ],
    ['that name a secret without its namespace', { [reserved('node-stage-secret-name')]: 'a' }, /belong together/],
    ['with a token that nobody knows', secret('', '${pvc.colour}', 'ns'), /unknown tokens: pvc\.colour; known are .*pvc\.name/],
    ['whose namespace depends on a name that users choose', secret('', 'a', '${pvc.name}'), /unknown tokens: pvc\.name/],
    ['that give no possible name', secret('', 'A secret', 'ns'), /"A secret", which is no name of a secret/],
  ])('%s are refused', (_name, parameters, why) => {
    expect(() => resolve(parameters)).toThrow(ParameterError);
    expect(() => resolve(parameters)).toThrow(why);
  });
});
