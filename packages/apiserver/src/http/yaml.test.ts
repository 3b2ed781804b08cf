import { describe, expect, it } from 'vitest';
import { parseYamlText, repeatedMembers } from './yaml.ts';

describe('YAML bodies', () => {
  it.each([
    ['a: yes', { a: true }],
    ['a: "yes"', { a: 'yes' }],
    ['a: off', { a: false }],
    ['a: 2024-01-02T03:04:05Z', { a: '2024-01-02T03:04:05Z' }],
    ['a: 12:30', { a: '12:30' }],
    ['a: 0755', { a: 493 }],
    ['a: 9007199254740993', { a: 9007199254740993n }],
    ['a: ~', { a: null }],
    ['a: 1\na: 2', { a: 2 }],
    ['x: &x {b: 1}\nz: {<<: *x, c: 2}', { x: { b: 1 }, z: { b: 1, c: 2 } }],
  ])('of %j read as a cluster reads them', async (text, wanted) => {
    expect(await parseYamlText(text)).toEqual(wanted);
  });

  it('cannot blow up by aliases', async () => {
    const layers = Array.from(
      { length: 12 },
      (_one, index) => `l${index}: &l${index} [${Array.from({ length: 10 }, () => (index === 0 ? '1' : `*l${index - 1}`)).join(', ')}]`,
    );
    await expect(parseYamlText(layers.join('\n'))).rejects.toThrow();
  });

  it('cannot reach prototypes', async () => {
    const value = (await parseYamlText('__proto__: {polluted: 1}')) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
  });

  it('tell what is named twice, and where', async () => {
    expect(await repeatedMembers('a: 1\nb:\n  c: 1\n  c: 2\n')).toEqual([{ line: 4, name: 'c' }]);
  });
});
