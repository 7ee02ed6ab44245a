import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  basic,
  type Harness,
  inBody,
  refusal,
  startHarness,
  type TestClient,
} from './harness.ts';
import { addPerson, addUserClient, connect, type Person, refresh } from './people.ts';

let harness: Harness;
let client: TestClient;
let person: Person;

beforeAll(async () => {
  harness = await startHarness();
  client = await addUserClient(harness);
  person = await addPerson(harness);
});
afterAll(() => harness.close());

function introspect(token: string, by = client): Promise<Answer> {
  return harness.postTo('/api/oauth/introspect', { token }, basic(by.clientId, by.secret));
}

describe('introspection (RFC 7662)', () => {
  test('tells of a person’s access token what the token says', async () => {
    const { access } = await connect(harness, { client, person });
    const { sub, jti, iat, exp } = decodeJwt(access);
    expect(await introspect(access)).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-store', 'content-type': 'application/json' },
    });
    expect((await introspect(access)).body).toEqual({
      active: true,
      scope: 'read write:tasks',
      client_id: client.clientId,
      token_type: 'Bearer',
      sub,
      iss: harness.issuer,
      aud: harness.issuer,
      org: harness.organizationId,
      jti,
      iat,
      exp,
    });
    expect(sub).toBe(person.id);
  });

  test('tells of a client’s own token that it is nobody’s but the client’s', async () => {
    const { body } = await introspect(await harness.token('read:events'), harness.client);
    expect(body).toMatchObject({ active: true, scope: 'read:events', sub: harness.client.clientId });
  });

  test('tells of a refresh token while it can be exchanged', async () => {
    const first = await connect(harness, { client, person });
    const now = Math.floor(harness.clock.now().getTime() / 1_000);
    const { body } = await introspect(first.refresh);
    expect(body).toEqual({
      active: true,
      scope: 'read write:tasks',
      client_id: client.clientId,
      sub: person.id,
      iss: harness.issuer,
      org: harness.organizationId,
      iat: expect.toSatisfy((at: number) => Math.abs(at - now) <= 1),
      exp: now + 30 * 86_400,
    });
    await refresh(harness, client, first.refresh);
    expect((await introspect(first.refresh)).body).toEqual({ active: false });
  });

  test.each(['x', 'a.b.c', 'ü\0'])('says no more than inactive of %j', async (token) => {
    expect((await introspect(token)).body).toEqual({ active: false });
  });

  test('rule 54: tells a client only of its own tokens', async () => {
    const { access, refresh: token } = await connect(harness, { client, person });
    for (const other of [await addUserClient(harness), harness.client]) {
      expect((await introspect(access, other)).body).toEqual({ active: false });
      expect((await introspect(token, other)).body).toEqual({ active: false });
    }
    expect((await introspect(access)).body.active).toBe(true);
  });

  test('rule 54: needs client authentication, which a public client cannot give', async () => {
    const nobody = await harness.postTo('/api/oauth/introspect', { token: 'x' });
    expect(nobody).toMatchObject(refusal(401, 'invalid_client'));
    const wrong = { ...inBody(client), client_secret: 'wrong', token: 'x' };
    expect(await harness.postTo('/api/oauth/introspect', wrong)).toMatchObject(
      refusal(401, 'invalid_client'),
    );
    const app = await addUserClient(harness, { type: 'PUBLIC' });
    const form = { client_id: app.clientId, token: 'x' };
    expect(await harness.postTo('/api/oauth/introspect', form)).toMatchObject(refusal(401, 'invalid_client'));
    expect(await harness.postTo('/api/oauth/introspect', inBody(client))).toMatchObject(
      refusal(400, 'invalid_request'),
    );
  });

  test('a suspended client is told why it gets nothing', async () => {
    const suspended = await addUserClient(harness, { status: 'SUSPENDED' });
    expect(await introspect('x', suspended)).toMatchObject(refusal(400, 'unauthorized_client'));
  });

  test('follows what ends a token', async () => {
    const { access, refresh: token } = await connect(harness, { client, person });
    await harness.postTo('/api/oauth/revoke', { token, ...inBody(client) });
    expect((await introspect(access)).body).toEqual({ active: false });
    expect((await introspect(token)).body).toEqual({ active: false });
    const own = await harness.token();
    harness.clock.advance(3_601_000);
    expect((await introspect(own, harness.client)).body).toEqual({ active: false });
  });
});
