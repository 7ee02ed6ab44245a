// Installs what is missing before a start or a test, and generates what the code imports. Runs on the machine's own
// Node, before there is another; so it is plain JavaScript and uses nothing but Node.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const root = join(
  import.meta.dirname ?? new URL('..', import.meta.url).pathname,
  import.meta.dirname ? '..' : '',
);
const bin = join(root, 'node_modules', '.bin');

if (isOlder('node_modules/.package-lock.json', 'package-lock.json')) {
  console.log('Installing the packages (npm ci) …');
  run(process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'], [
    'ci',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
}
if (isOlder('src/generated/prisma/client.ts', 'prisma/schema.prisma')) {
  console.log('Generating the database client …');
  run([join(bin, 'prisma')], ['generate']);
}

/** Whether a file is missing, or older than the one it is made of. */
function isOlder(made, source) {
  const [madePath, sourcePath] = [join(root, made), join(root, source)];
  return !existsSync(madePath) || statSync(madePath).mtimeMs < statSync(sourcePath).mtimeMs;
}

function run([command, ...first], args) {
  const { status, stdout, stderr, error } = spawnSync(command, [...first, ...args], {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      // Only its presence is asked for: generating needs no schema engine, and nothing is downloaded.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    },
  });
  if (status === 0) return;
  console.error(
    `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}\nThis failed: ${[command, ...first, ...args].join(' ')}`,
  );
  process.exit(1);
}
