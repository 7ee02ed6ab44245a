/** For how long an organization keeps its history, through GraphQL (webhooks rule 40). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { execute, kindOf, read, startServer, type TestServer } from './support.ts';
import { ADMIN_ID, NORTH, SOUTH } from './viewers.ts';

const RETENTION = graphql(`
  query Retention {
    organization {
      retention { days bodyDays serverDays serverBodyDays effectiveDays effectiveBodyDays version }
    }
  }
`);
const UPDATE = graphql(`
  mutation UpdateRetention($input: UpdateRetentionInput!) {
    updateRetention(input: $input) {
      __typename
      ... on UpdateRetentionPayload { retention { days bodyDays effectiveDays effectiveBodyDays version } }
      ... on ValidationError { faults { path message } }
      ... on ConflictError { currentVersion }
    }
  }
`);

let server: TestServer;

beforeAll(async () => {
  server = await startServer(() => ({ retentionLimits: { days: 90, bodyDays: 60 } }));
});
afterAll(() => server.close());

const change = async (input: object, token = 'north-admin') =>
  (await read(server, token, UPDATE, { input })).updateRetention;
const retentionOf = async (token: string) => (await read(server, token, RETENTION)).organization?.retention;

describe('the retention of an organization', () => {
  test('is the server’s until something else is chosen (rule 40)', async () => {
    expect(await retentionOf('south-admin')).toEqual({
      days: null,
      bodyDays: null,
      serverDays: 90,
      serverBodyDays: 60,
      effectiveDays: 90,
      effectiveBodyDays: 60,
      version: 1,
    });
  });

  test('is changed by its admin, for itself alone, and the audit log tells of it (rule 40)', async () => {
    expect(await change({ days: 30 })).toMatchObject({
      retention: { days: 30, bodyDays: null, effectiveDays: 30, effectiveBodyDays: 30, version: 2 },
    });
    expect(await change({ bodyDays: 7, expectedVersion: 2 })).toMatchObject({
      retention: { days: 30, bodyDays: 7, effectiveDays: 30, effectiveBodyDays: 7, version: 3 },
    });
    // The same again changes nothing, and nothing is recorded.
    expect(await change({ bodyDays: 7 })).toMatchObject({ retention: { version: 3 } });
    expect(await change({ days: null })).toMatchObject({ retention: { days: null, effectiveDays: 90 } });
    const stored = await server.sql('SELECT id, retention_days, body_retention_days FROM organizations');
    expect(stored).toEqual(
      expect.arrayContaining([
        { id: NORTH, retention_days: null, body_retention_days: 7 },
        { id: SOUTH, retention_days: null, body_retention_days: null },
      ]),
    );
    const entries = await server.sql(
      'SELECT organization_id, actor_id, target_id, changes FROM audit_entries WHERE action = $1 ORDER BY id',
      ['organization.retention_changed'],
    );
    const by = { organization_id: NORTH, actor_id: ADMIN_ID, target_id: NORTH };
    expect(entries).toEqual([
      { ...by, changes: { days: { from: null, to: 30 } } },
      { ...by, changes: { body_days: { from: null, to: 7 } } },
      { ...by, changes: { days: { from: 30, to: null } } },
    ]);
  });

  test.for([
    [{ days: 91 }, 'days', '7 to 90'],
    [{ days: 6 }, 'days', '7 to 90'],
    [{ bodyDays: 61 }, 'bodyDays', '1 to 60'],
    [{ bodyDays: 0 }, 'bodyDays', '1 to 60'],
  ] as const)(
    'is never longer than the server’s, whose limit is named: %j (rule 40)',
    async ([input, field, limits]) => {
      expect(await change(input)).toMatchObject({
        faults: [{ path: ['input', field], message: expect.stringContaining(limits) }],
      });
    },
  );

  test('is not changed under another version (rule 40)', async () => {
    expect(await change({ days: 20, expectedVersion: 99 })).toMatchObject({
      __typename: 'ConflictError',
      currentVersion: expect.any(Number),
    });
  });

  test.for(['north', 'north-admin-token', 'north-student'])('is nothing to %s (rule 40)', async (token) => {
    expect(kindOf(await change({ days: 20 }, token))).toBe('ForbiddenError');
    const { data, errors } = await execute(server, token, RETENTION);
    expect(data?.organization ?? null).toBeNull();
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });
});

test('An organization is found with its settings by its id alone in its own session (rule 40)', async () => {
  const { data } = await execute(
    server,
    'south-admin',
    graphql(`query RetentionById($id: ID!) { organization(id: $id) { retention { days } } }`),
    { id: globalId('Organization', NORTH) },
  );
  expect(data?.organization).toBeNull();
});
