import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';
import { run } from '../../support/outcome.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('the narrow roles', () => {
  it.each([
    [
      'optio_worker',
      [
        'organizations',
        'users',
        'user_passwords',
        'memberships',
        'oauth_clients',
        'oauth_client_secrets',
        'oauth_access_tokens',
        'oauth_consents',
        'oauth_grants',
        'oauth_authorization_codes',
        'oauth_refresh_tokens',
        'signing_keys',
        'sessions',
        'audit_entries',
        'invitations',
        'one_time_tokens',
        'outgoing_mails',
        'second_factors',
        'recovery_codes',
        'quests',
        'tasks',
        'learners',
        'enrolments',
        'submissions',
        'task_completions',
        'badges',
        'badge_awards',
        'grades',
      ],
    ],
    [
      'optio_auth',
      [
        'audit_entries',
        'events',
        'event_idempotency_keys',
        'deliveries',
        'delivery_attempts',
        'delivery_updates',
        'delivery_statistics_deltas',
        'delivery_statistics',
        'replays',
        'webhook_subscriptions',
        'webhook_secrets',
        'webhook_subscription_health',
        'installation',
        'quests',
        'tasks',
        'learners',
        'enrolments',
        'submissions',
        'task_completions',
        'badges',
        'badge_awards',
        'grades',
      ],
    ],
    [
      'optio_tenant',
      [
        'user_passwords',
        'sessions',
        'second_factors',
        'recovery_codes',
        'signing_keys',
        'event_idempotency_keys',
        'installation',
        'partitioning',
        'oauth_authorization_codes',
        'oauth_refresh_tokens',
        'one_time_tokens',
        'outgoing_mails',
      ],
    ],
  ])('%s cannot read %j', async (role, names) => {
    const url = {
      optio_worker: database.urls.workerUrl,
      optio_auth: database.urls.authUrl,
      optio_tenant: database.urls.tenantUrl,
    }[role];
    for (const name of names) {
      expect(await run(url ?? '', `SELECT FROM ${name} LIMIT 1`)).toEqual({ code: '42501', count: 0 });
    }
  });

  it('can touch no partition directly, neither one that is there nor one that will be made', async () => {
    await query(database.ownerUrl, "SELECT optio.ensure_partitions(now() + interval '90 days')");
    const rows = await query(
      database.ownerUrl,
      `SELECT count(*)::int AS partitions, array_agg(c.relname || ' by ' || r) FILTER (WHERE
         has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')) AS open
       FROM pg_class c, unnest(ARRAY['public', 'optio_tenant', 'optio_worker', 'optio_auth']) AS r
       WHERE c.relispartition AND c.relkind = 'r'`,
    );
    expect(rows).toEqual([{ partitions: expect.any(Number), open: null }]);
    expect(Number(rows[0]?.['partitions'])).toBeGreaterThan(80);
  });

  it('share no function that runs with its owner’s rights with everybody', async () => {
    const rows = await query(
      database.ownerUrl,
      `SELECT p.proname AS name, has_function_privilege('public', p.oid, 'EXECUTE') AS open
       FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'optio'::regnamespace ORDER BY 1`,
    );
    expect(rows.length).toBeGreaterThan(2);
    expect(rows.filter((row) => row['open'] === true)).toEqual([]);
  });
});
