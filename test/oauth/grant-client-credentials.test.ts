import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCOPES } from '../../src/accounts/scope.ts';
import { sha256 } from '../../src/lib/crypto.ts';
import { isUuid, newId } from '../../src/lib/ids.ts';
import { basic, GRANT, type Harness, inBody, refusal, startHarness } from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

describe('client_credentials (RFC 6749 4.4)', () => {
  test('41: gets an access token and nothing else', async () => {
    const { body } = await harness.post({ ...GRANT, ...inBody(harness.client) });
    expect(Object.keys(body).toSorted()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
  });

  test('asked for nothing, it grants all approved scopes in a stable order', async () => {
    const { body } = await harness.post({ ...GRANT, ...inBody(harness.client) });
    expect(body.scope).toBe(SCOPES.map(({ name }) => name).join(' '));
  });

  test('41: a scope that is unknown, of a person, or not approved is refused by name', async () => {
    const client = await harness.addClient({ scopes: ['read:quests', 'write:events'] });
    for (const scope of ['openid', 'profile', 'read:grades', 'write', 'read:quests read:webhooks']) {
      const answer = await harness.post({ ...GRANT, ...inBody(client), scope });
      expect(answer).toMatchObject(refusal(400, 'invalid_scope'));
      expect(answer.body.error_description).toContain(scope.split(' ').at(-1));
    }
  });

  test('a public client may not use it, even registered for it', async () => {
    const client = await harness.addClient({ type: 'PUBLIC' });
    const answer = await harness.post({ ...GRANT, client_id: client.clientId });
    expect(answer).toMatchObject(refusal(400, 'unauthorized_client'));
  });

  test('a public client that sends a secret has none', async () => {
    const client = await harness.addClient({ type: 'PUBLIC' });
    expect(await harness.post({ ...GRANT, ...inBody(client) })).toMatchObject(refusal(401, 'invalid_client'));
  });
});

describe('the token (RFC 9068 2.2)', () => {
  test('says who may do what, for how long, and has a row of that', async () => {
    const token = await harness.token('write:events read:quests');
    const issuedAt = Math.floor(harness.clock.now().getTime() / 1_000);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    const claims = decodeJwt(token);
    expect(claims).toEqual({
      iss: harness.issuer,
      aud: harness.issuer,
      sub: harness.client.clientId,
      client_id: harness.client.clientId,
      scope: 'read:quests write:events',
      org: harness.organizationId,
      jti: expect.toSatisfy(isUuid),
      iat: issuedAt,
      exp: issuedAt + 3_600,
    });
    const { rows } = await harness.owner.query('SELECT * FROM oauth_access_tokens WHERE id = $1', [
      claims.jti,
    ]);
    expect(rows).toEqual([
      {
        organization_id: harness.organizationId,
        id: claims.jti,
        client_ref: harness.client.id,
        user_id: null,
        grant_id: null,
        scopes: ['read:quests', 'write:events'],
        expires_at: new Date((issuedAt + 3_600) * 1_000),
        revoked_at: null,
      },
    ]);
  });

  test('no two are alike', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => harness.token()));
    expect(new Set(tokens.map((token) => decodeJwt(token).jti)).size).toBe(20);
  });
});

