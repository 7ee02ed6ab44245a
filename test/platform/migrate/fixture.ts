/** Folders of migrations for tests. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scratchFolder } from '../../support/scratch-folder.ts';

export type MigrationsFixture = {
  readonly directory: string;
  readonly write: (name: string, script: string) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
  readonly clear: () => Promise<void>;
};

export async function migrationsFixture(
  scripts: Readonly<Record<string, string>>,
): Promise<MigrationsFixture> {
  const directory = await scratchFolder('optio-migrations-');
  const folderOf = (name: string) => join(directory, 'migrations', name);
  const write = async (name: string, script: string) => {
    await mkdir(folderOf(name), { recursive: true });
    await writeFile(join(folderOf(name), 'migration.sql'), script);
  };
  await Promise.all(Object.entries(scripts).map(([name, script]) => write(name, script)));
  return {
    directory,
    write,
    remove: (name) => rm(folderOf(name), { recursive: true }),
    clear: () => rm(directory, { recursive: true }),
  };
}
