import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/lib/crypto.ts';
import { type Harness, inBody, refusal, startHarness, type TestClient } from './harness.ts';
import {
  addPerson,
  addUserClient,
  allow,
  connect,
  exchange,
  newPkce,
  opens,
  type Person,
  REDIRECT_URI,
  refresh,
  tokensOf,
} from './people.ts';

const REFUSED = refusal(400, 'invalid_grant');
let harness: Harness;
let client: TestClient;
let person: Person;

beforeAll(async () => {
  harness = await startHarness();
  client = await addUserClient(harness);
  person = await addPerson(harness);
});
afterAll(() => harness.close());

describe('a code', () => {
  test('gets an access token of its person and a refresh token (RFC 6749 4.1.4)', async () => {
    const answer = await exchange(harness, client, await allow(harness, { client, person }));
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-store', 'content-type': 'application/json' },
      body: {
        token_type: 'Bearer',
        expires_in: 3_600,
        refresh_token: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
        scope: 'read write:tasks',
      },
    });
    expect(decodeJwt(tokensOf(answer).access)).toMatchObject({
      iss: harness.issuer,
      aud: harness.issuer,
      sub: person.id,
      client_id: client.clientId,
      org: harness.organizationId,
      scope: 'read write:tasks',
    });
    const viewer = await harness.oauth.authenticate({
      authorization: `Bearer ${tokensOf(answer).access}`,
      url: '/',
    });
    expect(viewer).toMatchObject({
      organizationId: harness.organizationId,
      role: 'STUDENT',
      userId: person.id,
      clientId: client.clientId,
      scopes: ['read', 'write:tasks'],
    });
    expect(await harness.oauth.findHeld([viewer])).toEqual(new Set([viewer]));
  });

  test('rule 24: is kept as its hash, and so are refresh tokens', async () => {
    const code = await allow(harness, { client, person });
    const { refresh: token } = tokensOf(await exchange(harness, client, code));
    const { rows } = await harness.owner.query(
      `SELECT to_json(k)::text || to_json(r)::text AS stored FROM oauth_authorization_codes k
       JOIN oauth_refresh_tokens r USING (grant_id) WHERE k.code_hash = $1 AND r.token_hash = $2`,
      [sha256(code), sha256(token)],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0].stored).not.toContain(code);
    expect(rows[0].stored).not.toContain(token);
  });

  test('rule 24: is good for minutes', async () => {
    const [soon, late] = [await allow(harness, { client, person }), await allow(harness, { client, person })];
    harness.clock.advance(299_000);
    expect((await exchange(harness, client, soon)).status).toBe(200);
    harness.clock.advance(1_000);
    expect(await exchange(harness, client, late)).toMatchObject(REFUSED);
  });

  test('gets no refresh token for a client that is not registered for it', async () => {
    const other = await addUserClient(harness, { grantTypes: ['authorization_code'] });
    const { body } = await exchange(harness, other, await allow(harness, { client: other, person }));
    expect(Object.keys(body).toSorted()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
  });

  test('rule 40: is of no use to a client that is not registered for the grant', async () => {
    const other = await addUserClient(harness, { grantTypes: ['refresh_token'] });
    const code = await allow(harness, { client: other, person });
    expect(await exchange(harness, other, code)).toMatchObject(refusal(400, 'unauthorized_client'));
  });

  test('gets what the client still holds of what was allowed, and nothing when that is nothing', async () => {
    const other = await addUserClient(harness);
    const code = await allow(harness, { client: other, person });
    const lost = await allow(harness, { client: other, person, scopes: ['write:tasks'] });
    await harness.owner.query(`UPDATE oauth_clients SET scopes = '{read}' WHERE id = $1`, [other.id]);
    expect((await exchange(harness, other, code)).body).toMatchObject({ scope: 'read' });
    expect(await exchange(harness, other, lost)).toMatchObject(REFUSED);
  });

  test('that is missing is invalid_request', async () => {
    const answer = await harness.post({ grant_type: 'authorization_code', ...inBody(client) });
    expect(answer).toMatchObject(refusal(400, 'invalid_request'));
  });

  test.each(['x', 'ü', '\0', 'x'.repeat(5_000)])('that is none of ours is refused: %j', async (code) => {
    expect(await exchange(harness, client, code)).toMatchObject(REFUSED);
  });
});

describe('a code used twice', () => {
  test('rule 25: of 50 parallel exchanges exactly one succeeds, time and again', async () => {
    for (let round = 0; round < 5; round++) {
      const { verifier, challenge } = newPkce();
      const code = await allow(harness, { client, person, challenge });
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => exchange(harness, client, code, { code_verifier: verifier })),
      );
      const [won, ...others] = answers.toSorted((a, b) => a.status - b.status);
      expect(won?.status).toBe(200);
      for (const answer of others) expect(answer).toMatchObject(REFUSED);
      expect(won && (await opens(harness, tokensOf(won).access))).toBe(true);
    }
    expect(harness.reuses).toEqual([]);
  });

  test('rule 26: within ten seconds it is a double click and revokes nothing', async () => {
    const code = await allow(harness, { client, person });
    const tokens = tokensOf(await exchange(harness, client, code));
    harness.clock.advance(10_000);
    expect(await exchange(harness, client, code)).toMatchObject(REFUSED);
    expect(await opens(harness, tokens.access)).toBe(true);
    expect((await refresh(harness, client, tokens.refresh)).status).toBe(200);
  });

  test('rule 26: later it revokes everything issued from it, refreshed tokens included', async () => {
    const code = await allow(harness, { client, person });
    const first = tokensOf(await exchange(harness, client, code));
    const second = tokensOf(await refresh(harness, client, first.refresh));
    const another = await connect(harness, { client, person });
    harness.clock.advance(10_001);
    expect(await exchange(harness, client, code)).toMatchObject(REFUSED);
    expect(await opens(harness, first.access)).toBe(false);
    expect(await opens(harness, second.access)).toBe(false);
    expect(await refresh(harness, client, second.refresh)).toMatchObject(REFUSED);
    expect(await opens(harness, another.access)).toBe(true);
    expect(harness.reuses.splice(0)).toEqual([
      expect.objectContaining({ what: 'code', clientId: client.clientId, userId: person.id }),
    ]);
  });
});

