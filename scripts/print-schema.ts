/** Prints the GraphQL schema into schema.graphql; with --check, only says whether that file is up to date. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { printSortedSchema } from '../src/graphql/print.ts';

const FILE = fileURLToPath(new URL('../schema.graphql', import.meta.url));

const printed = printSortedSchema();
if (!process.argv.includes('--check')) {
  await writeFile(FILE, printed);
} else if ((await readFile(FILE, 'utf8').catch(() => '')) !== printed) {
  console.error('schema.graphql is not what the code says. Run: node scripts/print-schema.ts');
  process.exitCode = 1;
}
