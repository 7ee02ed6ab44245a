/**
 * What changed in schema.graphql since a commit: `node scripts/schema-changes.ts [commit]`. Without one, since the
 * last tag or, where there is none, since main. Ends with 1 if something changed that breaks clients.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printSchemaChanges } from '../src/graphql/schema-changes.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const commit = positionals[0] ?? lastTag() ?? 'main';
const before = git(['show', `${commit}:schema.graphql`]);
const now = readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8');
const { lines, isBreaking } = printSchemaChanges(before, now);
process.stdout.write(
  `Since ${commit}:${lines.length === 0 ? ' no changes.' : ['', ...lines].join('\n  ')}\n`,
);
process.exitCode = isBreaking ? 1 : 0;

function lastTag(): string | undefined {
  const tags = git(['tag', '--sort=-creatordate', '--merged']).split('\n');
  return tags.find((tag) => tag !== '');
}

function git(args: readonly string[]): string {
  return execFileSync('git', [...args], { encoding: 'utf8' });
}
