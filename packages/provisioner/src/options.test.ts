import { FlagError } from '@snapshot-stack/runtime';
import { describe, expect, it } from 'vitest';
import { checkOptions, flags } from './options.ts';

const check = (args: string[], env: Record<string, string> = {}) => checkOptions(flags.parse(args, {}), env);

describe('the flags', () => {
  it('are upstream’s, so that its manifests start this provisioner', () => {
    const manifest = ['--v=5', '--csi-address=/csi/csi.sock', '--feature-gates=Topology=true', '--strict-topology', '--immediate-topology=false'];
    const distributed = ['--node-deployment', '--enable-capacity', '--capacity-ownerref-level=0', '--worker-threads=5'];
    const options = check([...manifest, ...distributed], { NODE_NAME: 'n', NAMESPACE: 'ns', POD_NAME: 'p' });
    expect(options).toMatchObject({ node: 'n', capacity: { namespace: 'ns', podName: 'p' }, crossNamespace: false, attributesClasses: true });
  });

  it.each<[string, string[], RegExp]>([
    ['a length of the uid without meaning', ['--volume-name-uuid-length=0'], /volume-name-uuid-length/],
    ['calls without time', ['--timeout=0s'], /--timeout must be above 0/],
    ['an unknown feature gate', ['--feature-gates=Magic=true'], /Magic/],
    ['a node without name', ['--node-deployment'], /NODE_NAME/],
    ['capacity without a place for its objects', ['--enable-capacity'], /NAMESPACE/],
  ])('refuse %s, and say what is wrong', (_name, args, why) => {
    expect(() => check(args)).toThrow(FlagError);
    expect(() => check(args)).toThrow(why);
  });
});
