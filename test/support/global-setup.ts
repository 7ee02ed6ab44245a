/** One PostgreSQL for the whole test run, with a migrated database that the tests' own are copies of. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { lockFolder } from '../../src/platform/embedded-postgres/folder-lock.ts';
import { readPidFile } from '../../src/platform/embedded-postgres/pid-file.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { migrate } from '../../src/platform/migrate/migrate.ts';
import { scratchFolder, scratchParent } from './scratch-folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The owner's URL of the test run's PostgreSQL. */
    readonly databaseUrl: string;
  }
}

const PRISMA = fileURLToPath(new URL('../../prisma', import.meta.url));
const TEMPLATE = 'optio_template';
const PREFIX = 'optio-test-run-';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers(await scratchParent());
  const directory = await scratchFolder(PREFIX);
  const database = await startEmbeddedPostgres({
    directory,
    log: { info: () => undefined, warn: report, error: report },
    maxConnections: 300,
    durable: false,
  });
  const teardown = async () => {
    await database.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await makeTemplate(database.url);
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('databaseUrl', database.url);
  return teardown;
}

async function makeTemplate(ownerUrl: string): Promise<void> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE}`);
  await client.end();
  const url = new URL(ownerUrl);
  url.pathname = `/${TEMPLATE}`;
  await migrate({ url: url.href, directory: PRISMA, log: { info: () => undefined } });
}

/** Ends and removes what test runs that were killed left behind. */
async function removeLeftovers(parent: string): Promise<void> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(PREFIX));
  for (const directory of names.map((name) => join(parent, name))) {
    if (isAbandoned(directory)) {
      await endPostgres(directory);
      await rm(directory, { recursive: true, force: true });
    }
  }
}

/** A run that has only just begun has no lock yet: its folder is left alone. */
function isAbandoned(directory: string): boolean {
  try {
    if (!existsSync(join(directory, 'lock'))) {
      return false;
    }
    lockFolder(directory);
    return true;
  } catch {
    // Held by a run that lives, or removed meanwhile.
    return false;
  }
}

async function endPostgres(directory: string): Promise<void> {
  const recorded = await readPidFile(join(directory, 'data'));
  if (recorded?.isAlive === true) {
    process.kill(recorded.pid, 'SIGKILL');
  }
}

function report(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
}
