/** A server with the REST door on a real socket, over a real database; only the bearer check is a stand-in. */
import type { AddressInfo } from 'node:net';
import { type HttpBindings, type ServerType, serve } from '@hono/node-server';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { turnableClock } from '../../src/lib/clock.ts';
import type { MasterKeys } from '../../src/lib/crypto.ts';
import { AppError } from '../../src/lib/errors.ts';
import { newId } from '../../src/lib/ids.ts';
import { createTenancy } from '../../src/platform/database/tenancy.ts';
import type { ConnectionBindings } from '../../src/platform/http/env.ts';
import { createHttpShell } from '../../src/platform/http/shell.ts';
import { createLog } from '../../src/platform/log.ts';
import type { RestDependencies } from '../../src/rest/env.ts';
import { createRestRoutes } from '../../src/rest/routes.ts';
import { createTestDatabase, query } from '../support/database.ts';

export const NORTH = '019a0000-0000-7000-8000-00000000000a';
export const SOUTH = '019a0000-0000-7000-8000-00000000000b';

export const PUBLIC_URL = 'https://connect.optio.example';
export const KEYS: MasterKeys = [Buffer.alloc(32, 7)];

const ALL_SCOPES = ['write:webhooks', 'read:events', 'write:events'];
const EXPIRES_AT = new Date('2026-11-23T10:30:00Z');

/** The tokens that the tests know, and whom they stand for. */
export const VIEWERS: Readonly<Record<string, Viewer>> = {
  north: client(NORTH, ALL_SCOPES),
  south: client(SOUTH, ALL_SCOPES),
  'north-reader': client(NORTH, ['read:webhooks']),
  'north-emitter': client(NORTH, ['write:events']),
  'north-learner': client(NORTH, ['read', 'write']),
  'north-student': { ...client(NORTH, ALL_SCOPES), role: 'STUDENT', userId: newId() },
  'north-admin': person(NORTH, 'ADMIN'),
  'south-admin': person(SOUTH, 'ADMIN'),
  'north-educator': person(NORTH, 'EDUCATOR'),
  'north-session': { ...client(NORTH, []), role: 'ADMIN', userId: newId(), clientId: null, scopes: null },
};

export type TestServer = {
  readonly origin: string;
  /** What was logged so far, line by line. */
  readonly logLines: readonly string[];
  /** The lanes that were woken, as `organization/subscription`. */
  readonly woken: string[];
  readonly sql: (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
};

/** Starts it, with two organizations. */
export async function startServer(overrides: Partial<RestDependencies> = {}): Promise<TestServer> {
  const database = await createTestDatabase();
  const sql: TestServer['sql'] = (text, values) => query(database.ownerUrl, text, values);
  await sql(
    `INSERT INTO organizations (id, slug, name) VALUES ($1, 'north', 'North'), ($2, 'south', 'South')`,
    [NORTH, SOUTH],
  );
  const tenancy = createTenancy({
    url: database.urls.tenantUrl,
    maxConnections: 8,
    onIdleError: () => undefined,
  });
  const logLines: string[] = [];
  const log = createLog({
    level: 'debug',
    pretty: false,
    destination: { write: (line) => void logLines.push(line) },
  });
  const woken: string[] = [];
  const clock = turnableClock(new Date('2026-11-23T09:30:00Z'));
  const app = createHttpShell({ log, clock, https: true });
  const routes = createRestRoutes({
    tenancy,
    authenticate,
    authenticateSession,
    publicUrl: PUBLIC_URL,
    challenge,
    clock,
    keys: KEYS,
    targetPolicy: { allowHttp: false, allow: [] },
    wakeLanes: (organizationId, ids) => woken.push(...ids.map((id) => `${organizationId}/${id}`)),
    ...overrides,
  });
  app.route('/', routes);
  const { server, origin } = await listen(app.fetch);
  const close = async () => {
    await new Promise((resolve) => server.close(resolve));
    await tenancy.close();
    await database.drop();
  };
  return { origin, logLines, woken, sql, close };
}

/** Serves on a free port of the loopback interface. */
export async function listen(
  fetch: (request: Request, env: ConnectionBindings) => Response | Promise<Response>,
): Promise<{ readonly server: ServerType; readonly origin: string }> {
  return new Promise((resolve) => {
    const withPeer = (request: Request, { incoming }: HttpBindings) =>
      fetch(request, { peerAddress: incoming.socket.remoteAddress });
    const server = serve(
      // The server is one of HTTP/1, whose requests these are.
      { fetch: (request, env) => withPeer(request, env as HttpBindings), port: 0, hostname: '127.0.0.1' },
      ({ port }: AddressInfo) => resolve({ server, origin: `http://127.0.0.1:${port}` }),
    );
  });
}

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: unknown };

export type Call = {
  readonly token?: string;
  readonly body?: unknown;
  readonly rawBody?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Calls the server: `call(server, 'GET /api/me', { token: 'north' })`. */
export async function call({ origin }: TestServer, what: string, options: Call = {}): Promise<Answer> {
  const [method = 'GET', path = '/'] = what.split(' ');
  const { token, body, rawBody = body === undefined ? undefined : JSON.stringify(body) } = options;
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(rawBody === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...options.headers,
    },
    ...(rawBody === undefined ? {} : { body: rawBody }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

function client(organizationId: string, scopes: readonly string[]): Viewer {
  const common = { userId: null, clientId: `client-of-${organizationId.slice(-1)}`, tokenId: newId() };
  return { organizationId, role: 'CLIENT', scopes, expiresAt: EXPIRES_AT, ...common };
}

function person(organizationId: string, role: 'ADMIN' | 'EDUCATOR'): Viewer {
  const identity = { role, userId: newId(), clientId: null, scopes: null, tokenId: null };
  return {
    organizationId,
    ...identity,
    expiresAt: EXPIRES_AT,
    session: { id: newId(), isPlatformAdmin: false },
  };
}

const authenticate: RestDependencies['authenticate'] = async ({ authorization }) => {
  const viewer = VIEWERS[authorization?.replace(/^Bearer /, '') ?? ''];
  if (viewer === undefined) throw new AppError('UNAUTHENTICATED', 'The access token is not valid.');
  return viewer;
};

/** A session is told by a cookie with the name of its viewer. */
const authenticateSession: RestDependencies['authenticateSession'] = async (headers) => {
  const [, name] = /^session=([\w-]+)$/.exec(headers.get('cookie') ?? '') ?? [];
  return name === undefined ? null : (VIEWERS[name] ?? null);
};

const challenge: RestDependencies['challenge'] = (error) => {
  if (error.code === 'UNAUTHENTICATED') return 'Bearer error="invalid_token"';
  if (error.requiredScope === undefined) return undefined;
  return `Bearer error="insufficient_scope", scope="${error.requiredScope}"`;
};
