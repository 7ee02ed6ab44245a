/** OAuth clients through GraphQL: by admins of organizations, and by admins of the platform. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { newId } from '../../src/lib/ids.ts';
import { graphql } from '../generated/gql/index.ts';
import {
  CLIENTS,
  DELETE_CLIENT,
  END_OVERLAP,
  PLATFORM_CLIENTS,
  REGISTER,
  RESUME,
  REVIEW,
  ROTATE_CLIENT,
  register,
  review,
  SUSPEND,
  UPDATE_CLIENT,
} from './oauth-client-operations.ts';
import { execute, kindOf, read, startServer, type TestServer } from './support.ts';
import { NORTH, SOUTH } from './viewers.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('registerOAuthClient', () => {
  test('answers the client, which waits, and its secret; the same for the same idempotency key', async () => {
    const input = {
      preset: 'MOODLE' as const,
      scopes: ['read:grades'],
      idempotencyKey: newId(),
      organizationId: globalId('Organization', NORTH),
    };
    const first = await register(server, input);
    expect(first).toMatchObject({
      clientSecret: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
      deduplicated: false,
      client: {
        name: 'Gradebook',
        type: 'CONFIDENTIAL',
        preset: 'MOODLE',
        status: 'PENDING',
        organizationName: 'North',
        scopes: [],
        redirectUris: [],
        grantTypes: [],
        requiresPkce: true,
        request: {
          scopes: [{ name: 'read:grades', description: 'See grades.', risk: 'MEDIUM' }],
          redirectUris: ['https://lms.example/cb'],
          grantTypes: ['AUTHORIZATION_CODE', 'REFRESH_TOKEN'],
          requiresPkce: false,
        },
        secrets: [{ expiresAt: null }],
        version: 1,
      },
    });
    expect(await register(server, input)).toEqual({ ...first, deduplicated: true });
  });

  test('names every fault at once, in the words of its input', async () => {
    const input = {
      name: '',
      redirectUris: ['http://lms.example/cb'],
      scopes: ['everything'],
      homepageUrl: 'http://x',
    };
    const { registerOAuthClient } = await read(server, 'north-admin', REGISTER, { input });
    expect(registerOAuthClient).toMatchObject({
      __typename: 'ValidationError',
      faults: [
        { path: ['input', 'name'] },
        { path: ['input', 'homepageUrl'] },
        { path: ['input', 'redirectUris', '0'] },
        { path: ['input', 'scopes', '0'] },
      ],
    });
  });
});

describe('An organization', () => {
  test('lists its clients by pages and status', async () => {
    const [, second] = [await register(server), await register(server)];
    const { organization: page } = await read(server, 'north-admin', CLIENTS, { first: 1 });
    expect(page?.oauthClients.nodes.map(({ id }) => id)).toEqual([second.client.id]);
    expect(page?.oauthClients.pageInfo.hasNextPage).toBe(true);
    const after = page?.oauthClients.pageInfo.endCursor ?? null;
    const { organization: rest } = await read(server, 'north-admin', CLIENTS, { first: 100, after });
    expect(rest?.oauthClients.nodes.map(({ id }) => id)).not.toContain(second.client.id);
    const filter = { status: 'APPROVED', clientId: second.client.clientId } as const;
    const { organization: none } = await read(server, 'north-admin', CLIENTS, { filter });
    expect(none?.oauthClients).toMatchObject({ totalCount: { value: 0 }, nodes: [] });
  });

  test('does not find the clients of another one, by any way', async () => {
    const { client } = await register(server);
    const find = graphql(`
      query FindClient($clientId: String!, $id: ID!) {
        oauthClient(clientId: $clientId) { id }
        node(id: $id) { id }
      }
    `);
    const asked = { clientId: client.clientId, id: client.id };
    expect(await read(server, 'north-admin', find, asked)).toEqual({
      oauthClient: { id: client.id },
      node: { id: client.id },
    });
    expect(await read(server, 'south-admin', find, asked)).toEqual({ oauthClient: null, node: null });
    const { id } = client;
    const answers = [
      (await read(server, 'south-admin', UPDATE_CLIENT, { input: { id, name: 'Ours' } })).updateOAuthClient,
      (await read(server, 'south-admin', SUSPEND, { input: { id, reason: 'Ours.' } })).suspendOAuthClient,
      (await read(server, 'south-admin', RESUME, { input: { id } })).resumeOAuthClient,
      (await read(server, 'south-admin', ROTATE_CLIENT, { input: { id } })).rotateOAuthClientSecret,
      (await read(server, 'south-admin', END_OVERLAP, { input: { id } })).endOAuthClientSecretOverlap,
      (await read(server, 'south-admin', DELETE_CLIENT, { input: { id } })).deleteOAuthClient,
    ];
    expect(answers.map(kindOf)).toEqual(answers.map(() => 'NotFoundError'));
    const theirs = { name: 'Theirs', organizationId: globalId('Organization', SOUTH) };
    const { registerOAuthClient } = await read(server, 'north-admin', REGISTER, { input: theirs });
    expect(kindOf(registerOAuthClient)).toBe('NotFoundError');
  });

  test('cannot approve its client: reviewing is for admins of the platform', async () => {
    const { client } = await register(server);
    const input = { id: client.id, expectedVersion: 1, decision: 'APPROVE' } as const;
    const { reviewOAuthClient } = await read(server, 'north-admin', REVIEW, { input });
    expect(kindOf(reviewOAuthClient)).toBe('ForbiddenError');
    const { errors } = await execute(server, 'north-admin', PLATFORM_CLIENTS, {});
    expect(errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
  });

  test('changes a client; another version brings the present one', async () => {
    const { client } = await register(server);
    const input = {
      id: client.id,
      expectedVersion: 1,
      name: 'Grades',
      homepageUrl: 'https://lms.example/about',
    };
    const { updateOAuthClient: changed } = await read(server, 'north-admin', UPDATE_CLIENT, { input });
    expect(changed).toMatchObject({
      client: { name: 'Grades', homepageUrl: 'https://lms.example/about', version: 2, status: 'PENDING' },
    });
    const { updateOAuthClient: late } = await read(server, 'north-admin', UPDATE_CLIENT, { input });
    expect(late).toMatchObject({
      __typename: 'ConflictError',
      currentVersion: 2,
      current: { __typename: 'OAuthClient', name: 'Grades', version: 2 },
    });
    const { updateOAuthClient: emptied } = await read(server, 'north-admin', UPDATE_CLIENT, {
      input: { id: client.id, homepageUrl: null },
    });
    expect(emptied).toMatchObject({ client: { name: 'Grades', homepageUrl: null } });
  });

  test('rotates a secret, ends the overlap, suspends, resumes and deletes', async () => {
    const { client } = await register(server);
    await review(server, { id: client.id, expectedVersion: 1, decision: 'APPROVE' });
    const { id } = client;
    const { rotateOAuthClientSecret: rotated } = await read(server, 'north-admin', ROTATE_CLIENT, {
      input: { id, overlapSeconds: 3_600 },
    });
    const overlapEndsAt = new Date(server.clock.now().getTime() + 3_600_000).toISOString();
    expect(rotated).toMatchObject({
      clientSecret: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
      overlapEndsAt,
      deduplicated: false,
      client: { secrets: [{ expiresAt: null }, { expiresAt: overlapEndsAt }] },
    });
    const { endOAuthClientSecretOverlap: ended } = await read(server, 'north-admin', END_OVERLAP, {
      input: { id },
    });
    expect(ended).toMatchObject({ client: { secrets: [{ expiresAt: null }] } });
    const { suspendOAuthClient: suspended } = await read(server, 'north-admin', SUSPEND, {
      input: { id, reason: 'Holidays.' },
    });
    expect(suspended).toMatchObject({ client: { status: 'SUSPENDED', statusReason: 'Holidays.' } });
    const { resumeOAuthClient: resumed } = await read(server, 'north-admin', RESUME, { input: { id } });
    expect(resumed).toMatchObject({ client: { status: 'APPROVED' } });
    const { deleteOAuthClient: deleted } = await read(server, 'north-admin', DELETE_CLIENT, {
      input: { id },
    });
    expect(deleted).toMatchObject({ deletedId: id });
    const { rotateOAuthClientSecret: gone } = await read(server, 'north-admin', ROTATE_CLIENT, {
      input: { id },
    });
    expect(kindOf(gone)).toBe('NotFoundError');
  });
});

test('Query.scopes tells the hierarchy, in sentences with their risk', async () => {
  const query = graphql(`query ScopeHierarchy { scopes { name description risk contains } }`);
  const { scopes } = await read(server, 'north-student', query);
  const byName = new Map(scopes.map((scope) => [scope.name, scope]));
  expect(byName.get('read')?.contains).toEqual([
    'read:quests',
    'read:tasks',
    'read:badges',
    'read:grades',
    'read:users',
  ]);
  expect(byName.get('write')?.contains).toContain('read');
  expect(byName.get('write:webhooks')).toEqual({
    name: 'write:webhooks',
    description: 'Create, change and delete webhook subscriptions, and send deliveries again.',
    risk: 'HIGH',
    contains: ['read:webhooks'],
  });
  for (const { contains } of scopes) for (const name of contains) expect(byName.has(name)).toBe(true);
});

test('Query.oauthClientPresets tells what each LMS needs', async () => {
  const query = graphql(`
    query Presets { oauthClientPresets { name label grantTypes requiresPkce redirectUriExample hint } }
  `);
  const { oauthClientPresets } = await read(server, 'north-student', query);
  expect(oauthClientPresets.map(({ name, requiresPkce }) => [name, requiresPkce])).toEqual([
    ['CANVAS', false],
    ['MOODLE', false],
    ['BLACKBOARD', true],
    ['SCHOOLOGY', true],
    ['GOOGLE_CLASSROOM', true],
    ['GENERIC', true],
  ]);
});