describe('what changes takes effect with the next request, though the client is remembered', () => {
  test('a token costs one round trip once the client is known', async () => {
    const client = await harness.addClient();
    await harness.post(GRANT, basic(client.clientId, client.secret));
    let trips = 0;
    const count = (): void => void trips++;
    harness.pool.on('acquire', count);
    expect((await harness.post(GRANT, basic(client.clientId, client.secret))).status).toBe(200);
    harness.pool.off('acquire', count);
    expect(trips).toBe(1);
  });

  test.each([
    ['suspension', `UPDATE oauth_clients SET status = 'SUSPENDED' WHERE id = $1`, 400, 'unauthorized_client'],
    [
      'losing the grant',
      `UPDATE oauth_clients SET grant_types = '{}' WHERE id = $1`,
      400,
      'unauthorized_client',
    ],
    ['losing all scopes', `UPDATE oauth_clients SET scopes = '{}' WHERE id = $1`, 400, 'invalid_scope'],
    ['deletion', 'DELETE FROM oauth_clients WHERE id = $1', 401, 'invalid_client'],
    [
      'deletion of the secret',
      'DELETE FROM oauth_client_secrets WHERE client_ref = $1',
      401,
      'invalid_client',
    ],
  ] as const)('%s', async (_, sql, status, error) => {
    const client = await harness.addClient();
    expect((await harness.post({ ...GRANT, ...inBody(client) })).status).toBe(200);
    await harness.owner.query(sql, [client.id]);
    const before = await countTokens(client.id);
    expect(await harness.post({ ...GRANT, ...inBody(client) })).toMatchObject(refusal(status, error));
    expect(await countTokens(client.id)).toBe(before);
  });

  test('fewer scopes, and more scopes', async () => {
    const client = await harness.addClient({ scopes: ['read:quests', 'read:badges'] });
    const scopeAfter = async (scopes: readonly string[]): Promise<unknown> => {
      await harness.owner.query('UPDATE oauth_clients SET scopes = $2 WHERE id = $1', [client.id, scopes]);
      return (await harness.post({ ...GRANT, ...inBody(client) })).body.scope;
    };
    expect(await scopeAfter(['read:quests', 'read:badges'])).toBe('read:quests read:badges');
    expect(await scopeAfter(['read:quests'])).toBe('read:quests');
    expect(await scopeAfter(['read:quests', 'write:events'])).toBe('read:quests write:events');
  });

  test('55: both secrets work during the overlap, the old one not after it', async () => {
    const client = await harness.addClient();
    const overlapEnd = new Date(harness.clock.now().getTime() + 60_000);
    await harness.owner.query('UPDATE oauth_client_secrets SET expires_at = $2 WHERE client_ref = $1', [
      client.id,
      overlapEnd,
    ]);
    await harness.owner.query(
      'INSERT INTO oauth_client_secrets (organization_id, id, client_ref, hash) VALUES ($1, $2, $3, $4)',
      [harness.organizationId, newId(), client.id, sha256('the-new-one')],
    );
    const withSecret = (secret: string) => harness.post(GRANT, basic(client.clientId, secret));
    expect((await withSecret(client.secret)).status).toBe(200);
    expect((await withSecret('the-new-one')).status).toBe(200);
    harness.clock.advance(60_000);
    expect((await withSecret(client.secret)).status).toBe(401);
    expect((await withSecret('the-new-one')).status).toBe(200);
  });
});

describe('clients in the field, from discovery to a token', () => {
  const insecure = { [oauth.allowInsecureRequests]: true };

  test.each([
    ['client_secret_basic', oauth.ClientSecretBasic],
    ['client_secret_post', oauth.ClientSecretPost],
  ] as const)('oauth4webapi with %s', async (_, authentication) => {
    const issuer = new URL(harness.issuer);
    const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
    const server = await oauth.processDiscoveryResponse(issuer, discovered);
    const client = { client_id: harness.client.clientId };
    const method = authentication(harness.client.secret);
    const parameters = { scope: 'read:quests' };
    const answer = await oauth.clientCredentialsGrantRequest(server, client, method, parameters, insecure);
    const tokens = await oauth.processClientCredentialsResponse(server, client, answer);
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3_600, scope: 'read:quests' });

    const resource = new Request(harness.issuer, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    const validated = await oauth.validateJwtAccessToken(server, resource, harness.issuer, insecure);
    expect(validated).toMatchObject({ client_id: harness.client.clientId, scope: 'read:quests' });
  });

  test('openid-client', async () => {
    const configuration = await openid.discovery(
      new URL(harness.issuer),
      harness.client.clientId,
      harness.client.secret,
      undefined,
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    );
    const tokens = await openid.clientCredentialsGrant(configuration, { scope: 'write:events' });
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3_600, scope: 'write:events' });
    await expect(openid.clientCredentialsGrant(configuration, { scope: 'nothing' })).rejects.toMatchObject({
      error: 'invalid_scope',
    });
  });
});

async function countTokens(clientRef: string): Promise<number> {
  const { rows } = await harness.owner.query('SELECT FROM oauth_access_tokens WHERE client_ref = $1', [
    clientRef,
  ]);
  return rows.length;
}
