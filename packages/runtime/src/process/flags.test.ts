import { describe, expect, it } from 'vitest';
import { FlagError, defineFlags, kubeFlags, leaderElectionFlags, loggingFlags } from './flags.ts';

const flags = defineFlags({
  ...loggingFlags,
  'csi-address': { type: 'string', default: '/run/csi/socket', help: 'Socket of the driver' },
  'worker-threads': { type: 'int', default: 10, help: 'Workers' },
  qps: { type: 'float', default: 5, help: 'Requests per second' },
  'leader-election': { type: 'bool', default: false, help: 'Elect' },
  'retry-interval': { type: 'duration', default: 1_000, help: 'Pause' },
  'feature-gates': { type: 'map', default: {}, help: 'Features' },
  nodes: { type: 'strings', default: ['all'], help: 'Nodes' },
  timeout: { type: 'duration', default: 0, env: 'TIMEOUT', help: 'Limit', deprecated: 'use --retry-interval' },
});

describe('flags', () => {
  it.each<[string[], object]>([
    [[], { 'csi-address': '/run/csi/socket', 'worker-threads': 10, 'leader-election': false, nodes: ['all'] }],
    [['-csi-address=/x'], { 'csi-address': '/x' }],
    [['--csi-address', '/x'], { 'csi-address': '/x' }],
    [['--csi-address='], { 'csi-address': '' }],
    [['--csi-address=a=b'], { 'csi-address': 'a=b' }],
    [['--csi-address', '--odd'], { 'csi-address': '--odd' }],
    [['-v', '5'], { v: 5 }],
    [['--v=5'], { v: 5 }],
    [['--worker-threads=0x10'], { 'worker-threads': 16 }],
    [['--worker-threads', '-3'], { 'worker-threads': -3 }],
    [['--qps=1.5e2'], { qps: 150 }],
    [['--leader-election'], { 'leader-election': true }],
    [['--leader-election=true'], { 'leader-election': true }],
    [['-leader-election=0'], { 'leader-election': false }],
    [['--leader-election=F'], { 'leader-election': false }],
    [['--retry-interval=1m30s'], { 'retry-interval': 90_000 }],
    [['--feature-gates=A=true,B=false', '--feature-gates', 'C=true'], { 'feature-gates': { A: 'true', B: 'false', C: 'true' } }],
    [['--nodes=a,b', '--nodes=c'], { nodes: ['a', 'b', 'c'] }],
    [['--worker-threads=1', '--worker-threads=2'], { 'worker-threads': 2 }],
    [['-h'], { help: true }],
    [['--v=1', '--'], { v: 1 }],
  ])('reads %j as Go would', (argv, expected) => {
    expect(flags.parse(argv, {})).toMatchObject(expected);
  });

  it.each<[string[], string]>([
    [['--csi-adress=/x'], 'unknown flag --csi-adress; did you mean --csi-address?'],
    [['--something-else'], 'unknown flag --something-else; --help lists all flags'],
    [['--constructor'], 'unknown flag --constructor; --help lists all flags'],
    [['--csi-address'], '--csi-address needs a value (string): Socket of the driver'],
    [['--worker-threads=many'], '--worker-threads: "many" is no whole number'],
    [['--worker-threads=1.0'], '--worker-threads: "1.0" is no whole number'],
    [['--worker-threads=1e3'], '--worker-threads: "1e3" is no whole number'],
    [['--qps=fast'], '--qps: "fast" is no number'],
    [['--leader-election=yes'], '--leader-election: "yes" is neither true nor false'],
    [['--leader-election', 'true'], 'unexpected argument "true"; flags start with --'],
    [['--retry-interval=10'], '--retry-interval: "10" is no duration'],
    [['--feature-gates=A'], '--feature-gates: "A" is no key=value pair'],
    [['stray'], 'unexpected argument "stray"'],
    [['---v=1'], 'unexpected argument "---v=1"'],
    [['--', 'stray'], 'unexpected argument "--"'],
  ])('refuses %j in words that help', (argv, message) => {
    expect(() => flags.parse(argv, {})).toThrow(FlagError);
    expect(() => flags.parse(argv, {})).toThrow(message);
  });

  it('take a value from the environment when the command line gives none', () => {
    expect(flags.parse([], { TIMEOUT: '3s' }).timeout).toBe(3_000);
    expect(flags.parse(['--timeout=4s'], { TIMEOUT: '3s' }).timeout).toBe(4_000);
    expect(() => flags.parse([], { TIMEOUT: 'soon' })).toThrow('environment variable TIMEOUT: "soon" is no duration');
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(flags.parse([], {}))).toBe(true);
  });

  it('warn of deprecated ones only where they are used', () => {
    expect(flags.warnings(['--timeout=4s'])).toEqual(['--timeout is deprecated: use --retry-interval']);
    expect(flags.warnings(['--v=4'])).toEqual([]);
  });

  it('explain themselves', () => {
    const text = flags.usage('tool');
    expect(text).toContain('Usage of tool:\n');
    expect(text).toContain('  --csi-address string\n        Socket of the driver (default "/run/csi/socket")\n');
    expect(text).toContain('  --retry-interval duration\n        Pause (default 1s)\n');
    expect(text).toContain('DEPRECATED: use --retry-interval');
  });

  it('that all components share have the names and defaults of the Go components', () => {
    const shared = defineFlags({ ...kubeFlags, ...leaderElectionFlags });
    expect(shared.parse([], {})).toMatchObject({ kubeconfig: '', 'leader-election-lease-duration': 15_000, 'leader-election-renew-deadline': 10_000 });
  });
});
