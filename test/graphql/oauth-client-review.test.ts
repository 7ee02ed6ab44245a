/** OAuth clients of all organizations in GraphQL, for an admin of the platform. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { graphql } from '../generated/gql/index.ts';
import {
  PLATFORM_CLIENTS,
  REGISTER,
  RESUME,
  register,
  review,
  UPDATE_CLIENT,
} from './oauth-client-operations.ts';
import { kindOf, read, startServer, type TestServer } from './support.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('An admin of the platform who is a member of no organization', () => {
  test('is a viewer without one, who sees nothing of any organization but its clients', async () => {
    const query = graphql(`
      query Myself { viewer { role isPlatformAdmin user { id } organization { id } } organization { id } }
    `);
    expect(await read(server, 'platform', query)).toEqual({
      viewer: { role: 'NONE', isPlatformAdmin: true, user: null, organization: null },
      organization: null,
    });
    const { registerOAuthClient } = await read(server, 'platform', REGISTER, {
      input: { name: 'Nobody’s', redirectUris: ['https://lms.example/cb'] },
    });
    expect(kindOf(registerOAuthClient)).toBe('ForbiddenError');
  });

  test('finds what waits in all organizations, and approves fewer scopes', async () => {
    const { client } = await register(server, { scopes: ['read', 'write'] });
    const theirs = await register(server, {}, 'south-admin');
    const filter = { awaitsReview: true };
    const { platformOAuthClients: queue } = await read(server, 'platform', PLATFORM_CLIENTS, { filter });
    const waiting = queue.nodes.map(({ id, organizationName }) => [id, organizationName]);
    expect(waiting).toEqual(
      expect.arrayContaining([
        [client.id, 'North'],
        [theirs.client.id, 'South'],
      ]),
    );
    expect(queue.totalCount.value).toBe(queue.nodes.length);
    expect(
      await review(server, {
        id: client.id,
        expectedVersion: 1,
        decision: 'APPROVE',
        scopes: ['read:quests'],
      }),
    ).toMatchObject({
      client: {
        status: 'APPROVED',
        version: 2,
        scopes: [{ name: 'read:quests' }],
        redirectUris: ['https://lms.example/cb'],
        grantTypes: ['AUTHORIZATION_CODE', 'REFRESH_TOKEN'],
        request: null,
      },
    });
    const { platformOAuthClients: rest } = await read(server, 'platform', PLATFORM_CLIENTS, { filter });
    expect(rest.nodes.map(({ id }) => id)).not.toContain(client.id);
  });

  test('rejects and suspends with a reason, and resumes', async () => {
    const { client } = await register(server);
    const id = client.id;
    expect(await review(server, { id, expectedVersion: 1, decision: 'REJECT' })).toMatchObject({
      faults: [{ path: ['input', 'reason'] }],
    });
    expect(
      await review(server, { id, expectedVersion: 1, decision: 'REJECT', reason: 'Unknown LMS.' }),
    ).toMatchObject({ client: { status: 'REJECTED', statusReason: 'Unknown LMS.' } });
    expect(await review(server, { id, expectedVersion: 2, decision: 'APPROVE' })).toMatchObject({
      client: { status: 'APPROVED', statusReason: null },
    });
    const suspend = { id, expectedVersion: 3, decision: 'SUSPEND', reason: 'Abuse.' } as const;
    expect(await review(server, suspend)).toMatchObject({
      client: { status: 'SUSPENDED', isSuspendedByPlatform: true },
    });
    const { resumeOAuthClient } = await read(server, 'north-admin', RESUME, { input: { id } });
    expect(kindOf(resumeOAuthClient)).toBe('ForbiddenError');
    expect(await review(server, { id, expectedVersion: 4, decision: 'RESUME' })).toMatchObject({
      client: { status: 'APPROVED', isSuspendedByPlatform: false },
    });
  });

  test('decides about the version that was seen; a late decision brings the present one', async () => {
    const { client } = await register(server);
    await read(server, 'north-admin', UPDATE_CLIENT, {
      input: { id: client.id, redirectUris: ['https://evil.example/'] },
    });
    expect(await review(server, { id: client.id, expectedVersion: 1, decision: 'APPROVE' })).toMatchObject({
      __typename: 'ConflictError',
      currentVersion: 2,
      current: { __typename: 'OAuthClient', version: 2 },
    });
  });

  test('is told of what has no meaning', async () => {
    const { client } = await register(server);
    const wrong = [
      { decision: 'REJECT', reason: 'No.', scopes: ['read'] },
      { decision: 'APPROVE', reason: 'Yes.' },
      { decision: 'APPROVE', scopes: ['write'] },
    ] as const;
    for (const decision of wrong) {
      const input = {
        id: client.id,
        expectedVersion: 1,
        ...decision,
        scopes: 'scopes' in decision ? [...decision.scopes] : null,
      };
      expect(kindOf(await review(server, input))).toBe('ValidationError');
    }
  });
});
