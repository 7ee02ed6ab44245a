/** The token endpoint, client_credentials and refresh with rotation, beside oidc-provider with the same PostgreSQL. */
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { Client as Database } from 'pg';
import { z } from 'zod';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { cpuMsOf } from './support/cpu.ts';
import { formRate } from './support/form-loop.ts';
import { measureInTurn, middleOf, type Round } from './support/in-turn.ts';
import { beginChains, type ChainClient } from './support/oauth-chains.ts';
import { type Optio, startOptio } from './support/optio.ts';
import { type Peer, startPeer } from './support/peer-process.ts';
import { round } from './support/statistics.ts';

const REQUESTS = 1_000;
const CONNECTIONS = 16;
const ROUNDS = 5;
// A server runs for days: what it does has long been compiled.
const WARM_UPS = 3;
const GOAL = 3;
/** Every so many tokens one is verified as a resource server would. */
const SAMPLE = 100;

/** Nothing is ever too often. */
const ENVIRONMENT = {
  OAUTH_REQUESTS_PER_MINUTE: '10000000',
};

/** A token endpoint, whose client has as many families of refresh tokens as there are connections. */
type Server = {
  readonly origin: string;
  readonly path: string;
  readonly jwksPath: string;
  readonly client: Omit<ChainClient, 'chains'>;
  readonly chains: string[];
  readonly pid: number;
  /** How many rows it has stored: refresh tokens, and access tokens if it stores them. */
  readonly stored: () => Promise<{ readonly refresh: number; readonly access: number | null }>;
};

export async function run(report: (line: string) => void): Promise<Outcome> {
  const optio = await startOptio({ environment: ENVIRONMENT });
  const peerDatabase = await createPeerDatabase(optio);
  const peer = await startPeer('oidc-provider', {
    DATABASE_URL: peerDatabase.url,
    CLIENT_ID: 'bench-client',
    CLIENT_SECRET: 'BenchClientSecretOfFortyCharactersInAll0',
    CHAINS: String(CONNECTIONS),
  });
  try {
    const [ours, theirs] = [await ourServer(optio), await theirServer(peer, peerDatabase.client)];
    const measure = (rate: (server: Server) => Promise<number>) =>
      measureInTurn({
        product: () => rate(ours),
        peer: () => rate(theirs),
        rounds: ROUNDS,
        warmUps: WARM_UPS,
        report,
      });
    report('client_credentials');
    const machines = await measure(clientCredentials);
    report('refresh');
    const people = await measure(refresh);
    const cpu = { ours: await cpuOf(ours), theirs: await cpuOf(theirs) };
    return toOutcome(machines, people, cpu);
  } finally {
    await peer.stop();
    await peerDatabase.client.end();
    await optio.stop();
  }
}

/** Of its own, in the cluster of the product: the same PostgreSQL, the same disk. */
async function createPeerDatabase({ database, databaseUrl }: Optio) {
  await database.query('CREATE DATABASE peer');
  const url = new URL(databaseUrl);
  url.pathname = '/peer';
  const client = new Database({ connectionString: url.href });
  await client.connect();
  return { url: url.href, client };
}

async function ourServer(optio: Optio): Promise<Server> {
  const { chains, ...client } = await beginChains(optio, CONNECTIONS);
  return {
    origin: optio.url,
    path: '/api/oauth/token',
    jwksPath: '/api/oauth/jwks',
    client,
    chains: [...chains],
    pid: optio.serverPid,
    stored: async () => ({
      refresh: await count(optio.database, 'oauth_refresh_tokens'),
      access: await count(optio.database, 'oauth_access_tokens'),
    }),
  };
}

async function theirServer({ origin, pid }: Peer, database: Database): Promise<Server> {
  const response = await fetch(`${origin}/chains`);
  return {
    origin,
    path: '/token',
    jwksPath: '/jwks',
    client: { clientId: 'bench-client', secret: 'BenchClientSecretOfFortyCharactersInAll0' },
    chains: z.array(z.string()).parse(await response.json()),
    pid,
    stored: async () => ({
      refresh: await count(database, `payloads WHERE model = 'RefreshToken'`),
      access: null,
    }),
  };
}

async function count(database: Database, rows: string): Promise<number> {
  const answer = await database.query<{ count: number }>(`SELECT count(*)::int FROM ${rows}`);
  return answer.rows[0]?.count ?? 0;
}

