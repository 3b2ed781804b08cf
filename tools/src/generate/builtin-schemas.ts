// Writes the descriptions of Kubernetes' built-in types that packages/apiserver shows in OpenAPI (kubectl explain).
// Source: the doc comments of @kubernetes/client-node, which are those of Kubernetes' own OpenAPI document.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Generator } from './generator.ts';

interface TypePage {
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const root = new URL('../../../', import.meta.url);
const models = new URL('node_modules/@kubernetes/client-node/dist/gen/models/', root);
const TARGET = 'packages/apiserver/src/builtin/schemas/generated/descriptions.ts';

// The client names a type after its version, with the group in front where two groups have one of the same name.
function candidates(page: string, type: string): string[] {
  const [group = '', version = 'v1'] = page.split('.');
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  return [`${capital(group)}${capital(version)}${type}`, `${capital(version)}${type}`];
}

async function declaration(page: string, type: string): Promise<string | undefined> {
  for (const name of candidates(page, type)) {
    const text = await readFile(fileURLToPath(new URL(`${name}.d.ts`, models)), 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
  return undefined;
}

const COMMENT = String.raw`/\*\*\s*\n((?:\s*\*(?!/).*\n)*)\s*\*/\s*`;

function clean(comment: string): string {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  // The client's own generator escapes quotes.
  return lines
    .join('\n')
    .replaceAll(/\\(['"])/g, '$1')
    .trim();
}

/** The description of a type (under '') and of its fields. */
export function describeDeclaration(text: string): Record<string, string> {
  const described: Record<string, string> = {};
  const type = new RegExp(`${COMMENT}export declare class`).exec(text)?.[1];
  if (type !== undefined && clean(type) !== '') described[''] = clean(type);
  for (const [, comment = '', field = ''] of text.matchAll(new RegExp(`${COMMENT}'([^']+)'\\??:`, 'g'))) described[field] = clean(comment);
  return described;
}

async function files(): Promise<Map<string, string>> {
  const catalogue = new URL('packages/apiserver/src/builtin/schemas/catalogue.ts', root);
  const { pages } = (await import(catalogue.href)) as { pages: ReadonlyMap<string, TypePage> };
  const lines: string[] = [];
  for (const [page, { types }] of pages) {
    for (const [type, fields] of Object.entries(types)) {
      const text = await declaration(page, type);
      const all = text === undefined ? {} : describeDeclaration(text);
      const kept = Object.entries(all).filter(
        ([name]) => name === '' || Object.hasOwn(fields, name) || name === 'apiVersion' || name === 'kind' || name === 'metadata',
      );
      if (kept.length > 0) lines.push(`  ${JSON.stringify(`${page}.${type}`)}: ${JSON.stringify(Object.fromEntries(kept))},`);
    }
  }
  const head = `// What the fields of built-in types mean. Written by tools/src/generate/builtin-schemas.ts; do not edit.\n// Source: the OpenAPI document of Kubernetes (Apache-2.0).\n`;
  const body = `export const descriptions: Readonly<Record<string, Readonly<Record<string, string>>>> = {\n${lines.join('\n')}\n};\n`;
  return new Map([[TARGET, `${head}${body}`]]);
}

/** Generates the file of descriptions. */
export const builtinSchemas: Generator = { name: 'builtin-schemas', files };
