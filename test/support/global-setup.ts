/** One PostgreSQL for the whole test run, with a migrated database that the tests' own are copies of. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { migrate } from '../../src/platform/migrate/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The owner's URL of the test run's PostgreSQL. */
    readonly databaseUrl: string;
  }
}

const PRISMA = fileURLToPath(new URL('../../prisma', import.meta.url));
const TEMPLATE = 'optio_template';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'optio-test-'));
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

function report(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
}
