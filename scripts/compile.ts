/**
 * Has Node compile what the server is made of, into the folder that NODE_COMPILE_CACHE names. For an image, whose server
 * writes nothing: it starts sooner, and needs neither time nor memory (25 MB) to strip types.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { join } from 'node:path';

const SRC = join(import.meta.dirname, '../src');
/** Programs: imported, they run. */
const PROGRAMS = ['main.ts', 'operator.ts', 'keys.ts'];

if (getCompileCacheDir() === undefined)
  throw new Error('NODE_COMPILE_CACHE has to name a folder to write to.');
const modules = globSync('**/*.ts', { cwd: SRC }).filter((path) => !PROGRAMS.includes(path));
await Promise.all(modules.map((path) => import(join(SRC, path))));
flushCompileCache();
// It ends at once, for such a port is none, and leaves what main.ts itself was compiled to.
spawnSync(process.execPath, [join(SRC, 'main.ts')], { env: { ...process.env, PORT: 'none' } });
