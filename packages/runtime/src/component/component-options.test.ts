import { describe, expect, test } from 'vitest';
import { defineFlags } from '../process/index.ts';
import { checkWorkFlags, checkedGates, checkedNaming, componentFlags, componentOptions, nodeOf } from './component-options.ts';

const flags = defineFlags({ ...componentFlags, 'metrics-address': { type: 'string', default: '', help: '' } });
const read = (...argv: string[]) => componentOptions(flags.parse(argv, {}), {});

describe('options that every component has', () => {
  test('leave out the HTTP server and the election unless they are asked for', () => {
    expect(read()).toMatchObject({ httpEndpoint: '', leaderElection: undefined, logFormat: 'text', qps: 0 });
  });

  test('take the old name of the HTTP address, but not both names', () => {
    expect(read('--metrics-address=:9')).toMatchObject({ httpEndpoint: ':9' });
    expect(() => read('--metrics-address=:9', '--http-endpoint=:8')).toThrow('give only --http-endpoint');
  });

  test('release the Lease on exit unless the gate says no', () => {
    expect(read('--leader-election').leaderElection?.releaseOnExit).toBe(true);
    const gates = checkedGates({ ReleaseLeaderElectionOnExit: 'false' }, ['ReleaseLeaderElectionOnExit']);
    expect(componentOptions(flags.parse(['--leader-election'], {}), gates).leaderElection?.releaseOnExit).toBe(false);
  });

  test('name an unknown gate and the known ones', () => {
    expect(() => checkedGates({ Nonsense: 'true' }, ['Topology'])).toThrow('unknown gate "Nonsense"; known are Topology');
    expect(() => checkedGates({ Topology: 'yes' }, ['Topology'])).toThrow('"Topology=yes" must be true or false');
  });

  test('refuse work without workers, and pauses that cannot grow', () => {
    const work = { 'worker-threads': 1, 'retry-interval-start': 1_000, 'retry-interval-max': 2_000 };
    expect(() => checkWorkFlags(work)).not.toThrow();
    expect(() => checkWorkFlags({ ...work, 'worker-threads': 0 })).toThrow('--worker-threads');
    expect(() => checkWorkFlags({ ...work, 'retry-interval-max': 500 })).toThrow('--retry-interval-start');
  });

  test('want the name of the node in node-local mode, and no election', () => {
    const local = { 'node-deployment': true, 'leader-election': false };
    expect(nodeOf(local, { NODE_NAME: 'n' })).toBe('n');
    expect(() => nodeOf(local, {})).toThrow('NODE_NAME');
    expect(() => nodeOf({ ...local, 'leader-election': true }, { NODE_NAME: 'n' })).toThrow('exclude each other');
    expect(nodeOf({ ...local, 'node-deployment': false }, { NODE_NAME: 'n' })).toBeUndefined();
  });

  test('refuse a name that cannot be made', () => {
    expect(checkedNaming('volume', 'pvc', -1)).toEqual({ prefix: 'pvc', uuidLength: -1 });
    expect(() => checkedNaming('volume', '', -1)).toThrow('--volume-name-prefix must not be empty');
    expect(() => checkedNaming('volume', 'pvc', 33)).toThrow('--volume-name-uuid-length must be -1 or 1 to 32');
  });
});
