// One component as plain JavaScript: everything it always needs in bundle.js, and what it loads only in rare cases in
// files of their own, so that nobody else parses them.
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { ROOT, entryOf, type Component } from './components.ts';
import { BUNDLE } from './launch/compile.ts';

/** Packages that are behind an `import()`, what is used of them there, and from which package. Measured: images/README.md. */
const LAZY: Readonly<Record<string, { file: string; names: readonly string[]; user: string }>> = {
  '@kubernetes/client-node': { file: 'client-node.js', names: ['KubeConfig'], user: 'packages/runtime' },
};

export interface Bundle {
  /** Files of /app by name. */
  files: ReadonlyMap<string, Buffer>;
  /** Of the same names with `.map`; they stay out of the image. */
  maps: ReadonlyMap<string, Buffer>;
  /** Comments that licences want kept, as esbuild found them. */
  legal: string;
  /** Every source file that left something in the bundle, relative to the repository. */
  sources: readonly string[];
}

const options = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  // CommonJS starts 13 ms faster than ES modules do, and can be compiled ahead.
  format: 'cjs',
  conditions: ['@snapshot-stack/source'],
  // Names stay, so that stack traces and error names can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'external',
  sourcemap: 'external',
  sourcesContent: false,
  metafile: true,
  write: false,
  logLevel: 'silent',
  outdir: join(ROOT, 'dist'),
} satisfies BuildOptions;

/**
 * CommonJS has no await outside of functions. Each main.ts awaits one thing there, its last statement, which settles
 * by ending the process; so nothing is lost by not waiting. Any other await outside is an error of esbuild.
 */
const mainWithoutAwait: Plugin = {
  name: 'main-without-await',
  setup: ({ onLoad }) => {
    onLoad({ filter: /[/\\]src[/\\]main\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/^await (?=runMain\()/m, 'void '),
      loader: 'ts',
    }));
  },
};

const lazyFiles: Plugin = {
  name: 'lazy-files',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^@?[a-z]/ }, ({ path, kind }) => {
      const lazy = kind === 'dynamic-import' ? LAZY[path] : undefined;
      return lazy === undefined ? undefined : { path: `./${lazy.file}`, external: true };
    });
  },
};

interface Output {
  code: Buffer;
  map: Buffer;
  legal: string;
  metafile: Metafile;
}

async function bundleOne(name: string, entry: BuildOptions): Promise<Output> {
  const result = await build({ ...options, ...entry });
  const text = (suffix: string): Buffer => Buffer.from(result.outputFiles?.find(({ path }) => path.endsWith(suffix))?.contents ?? []);
  if (result.metafile === undefined) throw new Error(`esbuild told nothing about ${name}`);
  return { code: text('.js'), map: text('.js.map'), legal: text('.LEGAL.txt').toString('utf8'), metafile: result.metafile };
}

function sourcesOf({ outputs }: Metafile): string[] {
  return Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs).filter((path) => (inputs[path]?.bytesInOutput ?? 0) > 0));
}

function externalsOf({ outputs }: Metafile): string[] {
  return Object.values(outputs).flatMap(({ imports }) => imports.filter(({ external }) => external === true).map(({ path }) => basename(path)));
}

const LAUNCHERS = {
  main: new URL('./launch/main.ts', import.meta.url),
  'make-code-cache': new URL('./launch/make-code-cache.ts', import.meta.url),
};

/** The program that starts a bundle, or makes its code cache. */
export async function bundleLauncher(name: keyof typeof LAUNCHERS): Promise<Buffer> {
  return (await bundleOne(name, { entryPoints: [fileURLToPath(LAUNCHERS[name])] })).code;
}

/** Bundles components; what several of them load lazily is bundled once. */
export class Bundler {
  readonly #lazy = new Map<string, Promise<Output>>();
  #launcher: Promise<Buffer> | undefined;

  /** @throws Error with esbuild's complaints, which name file and line */
  async bundle(component: Component): Promise<Bundle> {
    const main = await bundleOne(component.name, { entryPoints: [entryOf(component)], plugins: [mainWithoutAwait, lazyFiles] });
    const wanted = externalsOf(main.metafile);
    const outputs = new Map([[BUNDLE, main]]);
    for (const [name, { file }] of Object.entries(LAZY)) if (wanted.includes(file)) outputs.set(file, await this.#lazyFile(name));
    this.#launcher ??= bundleLauncher('main');
    return {
      files: new Map([['main.js', await this.#launcher], ...[...outputs].map(([file, { code }]): [string, Buffer] => [file, code])]),
      maps: new Map([...outputs].map(([file, { map }]) => [`${file}.map`, map])),
      legal: [...outputs.values()].map(({ legal }) => legal).join(''),
      sources: [...new Set([...outputs.values()].flatMap(({ metafile }) => sourcesOf(metafile)))].filter((path) => dirname(path) !== '.').sort(),
    };
  }

  #lazyFile(name: keyof typeof LAZY): Promise<Output> {
    const { file, names, user } = LAZY[name] as (typeof LAZY)[string];
    const known = this.#lazy.get(name);
    const output = known ?? bundleOne(file, { stdin: { contents: `export { ${names.join(', ')} } from '${name}';`, resolveDir: join(ROOT, user) } });
    this.#lazy.set(name, output);
    return output;
  }
}

/** One component on its own. @throws Error with esbuild's complaints, which name file and line */
export function bundleComponent(component: Component): Promise<Bundle> {
  return new Bundler().bundle(component);
}
