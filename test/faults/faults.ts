/** What is done to an installation under load. Each fault says whether something may be sent twice because of it. */
import { COMMIT, COMMITTED, SETTLE, type Sign } from '../support/cut-off.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import type { Installation, Post } from './installation.ts';
import type { Random } from './random.ts';
import { until } from './until.ts';

export type Fault = {
  /** A crash explains what is sent twice; nothing else does. */
  readonly isCrash: boolean;
  /** Done before it begins. */
  readonly prepare?: (installation: Installation) => Promise<() => Promise<void>>;
  /** Hurts the installation, and mends what does not mend itself. */
  readonly act: (installation: Installation, random: Random) => Promise<void>;
};

// Longer than the 10 s of a lane's heartbeat.
const PAST_THE_LEASE_MS = 12_000;
const HOUR_MS = 3_600_000;

export const FAULTS = {
  'worker killed': { isCrash: true, act: ({ workers }, random) => kill(random.pick(workers)) },
  'worker killed after the claim': killAt({ from: 'database', text: '"timestamp":"' }),
  'worker killed before settling': killAt(SETTLE),
  'worker killed while settling': killAt(SETTLE, COMMIT),
  'worker killed after settling': killAt(SETTLE, COMMITTED),
  'worker frozen past its lease': {
    isCrash: true,
    act: ({ workers }, random) => freeze(random.pick(workers), PAST_THE_LEASE_MS),
  },
  'worker frozen for a moment': {
    isCrash: false,
    act: ({ workers }, random) => freeze(random.pick(workers), random.between(500, 4_000)),
  },
  'worker stopped by SIGTERM': { isCrash: false, act: ({ workers }, random) => stop(random.pick(workers)) },
  'both workers stopped by SIGTERM': {
    isCrash: false,
    act: async ({ workers }) => void (await Promise.all(workers.map(stop))),
  },
  'API process killed': { isCrash: false, act: ({ apis }, random) => kill(random.pick(apis)) },
  'API process stopped by SIGTERM': { isCrash: false, act: ({ apis }, random) => stop(random.pick(apis)) },
  'everything killed': {
    isCrash: true,
    act: async ({ posts }) => void (await Promise.all(posts.map(kill))),
  },
  'Postgres killed': { isCrash: true, act: (installation) => endPostgres(installation, 'SIGKILL') },
  'Postgres restarted': { isCrash: false, act: (installation) => endPostgres(installation, 'SIGINT') },
  'a backend of Postgres killed': { isCrash: true, act: killBackend },
  'connections terminated': { isCrash: false, act: terminateConnections },
  'network cut': {
    isCrash: false,
    act: ({ posts }, random) => cut(posts, random.between(100, 3_000)),
  },
  'network of a worker cut': {
    isCrash: false,
    act: ({ workers }, random) => cut([random.pick(workers)], random.between(100, 3_000)),
  },
  'network drops packets': {
    isCrash: false,
    act: ({ posts }, random) => dropPackets(posts, random.between(100, 3_000)),
  },
  failover: { isCrash: true, prepare: (installation) => installation.prepareFailover(), act: async () => {} },
  'clock of a worker turned': {
    isCrash: false,
    act: async ({ workers }, random) => {
      const worker = random.pick(workers);
      await worker.turnClock(random.pick([-1, 1]) * random.between(1, 24) * HOUR_MS);
      await pause(2_000);
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

/** Whether there is a fault of that name. */
export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

/** Kills a worker when it is at a point; should it have nothing to do just then, after a while anyway. */
function killAt(...point: readonly Sign[]): Fault {
  return {
    isCrash: true,
    act: async ({ workers }, random) => {
      const worker = random.pick(workers);
      await Promise.race([worker.cutOff.stopAt(...point), pause(3_000)]);
      await kill(worker);
    },
  };
}

async function kill(post: Post): Promise<void> {
  await post.server.kill('SIGKILL');
  await post.restart();
}

async function stop(post: Post): Promise<void> {
  const { code } = await post.server.stop();
  if (code !== 0) throw new Error(`A server ended with ${code}:\n${post.server.output()}`);
  await post.restart();
}

async function freeze({ server }: Post, forMs: number): Promise<void> {
  process.kill(-server.pid, 'SIGSTOP');
  await pause(forMs);
  process.kill(-server.pid, 'SIGCONT');
}

/** It is started again by whoever looks after it. */
async function endPostgres(installation: Installation, signal: NodeJS.Signals): Promise<void> {
  process.kill(await installation.postmasterPid(), signal);
  await runsAgain(installation);
}

/** PostgreSQL ends all its processes then, for the shared memory may be broken, and recovers. */
async function killBackend(installation: Installation): Promise<void> {
  const { rows } = await installation.query(
    "SELECT pid FROM pg_stat_activity WHERE usename LIKE '%worker_login' ORDER BY random() LIMIT 1",
  );
  const pid = Number(rows[0]?.['pid']);
  if (pid > 0) process.kill(pid, 'SIGKILL');
  await runsAgain(installation);
}

async function runsAgain({ query }: Installation): Promise<void> {
  await pause(100);
  await until(
    'a PostgreSQL that runs again',
    async () => (await query('SELECT 1')).rowCount === 1,
    PATIENCE_MS,
  );
}

async function terminateConnections({ query }: Installation, random: Random): Promise<void> {
  for (let count = random.between(1, 5); count > 0; count -= 1) {
    await query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%_login'");
    await pause(200);
  }
}

async function cut(posts: readonly Post[], forMs: number): Promise<void> {
  await Promise.all(posts.map(({ cutOff }) => cutOff.cut()));
  await pause(forMs);
  await Promise.all(posts.map(({ cutOff }) => cutOff.restore()));
}

async function dropPackets(posts: readonly Post[], forMs: number): Promise<void> {
  for (const { cutOff } of posts) cutOff.freeze();
  await pause(forMs);
  for (const { cutOff } of posts) cutOff.thaw();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
