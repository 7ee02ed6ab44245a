/** An installation to be hurt: PostgreSQL, API processes, workers, each on its own way to the database. */
import { rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client as Database, type QueryResult } from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { postmasterPid } from '../platform/embedded-postgres/scratch.ts';
import { type Client, connectClient } from '../support/client.ts';
import { type CutOff, openCutOff } from '../support/cut-off.ts';
import { createDataDirectory, type Environment, type RunningServer, startServer } from '../support/server.ts';
import { type Standby, startStandby } from './standby.ts';

export type Role = 'api' | 'worker';

/** A place where a server runs; when that one dies, another is started there. */
export type Post = {
  readonly role: Role;
  readonly cutOff: CutOff;
  server: RunningServer;
  /** Starts a server here, in the place of one that has ended. */
  readonly restart: () => Promise<void>;
  /** Turns its wall clock away from the real time. */
  readonly turnClock: (offsetMs: number) => Promise<void>;
};

export type Installation = {
  readonly apis: readonly Post[];
  readonly workers: readonly Post[];
  readonly posts: readonly Post[];
  /** Speaks to the first API process, as it runs now. */
  readonly connect: () => Promise<Client>;
  /** The owner's URL of the PostgreSQL that is written to now. */
  readonly ownerUrl: () => string;
  readonly postmasterPid: () => Promise<number>;
  /** Runs a statement as the owner. */
  readonly query: (sql: string) => Promise<QueryResult<Record<string, unknown>>>;
  /** Makes another PostgreSQL that follows; answers a function that kills the first one and lets the other take its place. */
  readonly prepareFailover: () => Promise<() => Promise<void>>;
  readonly stop: () => Promise<void>;
};

// Retries within seconds, and a database that hangs is noticed soon.
const SETTINGS: Environment = {
  // The same for all: tokens of one process hold at the others.
  PUBLIC_URL: 'http://connect.example',
  WEBHOOK_RETRY_SECONDS: '1,1,1,1,1,1,1,1',
  WEBHOOK_TIMEOUT_MS: '2000',
  DATABASE_TIMEOUT_MS: '2000',
};
const TURNED_CLOCK = fileURLToPath(new URL('turned-clock.ts', import.meta.url));

export type Size = { readonly apis: number; readonly workers: number };

/** Starts all of it on empty folders. */
export async function startInstallation(size: Size): Promise<Installation> {
  const folder = await createDataDirectory();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const primary = await startEmbeddedPostgres({ directory: `${folder.path}/primary`, log });
  const database: { url: string; standby?: Standby } = { url: primary.url };
  const open = (role: Role, count: number): Promise<readonly Post[]> =>
    Promise.all(Array.from({ length: count }, () => openPost(role, primary.url, folder.path)));
  // The first one migrates, alone.
  const [first] = await open('api', 1);
  if (first === undefined) throw new Error('It was started.');
  const [others, workers] = await Promise.all([open('api', size.apis - 1), open('worker', size.workers)]);
  const apis = [first, ...others];
  const posts = [...apis, ...workers];
  return {
    apis,
    workers,
    posts,
    connect: () => connectClient(first.server),
    ownerUrl: () => database.url,
    postmasterPid: () =>
      postmasterPid(`${folder.path}/${database.standby === undefined ? 'primary' : 'standby'}`),
    query: (sql) => execute(database.url, sql),
    prepareFailover: async () => {
      const standby = await startStandby(primary.url, `${folder.path}/primary`, `${folder.path}/standby`);
      return async () => {
        await Promise.all(posts.map(({ cutOff }) => cutOff.cut()));
        process.kill(await postmasterPid(`${folder.path}/primary`), 'SIGKILL');
        await standby.promote();
        Object.assign(database, { url: standby.url, standby });
        for (const { cutOff } of posts) cutOff.moveTo(standby.url);
        await Promise.all(posts.map(({ cutOff }) => cutOff.restore()));
      };
    },
    stop: () => takeDown(posts, database.standby, primary, folder.path),
  };
}

async function takeDown(
  posts: readonly Post[],
  standby: Standby | undefined,
  primary: EmbeddedPostgres,
  folder: string,
): Promise<void> {
  const exits = await Promise.all(posts.map(({ server }) => server.stop()));
  await Promise.all(posts.map(({ cutOff }) => cutOff.cut().catch(() => undefined)));
  await standby?.stop();
  await primary.stop();
  await rm(folder, { recursive: true, force: true });
  if (exits.some(({ code }) => code !== 0)) {
    throw new Error(
      `Servers ended with ${JSON.stringify(exits)}:\n${posts.map(({ server }) => server.output()).join('\n')}`,
    );
  }
}

async function openPost(role: Role, databaseUrl: string, folder: string): Promise<Post> {
  const cutOff = await openCutOff(databaseUrl);
  const clockFile = `${folder}/clock-${new URL(cutOff.url).port}`;
  const start = () =>
    startServer({
      ...SETTINGS,
      ROLE: role,
      DATABASE_URL: cutOff.url,
      CLOCK_FILE: clockFile,
      NODE_OPTIONS: `--import=${TURNED_CLOCK}`,
    });
  const post: Post = {
    role,
    cutOff,
    server: await start(),
    restart: async () => {
      post.server = await start();
    },
    turnClock: async (offsetMs) => {
      await writeFile(clockFile, String(offsetMs));
      process.kill(post.server.pid, 'SIGUSR2');
    },
  };
  return post;
}

async function execute(url: string, sql: string): Promise<QueryResult<Record<string, unknown>>> {
  const database = new Database({ connectionString: url });
  database.on('error', () => undefined);
  await database.connect();
  try {
    return await database.query<Record<string, unknown>>(sql);
  } finally {
    await database.end().catch(() => undefined);
  }
}
