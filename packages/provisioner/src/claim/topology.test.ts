import { Annotation, type CsiNode, type Node, type PersistentVolumeClaim, type StorageClass } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import { spreadOf, topologyFor, type TopologyParts } from './topology.ts';

const DRIVER = 'd';
const aNode = (name: string, zone: string): Node => ({ metadata: { name, labels: { zone, host: name } } });
const aCsiNode = (name: string, keys: string[] = ['zone']): CsiNode => ({
  metadata: { name },
  spec: { drivers: [{ name: DRIVER, nodeID: name, topologyKeys: keys }] },
});
const aClaim = (name: string, node?: string): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'ns', ...(node === undefined ? {} : { annotations: { [Annotation.selectedNode]: node } }) },
  spec: {},
});
const aClass = (...terms: Record<string, string[]>[]): StorageClass => ({
  metadata: { name: 'sc' },
  provisioner: DRIVER,
  ...(terms.length === 0
    ? {}
    : { allowedTopologies: terms.map((term) => ({ matchLabelExpressions: Object.entries(term).map(([key, values]) => ({ key, values })) })) }),
});

/** Three nodes in zones a, b and c; the driver is on all of them. */
function parts(change: Partial<TopologyParts> = {}): TopologyParts {
  return {
    driver: DRIVER,
    claim: aClaim('claim'),
    storageClass: aClass(),
    nodes: [aNode('n3', 'c'), aNode('n1', 'a'), aNode('n2', 'b'), aNode('n4', 'a')],
    csiNodes: ['n1', 'n2', 'n3', 'n4'].map((name) => aCsiNode(name)),
    strict: false,
    immediate: true,
    ...change,
  };
}

/** `[requisite, preferred]` as texts, each place as its values. */
function judged(change: Partial<TopologyParts>): [string, string] | string {
  const result = topologyFor(parts(change));
  if (result.kind === 'gone') return `gone: ${result.node}`;
  if (result.kind === 'waiting') return result.why;
  if (result.requirement === undefined) return 'none';
  const { requisite, preferred } = result.requirement;
  const text = (places: typeof requisite): string => places.map(({ segments }) => Object.values(segments).join('/')).join(' ');
  return [text(requisite), text(preferred)];
}

describe('a claim whose node is selected', () => {
  it.each<[string, Partial<TopologyParts>, ReturnType<typeof judged>]>([
    ['may be anywhere, best at its node', { claim: aClaim('c', 'n2') }, ['a b c', 'b c a']],
    ['may be only at its node where the flag says so', { claim: aClaim('c', 'n2'), strict: true }, ['b', 'b']],
    ['may be where its class allows, best at its node', { claim: aClaim('c', 'n2'), storageClass: aClass({ zone: ['c', 'b'] }) }, ['b c', 'b c']],
    ['is at its node within what its class allows', { claim: aClaim('c', 'n3'), storageClass: aClass({ zone: ['c', 'b'] }), strict: true }, ['c', 'c']],
    [
      'is not made where its class does not allow it',
      { claim: aClaim('c', 'n1'), storageClass: aClass({ zone: ['c'] }), strict: true },
      'the class sc does not allow the topology of node n1',
    ],
    [
      'is not made where its class does not allow it, strict or not',
      { claim: aClaim('c', 'n1'), storageClass: aClass({ zone: ['c'] }) },
      'the class sc does not allow the topology of node n1',
    ],
    ['is in a zone that its node is in, though nodes tell more', zoneAndHost('n2'), ['a b', 'b a']],
    ['asks for another node where its own has gone', { claim: aClaim('c', 'gone') }, 'gone: gone'],
  ])('%s', (_name, change, expected) => expect(judged(change)).toEqual(expected));

  it('waits for the driver, and for the labels, of its node', () => {
    expect(judged({ claim: aClaim('c', 'n1'), csiNodes: [] })).toMatch(/waiting for node n1 to run the driver d/);
    expect(judged({ claim: aClaim('c', 'n1'), csiNodes: [aCsiNode('n1', ['rack'])] })).toMatch(/to have the labels rack/);
  });
});

function zoneAndHost(node: string): Partial<TopologyParts> {
  const csiNodes = ['n1', 'n2', 'n3', 'n4'].map((name) => aCsiNode(name, ['zone', 'host']));
  return { claim: aClaim('c', node), csiNodes, storageClass: aClass({ zone: ['a', 'b'] }) };
}

describe('a claim that is bound at once', () => {
  it.each<[string, Partial<TopologyParts>, ReturnType<typeof judged>]>([
    ['is told nothing where the flag says so', { immediate: false }, 'none'],
    ['is told what its class allows all the same', { immediate: false, storageClass: aClass({ zone: ['b'] }) }, ['b', 'b']],
    ['is told nothing where the driver is on no node', { csiNodes: [] }, 'none'],
    ['gets each combination that its class allows, once', combine(), ['a/1 b/1 a/2 b/2', 'a/1 a/2 b/1 b/2']],
  ])('%s', (_name, change, expected) => {
    const result = judged(change);
    if (typeof result === 'string') expect(result).toBe(expected);
    // Where the rotation begins is the next test's.
    else expect([result[0], result[1].split(' ').sort().join(' ')]).toEqual(expected);
  });

  it('is spread by the name of its StatefulSet and the number of its pod, as upstream does it', () => {
    const start = (name: string): string => (judged({ claim: aClaim(name) }) as [string, string])[1];
    expect(new Set(['data-web-0', 'data-web-1', 'data-web-2'].map(start)).size).toBe(3);
    expect(start('data-web-1')).toBe(start('log-web-1'));
    expect(start('data-web-0')).toBe(start('data-web-3'));
    // The offset basis itself, and FNV-1 of "a" as its authors publish it.
    expect(spreadOf('')).toBe(0x811c9dc5);
    expect(spreadOf('a')).toBe(0x050c5d7e);
    expect(spreadOf('x-a-1')).toBe(0x050c5d7e + 1);
  });
});

function combine(): Partial<TopologyParts> {
  return { storageClass: aClass({ zone: ['b', 'a'], rack: ['2', '1'] }, { zone: ['a'], rack: ['1'] }) };
}
