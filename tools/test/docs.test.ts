// The documentation says what is so: messages that it quotes are in the code, links lead somewhere, commands exist, and
// every event reason in the code is in the catalogue.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EVENT_MEANINGS } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const COMPONENTS = ['snapshot-controller', 'csi-snapshotter', 'provisioner', 'webhook', 'hostpath-driver', 'runtime', 'csi'];

function filesBelow(dir: string, wanted: RegExp): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'dist', '.git', '.nx', 'out', 'report'].includes(entry.name) ? [] : filesBelow(path, wanted);
    return wanted.test(entry.name) ? [path] : [];
  });
}

const pages = filesBelow(root, /\.md$/);
const sources = COMPONENTS.flatMap((name) => filesBelow(join(root, 'packages', name, 'src'), /(?<!\.test)\.ts$/))
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');

/** The quoted words in the first column of a page's tables. */
function quotedMessages(text: string): string[] {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('|--'));
  return rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, words = '']) => words));
}

describe('troubleshooting', () => {
  const messages = quotedMessages(readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8'));

  it('quotes messages', () => expect(messages.length).toBeGreaterThan(10));

  it.each(messages)('quotes what a component really says: %s', (message) => expect(sources).toContain(message));
});

it('every event reason in the code is in the catalogue, and the other way round', () => {
  const recorded = new Set([...sources.matchAll(/'(?:Normal|Warning)', '([A-Z][A-Za-z]+)'/g)].map(([, reason = '']) => reason));
  expect([...recorded].filter((reason) => !Object.hasOwn(EVENT_MEANINGS, reason))).toEqual([]);
  expect(Object.keys(EVENT_MEANINGS).filter((reason) => !sources.includes(`'${reason}'`))).toEqual([]);
});

describe.each(pages.map((path) => relative(root, path)))('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('links to files that are there', () => {
    const targets = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    expect(targets.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm run (?:-s )?([a-z][a-z0-9-]*)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});