function clientCredentials(server: Server): Promise<number> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'read write',
    ...credentials(server),
  });
  return measureWork(server, { refresh: 0, form: () => form.toString(), take: () => undefined });
}

function refresh(server: Server): Promise<number> {
  const { chains } = server;
  return measureWork(server, {
    refresh: 1,
    form: (connection) =>
      new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: chains[connection] ?? '',
        ...credentials(server),
      }).toString(),
    take: (answer, connection) => {
      if (answer.refresh_token === undefined || answer.refresh_token === chains[connection])
        throw new Error('A refresh token was not rotated.');
      chains[connection] = answer.refresh_token;
    },
  });
}

function credentials({ client }: Server) {
  return { client_id: client.clientId, client_secret: client.secret };
}

const ANSWER = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.literal(3_600),
  scope: z.literal('read write'),
  refresh_token: z.string().optional(),
});

type Work = {
  /** How many refresh tokens a request stores. */
  readonly refresh: number;
  readonly form: (connection: number) => string;
  readonly take: (answer: z.infer<typeof ANSWER>, connection: number) => void;
};

/** The rate; throws unless every answer was a token, each another one, and everything that had to be stored was. */
async function measureWork(server: Server, { refresh: each, form, take }: Work): Promise<number> {
  const before = await server.stored();
  const tokens: string[] = [];
  const rate = await formRate({
    ...server,
    connections: CONNECTIONS,
    requests: REQUESTS,
    form,
    take: (text, connection) => {
      const answer = ANSWER.parse(JSON.parse(text));
      tokens.push(answer.access_token);
      take(answer, connection);
    },
  });
  const after = await server.stored();
  verifyWork('the number of different tokens', new Set(tokens).size, REQUESTS);
  verifyWork('the number of refresh tokens stored', after.refresh - before.refresh, each * REQUESTS);
  if (after.access !== null)
    verifyWork('the number of access tokens stored', after.access - (before.access ?? 0), REQUESTS);
  await verifySample(server, tokens);
  return rate;
}

async function verifySample({ origin, jwksPath }: Server, tokens: readonly string[]): Promise<void> {
  const keys = createRemoteJWKSet(new URL(origin + jwksPath));
  for (const token of tokens.filter((_, index) => index % SAMPLE === 0)) {
    await jwtVerify(token, keys, { algorithms: ['ES256'], typ: 'at+jwt' });
  }
  verifyWork('the kind of a token', decodeProtectedHeader(tokens[0] ?? '').typ, 'at+jwt');
}

/** Processor time of a server for a request, in microseconds: client_credentials, then refresh. */
async function cpuOf(server: Server): Promise<readonly number[]> {
  const times: number[] = [];
  for (const work of [clientCredentials, refresh]) {
    const before = cpuMsOf(server.pid);
    await work(server);
    times.push(round(((cpuMsOf(server.pid) - before) * 1_000) / REQUESTS));
  }
  return times;
}

type Cpu = { readonly ours: readonly number[]; readonly theirs: readonly number[] };

function toOutcome(machines: readonly Round[], people: readonly Round[], { ours, theirs }: Cpu): Outcome {
  const [machine, person] = [middleOf(machines), middleOf(people)];
  return {
    what:
      `${REQUESTS} token requests over ${CONNECTIONS} connections, client_secret_post, ES256 access tokens (at+jwt); refresh with ` +
      `rotation, each connection in a family of its own. Both on the same PostgreSQL, clients and refresh tokens stored; the product stores ` +
      `its access tokens as well, oidc-provider does not. Every answer parsed, tokens and rows counted, one token in ${SAMPLE} verified by the ` +
      `published keys. In turn, ${ROUNDS} times; medians.`,
    table: {
      columns: ['', 'per second', 'oidc-provider', 'ratio', 'server CPU µs', 'oidc-provider CPU µs'],
      rows: [
        ['client_credentials', machine.product, machine.peer, machine.ratio, ours[0] ?? '', theirs[0] ?? ''],
        ['refresh', person.product, person.peer, person.ratio, ours[1] ?? '', theirs[1] ?? ''],
      ],
    },
    goals: [goal('client_credentials', machine.ratio), goal('refresh', person.ratio)],
    measurements: {
      requests: REQUESTS,
      connections: CONNECTIONS,
      clientCredentials: machines,
      refresh: people,
    },
  };
}

function goal(name: string, ratio: number) {
  return { goal: `${name} at ${GOAL} times oidc-provider: ${ratio}`, isMet: ratio >= GOAL };
}
