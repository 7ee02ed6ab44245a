/** An authorization server on a real socket over a database of its own, with one client in it. */
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { expect } from 'vitest';
import { bootstrap } from '../../src/accounts/bootstrap.ts';
import type { Scope } from '../../src/accounts/scope.ts';
import { authorize, type Viewer } from '../../src/accounts/viewer.ts';
import { startRefusals } from '../../src/audit/refusals.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { randomAlphanumeric, sha256 } from '../../src/lib/crypto.ts';
import { AppError } from '../../src/lib/errors.ts';
import { newId } from '../../src/lib/ids.ts';
import { createOAuth, type OAuth } from '../../src/oauth/authorization-server.ts';
import { bootstrapClient } from '../../src/oauth/bootstrap-client.ts';
import type { ReuseReport } from '../../src/oauth/exchange.ts';
import type { OAuthLimitSettings } from '../../src/oauth/limits.ts';
import type { SigningAlgorithm } from '../../src/oauth/signing-key.ts';
import { insertClient, insertClientSecret, type NewClient } from '../../src/oauth/statements.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import type { HttpEnv } from '../../src/platform/http/env.ts';
import { createHttpShell } from '../../src/platform/http/shell.ts';
import { parseCidrs } from '../../src/platform/ip-range.ts';
import { createLog } from '../../src/platform/log.ts';
import { createTestDatabase } from '../support/database.ts';

export const MASTER_KEYS = [Buffer.alloc(32, 7)] as const;

export type TestClient = {
  readonly id: string;
  readonly clientId: string;
  readonly secret: string;
};

export type Harness = {
  readonly issuer: string;
  readonly authUrl: string;
  readonly tenantUrl: string;
  readonly organizationId: string;
  /** Approved, client_credentials, all scopes. */
  readonly client: TestClient;
  readonly clock: TurnableClock;
  readonly oauth: OAuth;
  /** As the owner of the schema. */
  readonly owner: Pool;
  /** The pool of the server under test. */
  readonly pool: Pool;
  /** What the server reported as unexpected. */
  readonly reported: unknown[];
  /** Whose grants the server ended because something was used again. */
  readonly reuses: ReuseReport[];
  /** POST to the token endpoint. */
  readonly post: (form: Record<string, string> | string, headers?: Record<string, string>) => Promise<Answer>;
  /** POST to another endpoint. */
  readonly postTo: (
    path: string,
    form: Record<string, string> | string,
    headers?: Record<string, string>,
  ) => Promise<Answer>;
  /** A token of `client`. */
  readonly token: (scope?: string) => Promise<string>;
  /** A resource that wants the scope in its path: `/guarded/read:events`, or any token: `/viewer`. */
  readonly callResource: (path: string, headers?: Record<string, string>) => Promise<Answer>;
  readonly addClient: (changes?: Partial<NewClient>) => Promise<TestClient>;
  readonly close: () => Promise<void>;
};

export type Answer = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Record<string, unknown>;
};

export type HarnessOptions = {
  /** That of the issuer, for a server that is not at the root of its host. */
  readonly path?: string;
  /** If left out, nothing is ever too often. */
  readonly limits?: OAuthLimitSettings;
  /** Whose X-Forwarded-For counts: nobody's, if left out. */
  readonly trustedProxies?: string;
  /** ES256, if left out. */
  readonly signingAlgorithm?: SigningAlgorithm;
  /** Given every line that the server would log, of every level. */
  readonly onLog?: (line: string) => void;
};

/** Nothing is ever too often. */
export const NO_LIMITS = { requestsPerMinute: 1e9, failuresPerMinute: 1e9 };

