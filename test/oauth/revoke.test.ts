import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import {
  type Answer,
  basic,
  type Harness,
  inBody,
  refusal,
  startHarness,
  type TestClient,
} from './harness.ts';
import { addPerson, addUserClient, connect, opens, type Person, refresh, type Tokens } from './people.ts';

let harness: Harness;
let client: TestClient;
let person: Person;
let tokens: Tokens;

beforeAll(async () => {
  harness = await startHarness();
  client = await addUserClient(harness);
  person = await addPerson(harness);
});
afterAll(() => harness.close());

function revoke(token: string, more: Record<string, string> = {}, by = client): Promise<Answer> {
  return harness.postTo('/api/oauth/revoke', { token, ...inBody(by), ...more });
}

async function isAlive({ access, refresh: token }: Tokens): Promise<{ access: boolean; refresh: boolean }> {
  const answer = await harness.postTo('/api/oauth/introspect', { token, ...inBody(client) });
  return { access: await opens(harness, access), refresh: answer.body.active === true };
}

describe('revocation (RFC 7009)', () => {
  test.each(['x', 'a.b.c', 'ü\0', 'x'.repeat(5_000), 'eyJhbGciOiJub25lIn0.e30.'])(
    'rule 52: an unknown token returns 200: %j',
    async (token) => {
      const answer = await revoke(token);
      expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' }, body: {} });
    },
  );

  test('rule 52: another client’s token is refused with an error and stays alive', async () => {
    tokens = await connect(harness, { client, person });
    const other = await addUserClient(harness);
    for (const token of [tokens.access, tokens.refresh]) {
      expect(await revoke(token, {}, other)).toMatchObject(refusal(400, 'invalid_grant'));
    }
    expect(await isAlive(tokens)).toEqual({ access: true, refresh: true });
  });

  test('rule 52: that holds for a client of another organization', async () => {
    const organizationId = newId();
    await harness.owner.query('INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)', [
      organizationId,
      'another-school',
    ]);
    const other = await addUserClient(harness, { organizationId });
    for (const token of [tokens.access, tokens.refresh]) {
      expect(await revoke(token, {}, other)).toMatchObject(refusal(400, 'invalid_grant'));
    }
    expect(await isAlive(tokens)).toEqual({ access: true, refresh: true });
  });

  test('an access token ends alone, at once', async () => {
    expect((await revoke(tokens.access)).status).toBe(200);
    expect(await isAlive(tokens)).toEqual({ access: false, refresh: true });
    expect((await revoke(tokens.access)).status).toBe(200);
  });

  test.each([
    ['access_token', 'access_token', 'refresh_token'],
    ['refresh_token', 'refresh_token', 'access_token'],
    ['a hint that nobody knows', 'id_token', 'id_token'],
  ])('rule 53: %s revokes, and a wrong hint still does', async (_, hint, wrong) => {
    for (const token_type_hint of [hint, wrong]) {
      const [one, two] = [
        await connect(harness, { client, person }),
        await connect(harness, { client, person }),
      ];
      await revoke(one.access, { token_type_hint });
      expect(await isAlive(one)).toEqual({ access: false, refresh: true });
      await revoke(two.refresh, { token_type_hint });
      expect(await isAlive(two)).toEqual({ access: false, refresh: false });
    }
  });

  test('rule 53: a refresh token takes every access token of its authorization along, and no other', async () => {
    const first = await connect(harness, { client, person });
    const another = await connect(harness, { client, person });
    const second = await refresh(harness, client, first.refresh);
    await revoke(String(second.body.refresh_token));
    expect(await opens(harness, first.access)).toBe(false);
    expect(await opens(harness, String(second.body.access_token))).toBe(false);
    expect(await isAlive(another)).toEqual({ access: true, refresh: true });
  });

  test('a client ends its own client_credentials token', async () => {
    const token = await harness.token();
    expect((await revoke(token, {}, harness.client)).status).toBe(200);
    expect(await opens(harness, token)).toBe(false);
  });

  test('a public client names itself and revokes', async () => {
    const app = await addUserClient(harness, { type: 'PUBLIC', redirectUris: ['https://app.example/cb'] });
    const answer = await harness.postTo('/api/oauth/revoke', { token: 'x', client_id: app.clientId });
    expect(answer.status).toBe(200);
  });

  test('needs a client and a token', async () => {
    const nobody = await harness.postTo('/api/oauth/revoke', { token: 'x' });
    expect(nobody).toMatchObject(refusal(401, 'invalid_client'));
    const wrong = await harness.postTo('/api/oauth/revoke', { token: 'x' }, basic(client.clientId, 'wrong'));
    expect(wrong).toMatchObject(refusal(401, 'invalid_client'));
    expect(wrong.headers['www-authenticate']).toContain('Basic');
    expect(await harness.postTo('/api/oauth/revoke', inBody(client))).toMatchObject(
      refusal(400, 'invalid_request'),
    );
  });

  test.each(['/api/oauth/revoke', '/api/oauth/introspect'])(
    'rule 31: %s answers POST alone, and takes no token in the query',
    async (path) => {
      const got = await fetch(harness.issuer + path);
      expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
      const answer = await harness.postTo(`${path}?token=x`, inBody(client));
      expect(answer).toMatchObject(refusal(400, 'invalid_request'));
    },
  );
});

describe('rule 42: CORS', () => {
  const origin = 'https://app.example';
  const post = (path: string, form: Record<string, string>, from = origin) =>
    harness.postTo(path, form, { origin: from });

  test('lets a page of a public client read token and revocation answers, refusals included', async () => {
    const app = await addUserClient(harness, {
      type: 'PUBLIC',
      redirectUris: [`${origin}/cb`, 'org.app:/cb'],
    });
    const form = { client_id: app.clientId, grant_type: 'refresh_token', refresh_token: 'x' };
    const refused = await post('/api/oauth/token', form);
    expect(refused).toMatchObject(refusal(400, 'invalid_grant'));
    expect(refused.headers['access-control-allow-origin']).toBe(origin);
    expect(refused.headers['vary']).toContain('Origin');
    const revoked = await post('/api/oauth/revoke', { client_id: app.clientId, token: 'x' });
    expect(revoked.headers['access-control-allow-origin']).toBe(origin);
    for (const other of ['https://evil.example', 'null', 'https://app.example:8443', 'http://app.example']) {
      const answer = await post('/api/oauth/token', form, other);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('is for no confidential client, and for no introspection', async () => {
    const backend = await addUserClient(harness, { redirectUris: [`${origin}/cb`] });
    const form = { ...inBody(backend), token: 'x' };
    for (const path of ['/api/oauth/token', '/api/oauth/revoke', '/api/oauth/introspect']) {
      expect((await post(path, form)).headers).not.toHaveProperty('access-control-allow-origin');
    }
  });
});
