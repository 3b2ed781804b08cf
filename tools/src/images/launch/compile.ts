// How bundle.js is compiled: the same text for the process that makes the code cache and for those that use it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script, constants } from 'node:vm';

export const BUNDLE = 'bundle.js';
export const CODE_CACHE = 'bundle.cache';

/**
 * The bundle of a folder, as the body of a CommonJS module. V8 takes the code cache when it was made by the same V8
 * with the same flags and from a source of the same length, and compiles as usual otherwise.
 * @param home the folder that stack traces name, and that ends up in a code cache
 */
export function compileBundle(folder: string, cachedData: Buffer | undefined, home: string = folder): Script {
  // esbuild writes ASCII, which as latin1 is neither checked nor copied to two bytes a character.
  const body = readFileSync(join(folder, BUNDLE), 'latin1');
  return new Script(`(function (exports, require, module, __filename, __dirname) {${body}\n})`, {
    filename: join(home, BUNDLE),
    ...(cachedData === undefined ? {} : { cachedData }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

/** Runs a compiled bundle as the module that `module` and `require` belong to. */
export function runBundle(script: Script, folder: string, own: NodeJS.Module, require: NodeJS.Require): void {
  const body = script.runInThisContext() as (...args: readonly unknown[]) => void;
  body(own.exports, require, own, join(folder, BUNDLE), folder);
}
