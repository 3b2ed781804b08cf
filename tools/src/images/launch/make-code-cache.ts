// Runs bundle.js of a folder and, when that exits, writes what V8 compiled of it beside it. The build runs this under
// the image's own node: make-code-cache.js FOLDER ARGUMENTS-OF-THE-BUNDLE...
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CODE_CACHE, compileBundle, runBundle } from './compile.ts';

const [folder = ''] = process.argv.splice(2, 1);
const script = compileBundle(folder, undefined, '/app');
process.on('exit', () => writeFileSync(join(folder, CODE_CACHE), script.createCachedData()));
runBundle(script, folder, module, require);
