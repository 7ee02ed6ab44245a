import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATOR } from '../../src/audit/entry.ts';
import { LEAST_AHEAD_MS, rotateSigningKey } from '../../src/oauth/key-rotation.ts';
import { REFRESH_MS, type SigningAlgorithm } from '../../src/oauth/signing-key.ts';
import { type Harness, MASTER_KEYS, startHarness } from './harness.ts';

let harness: Harness;
const use = (token: string) => harness.callResource('/viewer', { authorization: `Bearer ${token}` });
const jwks = () => createRemoteJWKSet(new URL(`${harness.issuer}/api/oauth/jwks`));

describe('RS256 by configuration (RFC 9068 2.1)', () => {
  beforeAll(async () => {
    harness = await startHarness({ signingAlgorithm: 'RS256' });
  });
  afterAll(() => harness.close());

  test('signs tokens that the published key verifies, and that are good here', async () => {
    const token = await harness.token();
    const { protectedHeader } = await jwtVerify(token, jwks(), { algorithms: ['RS256'] });
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'at+jwt', kid: expect.any(String) });
    expect((await use(token)).status).toBe(200);
  });

  test('50: a token that names another algorithm than its key is refused', async () => {
    const token = await harness.token();
    const { kid } = decodeProtectedHeader(token);
    const { privateKey } = await generateKeyPair('ES256');
    const header = { alg: 'ES256', typ: 'at+jwt', kid: String(kid) };
    const forged = await new SignJWT(decodeJwt(token)).setProtectedHeader(header).sign(privateKey);
    expect(await use(forged)).toMatchObject({ status: 401 });
    expect(harness.reported).toEqual([]);
  });
});

describe('Another algorithm', () => {
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness.close());

  const rotate = (signingAlgorithm: SigningAlgorithm) =>
    rotateSigningKey(
      { pool: harness.pool, masterKeys: MASTER_KEYS, clock: harness.clock, signingAlgorithm },
      { source: OPERATOR, endTokens: false },
    );

  test('59: comes with the next key; what the one before signed stays good', async () => {
    const before = await harness.token();
    await rotate('RS256');
    harness.clock.advance(LEAST_AHEAD_MS + REFRESH_MS);
    const after = await harness.token();
    expect([before, after].map((token) => decodeProtectedHeader(token).alg)).toEqual(['ES256', 'RS256']);
    for (const token of [before, after]) {
      expect((await use(token)).status).toBe(200);
      await jwtVerify(token, jwks(), { currentDate: harness.clock.now() });
    }
  });
});
