/** The authorization server as people meet it: its pages beside those of accounts, and its endpoints for programs. */
import { Hono } from 'hono';
import type { MemberRole, User } from '../../src/accounts/statements.ts';
import { startRefusals } from '../../src/audit/refusals.ts';
import { randomAlphanumeric, sha256 } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { createAuthorization } from '../../src/oauth/authorization.ts';
import { createOAuth, type OAuth } from '../../src/oauth/authorization-server.ts';
import type { OAuthLimitSettings } from '../../src/oauth/limits.ts';
import { insertClient, insertClientSecret, type NewClient } from '../../src/oauth/statements.ts';
import type { HttpEnv } from '../../src/platform/http/env.ts';
import { PASSWORD } from '../accounts/people.ts';
import { type Answer, openSite, type Site, type SiteOptions, type Visitor } from '../accounts/site.ts';
import { query, TEST_KEY } from '../support/database.ts';
import { NO_LIMITS, type TestClient } from './harness.ts';
import { newPkce, REDIRECT_URI, USER_GRANTS, USER_SCOPES } from './people.ts';

export const AUTHORIZE = '/api/oauth/authorize';

export type AuthorizationSite = Site & {
  readonly oauth: OAuth;
  /** The school of every client and person here, unless another one is named. */
  readonly school: string;
  /** A client that people may authorize: code and refresh tokens, PKCE required. */
  readonly addClient: (changes?: Partial<NewClient>) => Promise<TestClient>;
  /** A member of the school. */
  readonly addMember: (role?: MemberRole) => Promise<User>;
  /** A browser in which the person is signed in. */
  readonly signedIn: (user: User) => Promise<Visitor>;
  /** POST of a form by a program. */
  readonly post: (
    path: string,
    form: Readonly<Record<string, string>>,
  ) => Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
};

/** Opens it, with one school. */
export async function openAuthorizationSite(
  options: SiteOptions & { readonly limits?: OAuthLimitSettings } = {},
): Promise<AuthorizationSite> {
  const opened: { oauth?: OAuth; stop?: () => Promise<void> } = {};
  const site = await openSite({
    ...options,
    mount: (parts) => {
      const { pool, clock, accounts, publicUrl: issuer } = parts;
      const onError = (error: unknown): never => {
        throw error;
      };
      const refusals = startRefusals({ pool, clock, onError });
      const keys = [TEST_KEY] as const;
      opened.stop = refusals.stop;
      opened.oauth = createOAuth({
        pool,
        clock,
        issuer,
        refusals,
        masterKeys: keys,
        limits: options.limits ?? NO_LIMITS,
        reportError: onError,
        onReuse: () => undefined,
      });
      const pages = createAuthorization({
        pool,
        clock,
        keys,
        issuer,
        guard: accounts.guard,
        limits: opened.oauth.limits,
      });
      const { oauth } = opened;
      return [oauth.routes, pages.pages, viewerOf(oauth), ...(options.mount?.(parts) ?? [])];
    },
  });
  const { oauth, stop } = opened;
  if (oauth === undefined || stop === undefined) throw new Error('The site mounted nothing.');
  const school = await site.addOrganization('Northfield School');
  return {
    ...site,
    oauth,
    school,
    addClient: (changes) => addClient(site, { organizationId: school, ...changes }),
    addMember: async (role = 'STUDENT') => {
      const user = await site.addUser();
      await site.join(user, school, role);
      return user;
    },
    signedIn: async ({ email }) => {
      const visitor = site.browse();
      const { status } = await visitor.signIn(email, PASSWORD);
      if (status !== 303) throw new Error(`Signing in was answered with ${status}.`);
      return visitor;
    },
    post: async (path, form) => {
      const response = await fetch(site.url + path, { method: 'POST', body: new URLSearchParams(form) });
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
    },
    close: async () => {
      await stop();
      await site.close();
    },
  };
}

/** GET /viewer: a resource for any token that is good. */
function viewerOf(oauth: OAuth): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/viewer', async (c) => {
    const authorization = c.req.header('authorization');
    const found = await oauth.authenticate({ authorization, url: c.req.url }).catch(() => null);
    return c.json(found, found === null ? 401 : 200);
  });
}

async function addClient(
  { database }: Site,
  changes: Partial<NewClient> & Pick<NewClient, 'organizationId'>,
): Promise<TestClient> {
  const client: NewClient = {
    id: newId(),
    clientId: randomAlphanumeric(20),
    name: 'Canvas of Northfield',
    type: 'CONFIDENTIAL',
    status: 'APPROVED',
    grantTypes: USER_GRANTS,
    scopes: USER_SCOPES,
    redirectUris: [REDIRECT_URI],
    requiresPkce: true,
    ...changes,
  };
  const secret = randomAlphanumeric(43);
  const { organizationId, id: clientRef } = client;
  const row = { organizationId, id: newId(), clientRef, hash: sha256(secret) };
  const statements = [insertClient(client, new Date())];
  if (client.type === 'CONFIDENTIAL') statements.push(insertClientSecret(row, new Date()));
  for (const { text, values } of statements) await query(database.ownerUrl, text, values ?? []);
  return { id: client.id, clientId: client.clientId, secret };
}

export const PKCE = newPkce();

/** The path of an authorization request that has nothing wrong with it; `undefined` leaves a parameter out. */
export function requestPath(
  client: TestClient,
  changes: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = {
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: REDIRECT_URI,
    scope: 'read',
    state: 'abc',
    code_challenge: PKCE.challenge,
    code_challenge_method: 'S256',
    ...changes,
  };
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return `${AUTHORIZE}?${new URLSearchParams(given)}`;
}

/** What an answer takes back to the client; undefined for one that does not lead there. */
export function responseOf(
  { location }: Pick<Answer, 'location'>,
  redirectUri = REDIRECT_URI,
): Readonly<Record<string, string>> | undefined {
  if (location === null || !location.startsWith(redirectUri)) return undefined;
  return Object.fromEntries(new URL(location).searchParams);
}

/** Presses a button of the consent page. */
export function decide(visitor: Visitor, path: string, decision: 'allow' | 'deny'): Promise<Answer> {
  return visitor.send(path, path, { decision });
}
