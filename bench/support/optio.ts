/** The product as operators run it: one server process, or two, and an embedded PostgreSQL that is durable, on a disk. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as Database } from 'pg';
import { z } from 'zod';
import { type LoginUrls, provisionLogins } from '../../src/platform/database-roles.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { type Client, connectClient } from '../../test/support/client.ts';
import { MASTER_KEY, type RunningServer, startServer } from '../../test/support/server.ts';

export type Optio = {
  /** What answers requests. */
  readonly serverPid: number;
  /** What sends deliveries; the same process, unless they are two. */
  readonly workerPid: number;
  readonly postgresPid: number;
  readonly url: string;
  readonly databaseUrl: string;
  readonly client: Client;
  /** The owner's connection. */
  readonly database: Database;
  readonly stop: () => Promise<void>;
};

export type OptioOptions = {
  /** Whether PostgreSQL notes when each transaction committed. */
  readonly notesCommits?: boolean;
  /** Whether the worker is a process of its own. */
  readonly worker?: boolean;
  /** Further settings of the server. */
  readonly environment?: Readonly<Record<string, string>>;
};

/** As operators run it; the receivers of the benchmarks have no certificates. */
const PRODUCTION = { NODE_ENV: 'production', PUBLIC_URL: 'https://optio.example', WEBHOOK_ALLOW_HTTP: '1' };

/** Starts both on empty folders. */
export async function startOptio({
  notesCommits = false,
  worker = false,
  environment = {},
}: OptioOptions = {}): Promise<Optio> {
  const directory = await mkdtemp(join(tmpdir(), 'optio-bench-'));
  // For root, PostgreSQL runs as another user, who has to get through.
  await chmod(directory, 0o711);
  const postgres = await startPostgres(join(directory, 'postgres'), notesCommits);
  const settings = { ...PRODUCTION, DATABASE_URL: postgres.url, ...environment };
  const server = await startServer(worker ? { ...settings, ROLE: 'api' } : settings);
  const sender = worker ? await startServer({ ...settings, ROLE: 'worker' }) : server;
  const database = new Database({ connectionString: postgres.url });
  await database.connect();
  return {
    serverPid: server.pid,
    workerPid: sender.pid,
    postgresPid: Number.parseInt(await readFile(join(directory, 'postgres/data/postmaster.pid'), 'utf8'), 10),
    url: server.url,
    databaseUrl: postgres.url,
    client: await connectClient(server),
    database,
    stop: async () => {
      await database.end();
      const faults = await Promise.all([...new Set([server, sender])].map(stopServer));
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
      if (faults.some((fault) => fault !== '')) throw new Error(faults.join('\n'));
    },
  };
}

/** Answers what was wrong with its end; nothing, if it ended in good order. */
async function stopServer(server: RunningServer): Promise<string> {
  const { code } = await server.stop();
  return code === 0 ? '' : `The server ended with ${code}:\n${server.output()}`;
}

/** The logins of the server's own pools. */
export function loginsOf({ databaseUrl }: Optio): Promise<LoginUrls> {
  return provisionLogins({ ownerUrl: databaseUrl, key: Buffer.from(MASTER_KEY, 'base64') });
}

/** The organization of the client that the benchmarks use. */
export async function organizationOf({ client }: Optio): Promise<string> {
  const { body } = await client.get('/api/me');
  return z.object({ organization_id: z.string() }).parse(body).organization_id;
}

async function startPostgres(directory: string, notesCommits: boolean): Promise<EmbeddedPostgres> {
  const options = { directory, log: { info: () => undefined, warn: report, error: report } };
  const postgres = await startEmbeddedPostgres(options);
  if (!notesCommits) return postgres;
  const database = new Database({ connectionString: postgres.url });
  await database.connect();
  await database.query('ALTER SYSTEM SET track_commit_timestamp = on');
  await database.end();
  await postgres.stop();
  return startEmbeddedPostgres(options);
}

function report(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
}
