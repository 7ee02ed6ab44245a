/**
 * Who may (webhooks.md, "Who may"): each row of docs/who-may.md tried out route by route, by tokens of clients with and
 * without the scope and tokens of users of every role; a session is good for no route.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holdsScope, isScope, SCOPES } from '../../src/accounts/scope.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { AppError } from '../../src/lib/errors.ts';
import { newId } from '../../src/lib/ids.ts';
import { OPERATIONS, type OperationRow } from '../docs/tables.ts';
import { type Answer, call, NORTH, startServer, type TestServer } from './support.ts';

const ROLES = ['ADMIN', 'EDUCATOR', 'STUDENT'] as const;
type Asker = {
  readonly role: (typeof ROLES)[number] | 'CLIENT';
  /** Null: a session. */
  readonly scopes: readonly string[] | null;
};

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    authenticate: async ({ authorization }) => {
      const token = authorization?.replace(/^Bearer /, '');
      if (token === undefined) throw new AppError('UNAUTHENTICATED', 'There is no access token.');
      return viewerOf(JSON.parse(Buffer.from(token, 'base64url').toString()) as Asker); // As `ask` sends it.
    },
    authenticateSession: async (headers) => {
      const asker = /^asker=(.+)$/.exec(headers.get('cookie') ?? '')?.[1] ?? '';
      return viewerOf(JSON.parse(Buffer.from(asker, 'base64url').toString()) as Asker); // As `askBySession` sends it.
    },
  });
});
afterAll(() => server.close());

function viewerOf({ role, scopes }: Asker): Viewer {
  const expiresAt = new Date('2026-11-23T10:30:00Z');
  const clientId = scopes === null ? null : 'asking-client';
  const userId = role === 'CLIENT' ? null : newId();
  return { organizationId: NORTH, role, userId, clientId, scopes, expiresAt, tokenId: newId() };
}

const ask = (route: string, asker: Asker) =>
  call(server, route.replace('{id}', newId()), {
    token: Buffer.from(JSON.stringify(asker)).toString('base64url'),
    ...(route.startsWith('P') ? { body: {} } : {}),
  });

const askBySession = (route: string, role: Asker['role']) =>
  call(server, route.replace('{id}', newId()), {
    headers: {
      cookie: `asker=${Buffer.from(JSON.stringify({ role, scopes: null })).toString('base64url')}`,
      'x-requested-with': 'test',
    },
    ...(route.startsWith('P') ? { body: {} } : {}),
  });

/** Everybody there is to ask for a route of the row, and whether it may. */
function askersOf({ roles, scope }: OperationRow): readonly (readonly [Asker, boolean])[] {
  const all = SCOPES.map(({ name }) => name);
  if (scope === 'none') return [...ROLES, 'CLIENT' as const].map((role) => [{ role, scopes: all }, false]);
  const wanted = isScope(scope) ? scope : undefined;
  const enough = wanted === undefined ? all : [wanted];
  const tooLittle = wanted === undefined ? [] : all.filter((name) => !holdsScope([name], wanted));
  return [
    [{ role: 'CLIENT', scopes: enough }, true],
    [{ role: 'CLIENT', scopes: tooLittle }, wanted === undefined],
    ...ROLES.flatMap((role) => [
      [{ role, scopes: enough }, wanted === undefined || roles.includes(role)] as const,
      [{ role, scopes: tooLittle }, wanted === undefined] as const,
    ]),
  ];
}

const CASES = OPERATIONS.flatMap((row) =>
  row.routes.map((route) => ({ row, route, operation: row.operation })),
);

describe('Who may', () => {
  test.for(CASES)('$operation: $route, who the table lets, and nobody else', async ({ row, route }) => {
    const askers = askersOf(row);
    const outcomes: unknown[] = [];
    for (const [asker] of askers) outcomes.push([nameOf(asker), outcomeOf(await ask(route, asker))]);
    expect(outcomes).toEqual(
      askers.map(([asker, may]) => [nameOf(asker), may ? 'may' : refusalOf(asker, row)]),
    );
  });

  const ofSessions = CASES.filter(({ row }) => row.scope === 'none');
  test.for(ofSessions)('$operation: $route by sessions of the roles of the table', async ({ row, route }) => {
    for (const role of ROLES) {
      const may = row.roles.includes(role);
      expect([role, outcomeOf(await askBySession(route, role))]).toEqual([
        role,
        may ? 'may' : 'refused with 403',
      ]);
    }
  });

  const ofTokens = CASES.filter(({ row }) => row.scope !== 'none');
  test.for(ofTokens)('$operation: $route by a session is 401', async ({ route }) => {
    expect(await ask(route, { role: 'ADMIN', scopes: null })).toMatchObject({ status: 401 });
  });
});

const nameOf = ({ role, scopes }: Asker): string => `${role} with ${String(scopes)}`;

/** Whoever was let in is told something else: that there is no such thing, or what does not fit. */
function outcomeOf({ status, body }: Answer): string {
  if ([200, 202, 404, 422].includes(status)) return 'may';
  const { required_scope: scope } = body as { required_scope?: string }; // Problem details.
  return scope === undefined ? `refused with ${status}` : `lacks ${scope}`;
}

/** What a user's token lacks is the scope or the role; a client has no role. */
function refusalOf({ scopes }: Asker, { scope }: OperationRow): string {
  return isScope(scope) && !holdsScope(scopes ?? [], scope) ? `lacks ${scope}` : 'refused with 403';
}
