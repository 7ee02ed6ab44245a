/** What a schema.prisma says more than the migrations do: the SQL of the next migration. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../lib/errors.ts';
import { readMigrations, toMigrationList } from './migration-files.ts';
import { engineMessage, FILTERS, withSchemaEngine } from './schema-engine.ts';

export type DifferenceOptions = {
  /** On it a database is made to replay the migrations in, and dropped again: of a user who may do that. */
  readonly url: string;
  /** Holds `schema.prisma` and `migrations/`. */
  readonly directory: string;
  /** Tables that only the migrations know, as `public.installation`; without this the difference would drop them. */
  readonly externalTables?: readonly string[];
};

/**
 * The SQL that leads from the migrations to the schema; undefined when they agree. What Prisma does not know
 * (policies, roles, functions, partitions) it does not compare.
 * Throws `UNAVAILABLE` when the migrations do not run or the schema is not valid.
 */
export async function schemaDifference(options: DifferenceOptions): Promise<string | undefined> {
  const { url, directory, externalTables = [] } = options;
  const content = await readFile(join(directory, 'schema.prisma'), 'utf8');
  const migrations = await readMigrations(directory);
  const result = await withSchemaEngine({ url, schema: content }, (engine) =>
    engine.diff({
      from: { tag: 'migrations', ...toMigrationList(migrations) },
      to: { tag: 'schemaDatamodel', files: [{ path: join(directory, 'schema.prisma'), content }] },
      script: true,
      // Then 2 stands for a difference, where the text alone has a comment to say that there is none.
      exitCode: true,
      filters: { ...FILTERS, externalTables: [...externalTables] },
    }),
  ).catch((cause: unknown) => {
    throw new AppError(
      'UNAVAILABLE',
      `The schema and the migrations cannot be compared: ${engineMessage(cause)}`,
      {
        cause,
      },
    );
  });
  return result.exitCode === 2 ? (result.stdout ?? undefined) : undefined;
}
