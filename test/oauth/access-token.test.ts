import { decodeJwt, decodeProtectedHeader, generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unseal } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { createOAuth } from '../../src/oauth/authorization-server.ts';
import { cleanUp } from '../../src/oauth/clean-up.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { type Answer, basic, type Harness, MASTER_KEYS, startHarness } from './harness.ts';

const INVALID = {
  status: 401,
  headers: { 'www-authenticate': expect.stringContaining('error="invalid_token"') },
};
let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

describe('a token that is good', () => {
  test('stands for its client and organization, with its scopes, until it expires', async () => {
    const token = await harness.token('read:events');
    const { jti, exp } = decodeJwt(token);
    const viewer = await harness.oauth.authenticate({ authorization: `Bearer ${token}`, url: '/graphql' });
    expect(viewer).toEqual({
      organizationId: harness.organizationId,
      role: 'CLIENT',
      userId: null,
      clientId: harness.client.clientId,
      scopes: ['read:events'],
      expiresAt: new Date((exp ?? 0) * 1_000),
      tokenId: jti,
    });
  });

  test('signed again by us with the same claims is good as well: the forgeries below differ in one thing', async () => {
    expect((await use(await forge({}))).status).toBe(200);
  });
});

describe('a token that is refused as invalid_token (OAuth rules 49 and 50; RFC 9068 4)', () => {
  test('50: alg none', async () => {
    const claims = decodeJwt(await harness.token());
    expect(await use(new UnsecuredJWT(claims).encode())).toMatchObject(INVALID);
    const [, payload] = (await harness.token()).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: await kid() })).toString(
      'base64url',
    );
    expect(await use(`${header}.${payload}.`)).toMatchObject(INVALID);
  });

  test('50: HS256 with the public key as the secret', async () => {
    const { keys } = await fetchJwks();
    for (const secret of [JSON.stringify(keys[0]), String(keys[0]?.x)]) {
      const token = await new SignJWT(decodeJwt(await harness.token()))
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: await kid() })
        .sign(Buffer.from(secret));
      expect(await use(token)).toMatchObject(INVALID);
    }
  });

  test('50: an unknown kid, and none', async () => {
    expect(await use(await forge({ header: { kid: 'unknown' } }))).toMatchObject(INVALID);
    expect(await use(await forge({ header: { kid: undefined } }))).toMatchObject(INVALID);
  });

  test('50: a key of somebody else under our kid', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const token = await new SignJWT(decodeJwt(await harness.token()))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: await kid() })
      .sign(privateKey);
    expect(await use(token)).toMatchObject(INVALID);
  });

  test.each(['JWT', 'id+jwt', 'at+jwt2', undefined])('50: the type %s', async (typ) => {
    expect(await use(await forge({ header: { typ } }))).toMatchObject(INVALID);
  });

  test.each([
    ['audience', { aud: 'https://other.example' }],
    ['issuer', { iss: 'https://other.example' }],
    ['client', { client_id: 'another' }],
    ['organization', { org: newId() }],
    ['jti, without a row', { jti: newId() }],
    ['jti, not a UUID', { jti: "' OR true --" }],
    ['expiry, left out', { exp: undefined }],
    ['audience, left out', { aud: undefined }],
    ['beginning, in the future', { nbf: 4_000_000_000 }],
  ])('50: another %s', async (_, claims: Record<string, unknown>) => {
    expect(await use(await forge({ claims }))).toMatchObject(INVALID);
  });

  test.each(['', 'x', 'a.b.c', '..', 'eyJhbGciOiJFUzI1NiJ9..', 'ü', 'x'.repeat(5_000)])(
    'no JWT: %j',
    async (token) => {
      expect(await use(encodeURIComponent(token).replaceAll('%', '~'))).toMatchObject(INVALID);
    },
  );

  test('a changed signature', async () => {
    const token = await harness.token();
    const at = token.lastIndexOf('.') + 10;
    expect(
      await use(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)),
    ).toMatchObject(INVALID);
  });

  test('an expired one, at the second it expires', async () => {
    const token = await harness.token();
    harness.clock.advance(3_598_000);
    expect((await use(token)).status).toBe(200);
    harness.clock.advance(2_000);
    const answer = await use(token);
    expect(answer).toMatchObject(INVALID);
    expect(answer.body.message).toContain('expired');
  });
});

