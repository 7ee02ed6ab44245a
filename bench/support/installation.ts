/** Installs the packages that the benchmarks compare with, where they are missing or older than the lock file. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('..', import.meta.url));

/** Runs `npm ci` in bench/ if it has to; throws when that fails. */
export function ensureInstalled(): void {
  const [installed, lock] = [`${BENCH}node_modules/.package-lock.json`, `${BENCH}package-lock.json`];
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  process.stdout.write('Installing what the benchmarks compare with (npm ci in bench/) …\n');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: BENCH,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('npm ci in bench/ failed.');
}