export async function startHarness({
  path = '',
  limits = NO_LIMITS,
  trustedProxies = '',
  signingAlgorithm = 'ES256',
  onLog,
}: HarnessOptions = {}): Promise<Harness> {
  const database = await createTestDatabase();
  const [owner, pool] = [database.ownerUrl, database.urls.authUrl].map((url) =>
    createPool({ url, maxConnections: 6, onIdleError: () => undefined }),
  ) as [Pool, Pool]; // As many as there are URLs.
  const clock = turnableClock(new Date());
  const { organization, client } = await bootstrapAll(owner, clock);
  const reported: unknown[] = [];
  const reuses: ReuseReport[] = [];
  const app = createHttpShell({
    log:
      onLog === undefined
        ? createLog({ level: 'error', pretty: false })
        : createLog({ level: 'debug', pretty: false, destination: { write: onLog } }),
    clock,
    https: false,
    trustedProxies: parseCidrs(trustedProxies),
  });
  const server = await listen(app);
  const origin = `http://127.0.0.1:${server.port}`;
  const issuer = origin + path;
  const refusals = startRefusals({ pool, clock, onError: (error) => void reported.push(error) });
  const oauth = createOAuth({
    pool,
    refusals,
    masterKeys: MASTER_KEYS,
    signingAlgorithm,
    limits,
    issuer,
    clock,
    reportError: (error) => void reported.push(error),
    onReuse: (report) => void reuses.push(report),
  });
  app.get('/viewer', (c) => answerGuarded(oauth, c.req.raw));
  app.get('/guarded/:scope', (c) => answerGuarded(oauth, c.req.raw, c.req.param('scope')));
  app.route('/', oauth.routes);

  const postTo: Harness['postTo'] = (to, form, headers = {}) =>
    call(origin + to, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    });

  const post: Harness['post'] = (form, headers) => postTo('/api/oauth/token', form, headers);

  return {
    issuer,
    authUrl: database.urls.authUrl,
    tenantUrl: database.urls.tenantUrl,
    organizationId: organization.id,
    client,
    clock,
    oauth,
    owner,
    pool,
    reported,
    reuses,
    post,
    postTo,
    token: async (scope) => {
      const { body } = await post({
        grant_type: 'client_credentials',
        client_id: client.clientId,
        client_secret: client.secret,
        ...(scope === undefined ? {} : { scope }),
      });
      return String(body.access_token);
    },
    callResource: (resource, headers = {}) => call(origin + resource, { headers }),
    addClient: (changes) => addClient(owner, organization.id, changes),
    close: async () => {
      await server.close();
      await refusals.stop();
      await Promise.all([owner.end(), pool.end()]);
      await database.drop();
    },
  };
}

export const GRANT = { grant_type: 'client_credentials' } as const;

/** What a refused answer of the token endpoint matches (rule 38; characters: RFC 6749 5.2). */
export function refusal(status: number, error: string) {
  return {
    status,
    body: { error, error_description: expect.stringMatching(/^[ !#-[\]-~]+$/) },
    headers: { 'cache-control': 'no-store', 'content-type': 'application/json' },
  };
}

/** A client's credentials as client_secret_post sends them. */
export function inBody(client: TestClient): { client_id: string; client_secret: string } {
  return { client_id: client.clientId, client_secret: client.secret };
}

/** `Basic` with both parts as they are. */
export function basic(clientId: string, secret: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` };
}

async function bootstrapAll(owner: Pool, clock: TurnableClock) {
  const { organization, client } = await bootstrap({
    pool: owner,
    clock,
    options: { adminEmail: 'admin@optio.example' },
    bootstrapClient: bootstrapClient({}, clock),
  });
  const { rows } = await owner.query<{ id: string }>('SELECT id FROM oauth_clients');
  const id = rows[0]?.id ?? '';
  return { organization, client: { id, clientId: client.clientId, secret: client.clientSecret ?? '' } };
}

async function addClient(
  owner: Pool,
  organizationId: string,
  changes: Partial<NewClient> = {},
): Promise<TestClient> {
  const client: NewClient = {
    organizationId,
    id: newId(),
    clientId: randomAlphanumeric(20),
    name: 'A client',
    type: 'CONFIDENTIAL',
    status: 'APPROVED',
    grantTypes: ['client_credentials'],
    scopes: ['read:quests', 'write:events'],
    redirectUris: [],
    requiresPkce: true,
    ...changes,
  };
  const secret = randomAlphanumeric(43);
  await owner.query(insertClient(client, new Date()));
  const row = {
    organizationId: client.organizationId,
    id: newId(),
    clientRef: client.id,
    hash: sha256(secret),
  };
  if (client.type === 'CONFIDENTIAL') await owner.query(insertClientSecret(row, new Date()));
  return { id: client.id, clientId: client.clientId, secret };
}

async function answerGuarded(oauth: OAuth, request: Request, scope?: string): Promise<Response> {
  try {
    const authorization = request.headers.get('authorization') ?? undefined;
    const viewer: Viewer = await oauth.authenticate({ authorization, url: request.url });
    // The tests name scopes that exist.
    if (scope !== undefined) authorize(viewer, { scope: scope as Scope, roles: [] });
    return Response.json(viewer);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const status = { UNAUTHENTICATED: 401, FORBIDDEN: 403, BAD_REQUEST: 400 }[error.code as string] ?? 503;
    const header = oauth.challenge(error);
    return Response.json(
      { message: error.message },
      { status, headers: header === undefined ? {} : { 'WWW-Authenticate': header } },
    );
  }
}

async function call(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: text === '' ? {} : JSON.parse(text),
  };
}

async function listen(
  app: Pick<Hono<HttpEnv>, 'fetch'>,
): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve) => {
    const server = serve(
      {
        fetch: (request, { incoming }) => app.fetch(request, { peerAddress: incoming.socket.remoteAddress }),
        port: 0,
        hostname: '127.0.0.1',
      },
      (info) =>
        resolve({
          port: info.port,
          close: () => new Promise((done) => void server.close(() => done())),
        }),
    );
  });
}
