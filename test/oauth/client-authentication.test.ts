import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/lib/crypto.ts';
import type { Client } from '../../src/oauth/client.ts';
import { authenticateClient } from '../../src/oauth/client-authentication.ts';
import { type Answer, basic, GRANT, type Harness, inBody, refusal, startHarness } from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

describe('client authentication (OAuth rules 33 to 37; RFC 6749 2.3.1)', () => {
  test('33: refuses two methods at once', async () => {
    const { clientId, secret } = harness.client;
    const answer = await harness.post({ ...GRANT, ...inBody(harness.client) }, basic(clientId, secret));
    expect(answer).toMatchObject(refusal(400, 'invalid_request'));
  });

  test('33: refuses a body that names another client than the header', async () => {
    const { clientId, secret } = harness.client;
    const header = basic(clientId, secret);
    expect((await harness.post({ ...GRANT, client_id: clientId }, header)).status).toBe(200);
    expect(await harness.post({ ...GRANT, client_id: 'another' }, header)).toMatchObject(
      refusal(400, 'invalid_request'),
    );
  });

  test('34: takes client_secret_basic and client_secret_post', async () => {
    const { clientId, secret } = harness.client;
    expect((await harness.post(GRANT, basic(clientId, secret))).status).toBe(200);
    expect((await harness.post({ ...GRANT, ...inBody(harness.client) })).status).toBe(200);
  });

  test.each(['a+b%2F:c d/é', 'not%encoded%zz'])(
    '34: reads Basic both form-encoded and raw: %j',
    async (odd) => {
      const client = await addClientWithSecret(odd);
      const encoded = new URLSearchParams({ '': odd }).toString().slice(1);
      expect((await harness.post(GRANT, basic(client.clientId, encoded))).status).toBe(200);
      expect((await harness.post(GRANT, basic(client.clientId, odd))).status).toBe(200);
      expect((await harness.post(GRANT, basic(client.clientId, `${odd}x`))).status).toBe(401);
    },
  );

  test('34: the scheme may be in any case', async () => {
    const { authorization } = basic(harness.client.clientId, harness.client.secret);
    expect(
      (await harness.post(GRANT, { authorization: authorization.replace('Basic', 'bASIC') })).status,
    ).toBe(200);
  });

  test('35: invalid_client is 401, with a challenge exactly when the header was used', async () => {
    const viaHeader = await harness.post(GRANT, basic(harness.client.clientId, 'wrong'));
    expect(viaHeader).toMatchObject(refusal(401, 'invalid_client'));
    expect(viaHeader.headers['www-authenticate']).toMatch(/^Basic realm="/);
    const viaBody = await harness.post({
      ...GRANT,
      client_id: harness.client.clientId,
      client_secret: 'wrong',
    });
    expect(viaBody).toMatchObject(refusal(401, 'invalid_client'));
    expect(viaBody.headers).not.toHaveProperty('www-authenticate');
  });

  test.each(['Basic', 'Basic !!!', 'Basic bm9jb2xvbg==', 'Basic OnNlY3JldA==', 'Bearer abc', 'Digest x'])(
    '35: refuses the header %j with a challenge',
    async (authorization) => {
      const answer = await harness.post({ ...GRANT, client_id: harness.client.clientId }, { authorization });
      expect(answer.status).toBe(401);
      expect(answer.body.error).toBe('invalid_client');
      expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
    },
  );

  test('36: an unknown client and a wrong secret look alike and cost alike', async () => {
    await harness.token(); // The client is remembered from here on.
    const refusals: Answer[] = [];
    for (const [clientId, secret] of [
      [harness.client.clientId, 'wrong'],
      ['nobody', 'wrong'],
      [(await harness.addClient()).clientId, 'wrong'],
    ] as const) {
      const trips = await countRoundTrips(async () => {
        const { status, body, headers } = await harness.post(GRANT, basic(clientId, secret));
        refusals.push({ status, body, headers: { ...headers, date: '', 'x-request-id': '' } });
      });
      expect(trips).toBe(1);
    }
    expect(refusals[1]).toEqual(refusals[0]);
    expect(refusals[2]).toEqual(refusals[0]);
  });

  test.each(['x\u0000y', 'é', ' ', 'x'.repeat(10_000), "' OR 1=1 --"])(
    '36: a client_id that cannot exist is an unknown one: %j',
    async (clientId) => {
      const answer = await harness.post({ ...GRANT, client_id: clientId, client_secret: 'x\u0000' });
      expect(answer).toMatchObject(refusal(401, 'invalid_client'));
    },
  );

  test('37: a confidential client cannot leave its secret out', async () => {
    const clientId = { client_id: harness.client.clientId };
    expect(await harness.post({ ...GRANT, ...clientId })).toMatchObject(refusal(401, 'invalid_client'));
    const withVerifier = { ...GRANT, ...clientId, code_verifier: 'x'.repeat(43) };
    expect(await harness.post(withVerifier)).toMatchObject(refusal(401, 'invalid_client'));
    expect(await harness.post(GRANT)).toMatchObject(refusal(401, 'invalid_client'));
  });

  test('a client without any valid secret cannot authenticate, not even with an empty one', async () => {
    const client = await harness.addClient();
    await harness.owner.query('DELETE FROM oauth_client_secrets WHERE client_ref = $1', [client.id]);
    expect(await harness.post(GRANT, basic(client.clientId, client.secret))).toMatchObject(
      refusal(401, 'invalid_client'),
    );
    expect(await harness.post(GRANT, basic(client.clientId, ''))).toMatchObject(
      refusal(401, 'invalid_client'),
    );
  });

  test('what is compared where there is no secret is itself no secret', async () => {
    const found: Client = {
      organizationId: harness.organizationId,
      id: harness.client.id,
      clientId: 'no-secrets',
      type: 'CONFIDENTIAL',
      status: 'APPROVED',
      grantTypes: [],
      scopes: [],
      redirectUris: [],
      secretHashes: [],
    };
    const secretHashes = [Buffer.alloc(32)];
    const credentials = { clientId: 'no-secrets', secretHashes, method: 'client_secret_post' } as const;
    expect(authenticateClient(found, credentials)).toBeUndefined();
    expect(authenticateClient({ ...found, secretHashes }, credentials)).toMatchObject({
      clientId: 'no-secrets',
    });
  });
});

async function addClientWithSecret(secret: string) {
  const client = await harness.addClient();
  await harness.owner.query('UPDATE oauth_client_secrets SET hash = $1 WHERE client_ref = $2', [
    sha256(secret),
    client.id,
  ]);
  return client;
}

async function countRoundTrips(work: () => Promise<void>): Promise<number> {
  let trips = 0;
  const count = () => void trips++;
  harness.pool.on('acquire', count);
  await work();
  harness.pool.off('acquire', count);
  return trips;
}
