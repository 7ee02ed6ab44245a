/**
 * For `--import`, before a program: writes what the program has loaded (URLs, one a line) into the file that
 * `NOTE_MODULES` names, when it ends.
 */
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const path = process.env['NOTE_MODULES'] ?? '';
const urls: string[] = [];
registerHooks({
  load: (url, context, next) => {
    urls.push(url);
    return next(url, context);
  },
});
process.once('exit', () => writeFileSync(path, urls.join('\n')));
