/** A GraphQL server on a real socket over a real database; tokens and the live stream's source are stand-ins. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { getRequestListener } from '@hono/node-server';
import { print } from 'graphql';
import { Client, type QueryResult } from 'pg';
import { vi } from 'vitest';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { createGraphQLServer, type GraphQLServerOptions } from '../../src/graphql/server.ts';
import type { WebSockets } from '../../src/graphql/websocket.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { AppError } from '../../src/lib/errors.ts';
import { newId } from '../../src/lib/ids.ts';
import { createClientReviews } from '../../src/oauth/client-review.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTenancy, type Tenancy } from '../../src/platform/database/tenancy.ts';
import { createTestDatabase, query, TEST_KEY, type TestDatabase } from '../support/database.ts';
import { ADMIN_ID, NORTH, NOW, SOUTH, VIEWERS } from './viewers.ts';

export type TestServer = {
  readonly url: string;
  readonly webSocketUrl: string;
  readonly clock: TurnableClock;
  readonly sql: (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  /** What was logged as unexpected. */
  readonly logged: { readonly error: unknown; readonly requestId: string }[];
  /** The organizations whose lanes were woken. */
  readonly woken: string[];
  readonly tenancy: Tenancy;
  readonly sockets: WebSockets;
  readonly close: () => Promise<void>;
};

/** What the HTTP requests of the tests are called in the log. */
export const REQUEST_ID = 'request-of-the-test';
/** Where they come from. */
export const ADDRESS = '192.0.2.7';

const NO_UPDATES = (): never => {
  throw new Error('This test has no live stream.');
};

const refuse = () => Promise.reject(new Error('This test has no sessions.'));
const NO_APPS: GraphQLServerOptions['connectedApps'] = { list: refuse, revoke: refuse };
const NO_SESSIONS: GraphQLServerOptions['ownSessions'] = {
  list: refuse,
  memberships: refuse,
  end: refuse,
  endOthers: refuse,
};

/**
 * Starts it with the organizations North and South; `change` replaces what it is made of. A database that is given
 * stays; otherwise it has one of its own.
 */
export async function startServer(
  change: (options: GraphQLServerOptions) => Partial<GraphQLServerOptions> = () => ({}),
  given?: TestDatabase,
): Promise<TestServer> {
  const database = given ?? (await createTestDatabase());
  const sql: TestServer['sql'] = (text, values) => query(database.ownerUrl, text, values);
  await seed(sql);
  const tenancy = createTenancy({ url: database.urls.tenantUrl, maxConnections: 4, onIdleError: () => {} });
  const clock = turnableClock(NOW);
  const authPool = createPool({ url: database.urls.authUrl, maxConnections: 2, onIdleError: () => {} });
  const logged: TestServer['logged'] = [];
  const woken: string[] = [];
  const options: GraphQLServerOptions = {
    tenancy,
    webhooks: {
      clock,
      keys: [TEST_KEY],
      targetPolicy: { allowHttp: false, allow: [] },
      wakeLanes: (organizationId) => void woken.push(organizationId),
    },
    people: { clock, keys: [TEST_KEY], mail: { canSend: true, hurry: () => undefined } },
    subscribeToUpdates: NO_UPDATES,
    followReplay: NO_UPDATES,
    ownSessions: NO_SESSIONS,
    connectedApps: NO_APPS,
    resetSecondFactor: refuse,
    clientReviews: createClientReviews({ pool: authPool, clock }),
    retentionLimits: { days: 90 },
    authenticate,
    challenge: ({ code }) => (code === 'UNAUTHENTICATED' ? 'Bearer realm="test"' : undefined),
    logError: (details) => void logged.push(details),
    publicUrl: 'https://optio.example',
    corsOrigins: ['https://admin.example'],
    onUnusedQuery: 'error',
  };
  const graphql = createGraphQLServer({ ...options, ...change(options) });
  const listener = getRequestListener((request) => graphql.fetch(request, REQUEST_ID, ADDRESS));
  const http = createServer((request, response) => void listener(request, response));
  const sockets = graphql.attachWebSocket(http);
  const port = await listen(http);
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    webSocketUrl: `ws://127.0.0.1:${port}/graphql`,
    clock,
    sql,
    logged,
    woken,
    tenancy,
    sockets,
    close: async () => {
      await sockets.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await Promise.all([tenancy.close(), authPool.end()]);
      if (given === undefined) await database.drop();
    },
  };
}

async function authenticate(headers: Headers): Promise<Viewer | null> {
  const authorization = headers.get('authorization');
  if (authorization === null) return null;
  const viewer = VIEWERS[authorization.replace(/^Bearer /, '')];
  if (viewer === undefined) throw new AppError('UNAUTHENTICATED', 'The access token is not valid.');
  return viewer;
}

