import { describe, expect, it } from 'vitest';
import { differences, generateAll, type Generator } from './generator.ts';

const writes = (name: string, files: Record<string, string>): Generator => ({ name, files: async () => new Map(Object.entries(files)) });

describe('generated files', () => {
  it('are stale when they are missing or have another text, and only then', async () => {
    const tree: Record<string, string> = { same: '1', other: '2' };
    const files = await generateAll([writes('a', { same: '1', other: 'x' }), writes('b', { missing: '3' })]);
    const stale = await differences(files, async (path) => tree[path]);
    expect(stale.map(({ path, generator }) => `${path} by ${generator}`)).toEqual(['other by a', 'missing by b']);
  });

  it('have one generator each', async () => {
    await expect(generateAll([writes('a', { x: '' }), writes('b', { x: '' })])).rejects.toThrow('a and b both write x');
  });
});