describe('what ends a token at once, though it was just used', () => {
  test.each([
    ['its revocation', 'UPDATE oauth_access_tokens SET revoked_at = now() WHERE id = $1'],
    ['the loss of its row', 'DELETE FROM oauth_access_tokens WHERE id = $1'],
    [
      'the suspension of its client',
      `UPDATE oauth_clients SET status = 'SUSPENDED' WHERE id = (SELECT client_ref FROM oauth_access_tokens WHERE id = $1)`,
    ],
  ])('%s', async (_, sql) => {
    const token = await harness.token();
    expect((await use(token)).status).toBe(200);
    const viewer = await harness.oauth.authenticate({ authorization: `Bearer ${token}`, url: '/' });
    expect(await harness.oauth.findHeld([viewer])).toEqual(new Set([viewer]));
    await harness.owner.query(sql, [viewer.tokenId]);
    expect(await use(token)).toMatchObject(INVALID);
    expect(await harness.oauth.findHeld([viewer])).toEqual(new Set());
    await harness.owner.query(`UPDATE oauth_clients SET status = 'APPROVED'`);
  });

  test('the loss of a scope by its client ends what was let in with it, and what comes after has the rest (webhooks rule 39)', async () => {
    const client = await harness.addClient({ scopes: ['read:webhooks', 'write:events'] });
    const { body } = await harness.post(
      { grant_type: 'client_credentials' },
      basic(client.clientId, client.secret),
    );
    const viewerNow = () =>
      harness.oauth.authenticate({ authorization: `Bearer ${String(body['access_token'])}`, url: '/' });
    const before = await viewerNow();
    expect(await harness.oauth.findHeld([before])).toEqual(new Set([before]));
    await harness.owner.query(`UPDATE oauth_clients SET scopes = '{write:events}' WHERE id = $1`, [
      client.id,
    ]);
    const after = await viewerNow();
    expect([before.scopes, after.scopes]).toEqual([['read:webhooks', 'write:events'], ['write:events']]);
    expect(await harness.oauth.findHeld([before, after])).toEqual(new Set([after]));
  });

  test('a row of a person does not turn into a client with all its rights', async () => {
    const token = await harness.token();
    await harness.owner.query('UPDATE oauth_access_tokens SET user_id = $2 WHERE id = $1', [
      decodeJwt(token).jti,
      newId(),
    ]);
    expect(await use(token)).toMatchObject(INVALID);
  });
});

test('a database that is away is no reason to call a token invalid', async () => {
  const token = await harness.token();
  const pool = createPool({
    url: 'postgres://nobody@127.0.0.1:9/none',
    maxConnections: 1,
    onIdleError: () => undefined,
  });
  const { issuer, clock } = harness;
  const ignore = (): void => undefined;
  const other = createOAuth({
    pool,
    masterKeys: MASTER_KEYS,
    issuer,
    clock,
    refusals: { note: ignore },
    reportError: ignore,
    onReuse: ignore,
  });
  const authenticating = other.authenticate({ authorization: `Bearer ${token}`, url: '/' });
  await expect(authenticating).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
  await pool.end();
});

test('60: cleaning up deletes what expired a day ago, and nothing else', async () => {
  await harness.token();
  harness.clock.advance(2 * 86_400_000);
  const token = await harness.token();
  expect(await cleanUp(harness)).toBeGreaterThan(0);
  expect(await cleanUp(harness)).toBe(0);
  const { rows } = await harness.owner.query<{ id: string }>('SELECT id FROM oauth_access_tokens');
  expect(rows).toEqual([{ id: decodeJwt(token).jti }]);
  expect((await use(token)).status).toBe(200);
});

function use(token: string): Promise<Answer> {
  return harness.callResource('/guarded/read:quests', { authorization: `Bearer ${token}` });
}

/** A token of ours, with a row, whose header and claims are changed and which is signed with our own key. */
async function forge({
  header = {},
  claims = {},
}: {
  header?: object;
  claims?: Record<string, unknown>;
}): Promise<string> {
  const token = await harness.token();
  const protectedHeader = { ...decodeProtectedHeader(token), ...header, alg: 'ES256' };
  return new SignJWT({ ...decodeJwt(token), ...claims })
    .setProtectedHeader(protectedHeader)
    .sign(await ourKey());
}

async function ourKey() {
  const { rows } = await harness.owner.query<{ id: string; sealed_private: Buffer }>(
    'SELECT * FROM signing_keys',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('There is no signing key.');
  return importJWK(JSON.parse(unseal(MASTER_KEYS, row.sealed_private, row.id).toString()), 'ES256');
}

async function kid(): Promise<string> {
  return decodeProtectedHeader(await harness.token()).kid ?? '';
}

async function fetchJwks(): Promise<{ keys: Record<string, unknown>[] }> {
  const response = await fetch(`${harness.issuer}/api/oauth/jwks`);
  return (await response.json()) as { keys: Record<string, unknown>[] }; // RFC 7517 5.
}