async function seed(sql: TestServer['sql']): Promise<void> {
  await sql(
    `INSERT INTO organizations (id, slug, name) VALUES ($1, 'north', 'North'), ($2, 'south', 'South')`,
    [NORTH, SOUTH],
  );
  await sql(`INSERT INTO users (id, email, name) VALUES ($1, 'lin@north.example', 'Lin')`, [ADMIN_ID]);
  await sql(`INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'ADMIN')`, [
    NORTH,
    ADMIN_ID,
  ]);
}

async function listen(http: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  return (http.address() as AddressInfo).port; // Of a TCP server, as this one is.
}

export type Answer<R> = {
  readonly status: number;
  readonly headers: Headers;
  readonly data: R | null | undefined;
  readonly errors: readonly AnsweredError[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
};

export type AnsweredError = {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
};

/** Executes a document as the holder of the token; undefined: without credentials. */
export function execute<R, V>(
  server: Pick<TestServer, 'url'>,
  token: string | undefined,
  document: TypedDocumentNode<R, V>,
  variables?: V,
): Promise<Answer<R>> {
  return post(server, token, { query: print(document), variables });
}

/** Executes and answers the data; fails when there were errors. */
export async function read<R, V>(
  server: Pick<TestServer, 'url'>,
  token: string,
  document: TypedDocumentNode<R, V>,
  variables?: V,
): Promise<R> {
  const { data, errors } = await execute(server, token, document, variables);
  if (errors !== undefined || data === null || data === undefined) {
    throw new Error(`An operation failed: ${JSON.stringify(errors)}`);
  }
  return data;
}

/** The type of what was answered, where it was asked for. */
export function kindOf(answered: object | null | undefined): unknown {
  return Reflect.get(answered ?? {}, '__typename');
}

/** Posts any operation as JSON. */
export async function post<R = Record<string, unknown>>(
  { url }: Pick<TestServer, 'url'>,
  token: string | undefined,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer<R>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  // What a server of GraphQL answers; the tests look at what is in it.
  const answer = (await response.json()) as Pick<Answer<R>, 'data' | 'errors' | 'extensions'>;
  const { data, errors, extensions } = answer;
  return { status: response.status, headers: response.headers, data, errors, extensions };
}

export type Statements = { readonly count: number; readonly rows: number };

/** The statements (those that begin and end transactions left out) and rows that `act` costs. */
export async function countStatements(act: () => Promise<unknown>): Promise<Statements> {
  const spy = vi.spyOn(Client.prototype, 'query');
  try {
    await act();
    const results = await Promise.all(
      spy.mock.calls.map(async ([statement], index) => {
        const { text } = statement as unknown as { text?: string }; // The adapter gives objects, the pool texts.
        const result: unknown = await spy.mock.results[index]?.value;
        return text !== undefined && /^\s*(SELECT|WITH)/i.test(text) ? (result as QueryResult) : undefined; // A select's.
      }),
    );
    const selects = results.filter((result) => result !== undefined);
    return { count: selects.length, rows: selects.reduce((sum, { rows }) => sum + rows.length, 0) };
  } finally {
    spy.mockRestore();
  }
}

export type Seeded = {
  readonly subscriptionId: string;
  readonly eventId: string;
  readonly deliveryId: string;
};

/** A delivery, with its own subscription and event, and so many attempts. */
export async function seedDelivery(
  { sql }: Pick<TestServer, 'sql'>,
  organizationId: string,
  attempts = 0,
): Promise<Seeded> {
  const [subscriptionId, eventId, deliveryId] = [newId(), newId(), newId()];
  const key = [organizationId];
  await sql(
    `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
     VALUES ($1, $2, 'https://lms.example/hooks', '{*}')`,
    [...key, subscriptionId],
  );
  await sql(
    `INSERT INTO events (organization_id, id, type, occurred_at, body) VALUES ($1, $2, 'badge.earned', now(), $3)`,
    [...key, eventId, JSON.stringify({ event: 'badge.earned', data: { user_id: 'ada' } })],
  );
  await sql(
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at, attempt_count)
     VALUES ($1, $2, $3, $4, 'badge.earned', 'PENDING', now(), $5)`,
    [...key, deliveryId, subscriptionId, eventId, attempts],
  );
  await sql(
    `INSERT INTO delivery_attempts
       (organization_id, delivery_id, number, started_at, total_ms, request_headers, response_code, error_kind, error, response_headers, response_body)
     SELECT $1, $2, n, now(), 12.5, '[["x-optio-event","badge.earned"]]', 500, 'http_status', 'No.', '[["server","lms"]]', 'oops'
     FROM generate_series(1, $3::int) AS n`,
    [...key, deliveryId, attempts],
  );
  return { subscriptionId, eventId, deliveryId };
}
