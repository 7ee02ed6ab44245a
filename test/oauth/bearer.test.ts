import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../src/lib/errors.ts';
import { challenge } from '../../src/oauth/bearer.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

function metadataParameter(): string {
  return `resource_metadata="${harness.issuer}/.well-known/oauth-protected-resource"`;
}

describe('where a token may stand (OAuth rule 48; RFC 6750 2)', () => {
  test.each(['Bearer', 'bearer', 'BEARER'])('takes the scheme %s', async (scheme) => {
    const authorization = `${scheme} ${await harness.token()}`;
    expect((await harness.callResource('/guarded/read:quests', { authorization })).status).toBe(200);
  });

  test('48: refuses a token in the query, alone and beside the header', async () => {
    const token = await harness.token();
    for (const headers of [{}, { authorization: `Bearer ${token}` }] as Record<string, string>[]) {
      const answer = await harness.callResource(`/guarded/read:quests?a=1&access_token=${token}`, headers);
      expect(answer.status).toBe(400);
      expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
    }
  });
});

describe('challenges (OAuth rule 49; RFC 6750 3, RFC 9728 5.1)', () => {
  test.each([undefined, 'Basic eDp5', 'Bearerx', ''])(
    '49: without a token (%s): no error code',
    async (authorization) => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await harness.callResource('/guarded/read:quests', headers);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe(`Bearer realm="optio", ${metadataParameter()}`);
    },
  );

  test('49: with a bad token: invalid_token', async () => {
    const answer = await harness.callResource('/guarded/read:quests', { authorization: 'Bearer x' });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer realm="optio", ${metadataParameter()}, error="invalid_token", error_description="The access token is not valid, or no longer."`,
    );
  });

  test.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer "x"'])(
    '49: a malformed header: %j',
    async (authorization) => {
      const answer = await harness.callResource('/guarded/read:quests', { authorization });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
    },
  );

  test('49: with too small a token: insufficient_scope, and the scope that is needed', async () => {
    const authorization = `Bearer ${await harness.token('read:quests')}`;
    const answer = await harness.callResource('/guarded/write:events', { authorization });
    expect(answer.status).toBe(403);
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer realm="optio", ${metadataParameter()}, error="insufficient_scope", error_description="This needs the scope write:events.", scope="write:events"`,
    );
  });

  test('none where another token would not help', () => {
    expect(challenge(new AppError('FORBIDDEN', 'This needs the role ADMIN.'), 'x')).toBeUndefined();
    expect(challenge(new AppError('NOT_FOUND', 'There is none.'), 'x')).toBeUndefined();
    expect(challenge(new AppError('UNAVAILABLE', 'Away.'), 'x')).toBeUndefined();
  });

  test('without an error code where somebody has to sign in', () => {
    expect(challenge(new AppError('UNAUTHENTICATED', 'Sign in.'), 'x')).toBe(
      'Bearer realm="optio", resource_metadata="x"',
    );
  });
});