describe('what a code is bound to', () => {
  test('rule 27: another client’s code fails without burning it, however late', async () => {
    const thief = await addUserClient(harness);
    const code = await allow(harness, { client, person });
    expect(await exchange(harness, thief, code)).toMatchObject(REFUSED);
    const tokens = tokensOf(await exchange(harness, client, code));
    harness.clock.advance(60_000);
    expect(await exchange(harness, thief, code)).toMatchObject(REFUSED);
    expect(await opens(harness, tokens.access)).toBe(true);
  });

  test('rule 27: a wrong secret neither burns nor revokes', async () => {
    const code = await allow(harness, { client, person });
    const wrong = { client_secret: 'wrong' };
    expect(await exchange(harness, client, code, wrong)).toMatchObject(refusal(401, 'invalid_client'));
    const tokens = tokensOf(await exchange(harness, client, code));
    harness.clock.advance(60_000);
    expect(await exchange(harness, client, code, wrong)).toMatchObject(refusal(401, 'invalid_client'));
    expect(await opens(harness, tokens.access)).toBe(true);
  });

  test.each([
    ['a slash more', `${REDIRECT_URI}/`],
    ['another case', REDIRECT_URI.toUpperCase()],
    ['a query', `${REDIRECT_URI}?a=b`],
    ['another host', 'https://evil.example/oauth/callback'],
    ['nothing', ''],
    ['a NUL', `${REDIRECT_URI}\0`],
  ])('rule 28: redirect_uri with %s fails, and the right one still works', async (_, uri) => {
    const code = await allow(harness, { client, person });
    expect(await exchange(harness, client, code, { redirect_uri: uri })).toMatchObject(REFUSED);
    expect((await exchange(harness, client, code)).status).toBe(200);
  });

  test('rule 28: it may be left out where it was left out before', async () => {
    const code = await allow(harness, { client, person, redirectUri: null });
    expect((await exchange(harness, client, code, { redirect_uri: '' })).status).toBe(200);
  });

  test.each([
    ['wrong', newPkce().verifier],
    ['missing', ''],
    ['the challenge itself', undefined],
    ['too short', 'abc'],
    ['too long', 'a'.repeat(129)],
    ['not of the alphabet', `${'a'.repeat(43)} `],
  ])('rule 29: a verifier that is %s fails, and the right one still works', async (_, sent) => {
    const { verifier, challenge } = newPkce();
    const code = await allow(harness, { client, person, challenge });
    expect(await exchange(harness, client, code, { code_verifier: sent ?? challenge })).toMatchObject(
      REFUSED,
    );
    expect((await exchange(harness, client, code, { code_verifier: verifier })).status).toBe(200);
  });

  test('rule 30: a verifier without a stored challenge fails', async () => {
    const code = await allow(harness, { client, person });
    const { verifier } = newPkce();
    expect(await exchange(harness, client, code, { code_verifier: verifier })).toMatchObject(REFUSED);
  });

  test('rule 37: a confidential client cannot skip its secret by sending code_verifier', async () => {
    const { verifier, challenge } = newPkce();
    const code = await allow(harness, { client, person, challenge });
    const answer = await harness.post({
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      client_id: client.clientId,
      code_verifier: verifier,
    });
    expect(answer).toMatchObject(refusal(401, 'invalid_client'));
  });

  test('a public client needs its verifier and no secret', async () => {
    const app = await addUserClient(harness, { type: 'PUBLIC' });
    const { verifier, challenge } = newPkce();
    const code = await allow(harness, { client: app, person, challenge });
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      client_id: app.clientId,
    };
    expect(await harness.post(form)).toMatchObject(REFUSED);
    const answer = await harness.post({ ...form, code_verifier: verifier });
    expect(answer.status).toBe(200);
    const next = { grant_type: 'refresh_token', client_id: app.clientId };
    expect(await harness.post({ ...next, refresh_token: tokensOf(answer).refresh })).toMatchObject({
      status: 200,
      body: { refresh_token: expect.any(String) },
    });
  });
});

describe('an exchange costs', () => {
  test('one round trip once the client is known', async () => {
    await connect(harness, { client, person });
    const code = await allow(harness, { client, person });
    let trips = 0;
    const count = (): void => void trips++;
    harness.pool.on('acquire', count);
    expect((await exchange(harness, client, code)).status).toBe(200);
    harness.pool.off('acquire', count);
    expect(trips).toBe(1);
  });
});
