/** People, what they allow clients, and what clients make of it. */
import { randomBytes } from 'node:crypto';
import type { MemberRole } from '../../src/accounts/statements.ts';
import { sha256 } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { insertAuthorization } from '../../src/oauth/authorization-statements.ts';
import { GRANT_MS, randomToken } from '../../src/oauth/refresh-token.ts';
import { type Answer, type Harness, inBody, type TestClient } from './harness.ts';

export type Person = { readonly id: string; readonly email: string };

export const REDIRECT_URI = 'https://lms.example/oauth/callback';
export const USER_SCOPES = ['read', 'write:tasks'] as const;
export const USER_GRANTS = ['authorization_code', 'refresh_token'] as const;

/** A user who is a member of the harness' organization, or of another one. */
export async function addPerson(
  { owner, organizationId }: Harness,
  role: MemberRole = 'STUDENT',
  ofOrganization = organizationId,
): Promise<Person> {
  const id = newId();
  const email = `${id}@school.example`;
  await owner.query('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [id, email, 'Ada Lovelace']);
  await owner.query(`INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")`, [
    ofOrganization,
    id,
    role,
  ]);
  return { id, email };
}

/** A client that people may authorize: code and refresh tokens, PKCE required. */
export function addUserClient(
  harness: Harness,
  changes: Parameters<Harness['addClient']>[0] = {},
): Promise<TestClient> {
  return harness.addClient({
    grantTypes: USER_GRANTS,
    scopes: USER_SCOPES,
    redirectUris: [REDIRECT_URI],
    ...changes,
  });
}

export type Pkce = { readonly verifier: string; readonly challenge: string };

export function newPkce(): Pkce {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: sha256(verifier).toString('base64url') };
}

export type Allowed = {
  readonly client: TestClient;
  readonly person: Person;
  readonly scopes?: readonly string[];
  readonly redirectUri?: string | null;
  readonly challenge?: string | null;
};

/** What the authorization endpoint leaves behind when a person allows a client: answers the code. */
export async function allow(harness: Harness, allowed: Allowed): Promise<string> {
  const now = harness.clock.now();
  const code = randomToken();
  const statement = insertAuthorization(
    {
      organizationId: harness.organizationId,
      clientRef: allowed.client.id,
      userId: allowed.person.id,
      scopes: allowed.scopes ?? USER_SCOPES,
      rememberedScopes: null,
      consentId: newId(),
      grantId: newId(),
      grantExpiresAt: new Date(now.getTime() + GRANT_MS),
      code: {
        id: newId(),
        hash: sha256(code),
        redirectUri: allowed.redirectUri === undefined ? REDIRECT_URI : allowed.redirectUri,
        codeChallenge: allowed.challenge ?? null,
        expiresAt: new Date(now.getTime() + 300_000),
      },
    },
    now,
  );
  const { rowCount } = await harness.owner.query(statement);
  if (rowCount !== 1) throw new Error('The person or the client may not authorize.');
  return code;
}

/** POST of a code by its client. */
export function exchange(
  harness: Harness,
  client: TestClient,
  code: string,
  more: Record<string, string> = {},
): Promise<Answer> {
  const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, ...inBody(client) };
  return harness.post({ ...form, ...more });
}

/** POST of a refresh token by its client. */
export function refresh(
  harness: Harness,
  client: TestClient,
  token: unknown,
  more: Record<string, string> = {},
): Promise<Answer> {
  const form = { grant_type: 'refresh_token', refresh_token: String(token), ...inBody(client) };
  return harness.post({ ...form, ...more });
}

export type Tokens = { readonly access: string; readonly refresh: string };

/** A person allows the client, and the client has its tokens. */
export async function connect(harness: Harness, allowed: Allowed): Promise<Tokens> {
  const answer = await exchange(harness, allowed.client, await allow(harness, allowed));
  if (answer.status !== 200) throw new Error(`No tokens: ${JSON.stringify(answer.body)}`);
  return tokensOf(answer);
}

export function tokensOf({ body }: Answer): Tokens {
  return { access: String(body.access_token), refresh: String(body.refresh_token) };
}

/** Whether a token opens a resource that any person with `read:quests` may see. */
export async function opens(harness: Harness, token: string): Promise<boolean> {
  const { status } = await harness.callResource('/viewer', { authorization: `Bearer ${token}` });
  return status === 200;
}
