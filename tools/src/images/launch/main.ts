// /app/main.js of every image: runs /app/bundle.js with the code that V8 compiled when the image was built, which
// saves a third of the start-up. Node's own NODE_COMPILE_CACHE would do half of that, and only for one user id, as the
// name of its folder holds it. Bundled as CommonJS, so `require`, `module` and `__dirname` are there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CODE_CACHE, compileBundle, runBundle } from './compile.ts';

function codeCache(): Buffer | undefined {
  try {
    return readFileSync(join(__dirname, CODE_CACHE));
  } catch {
    return undefined; // an image built on a machine of another kind has none
  }
}

runBundle(compileBundle(__dirname, codeCache()), __dirname, module, require);
