/** What the hourly job deletes of the authorization server's tables, and what it leaves. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cleanUpSessions } from '../../src/accounts/session.ts';
import { cleanUp } from '../../src/oauth/clean-up.ts';
import { deleteExpiredGrants } from '../../src/oauth/clean-up-statements.ts';
import { inBatches } from '../../src/platform/database/in-batches.ts';
import { type Harness, refusal, startHarness, type TestClient } from './harness.ts';
import {
  addPerson,
  addUserClient,
  allow,
  connect,
  exchange,
  opens,
  type Person,
  refresh,
  tokensOf,
} from './people.ts';

const DAY_MS = 86_400_000;
let harness: Harness;
let client: TestClient;
let person: Person;

beforeAll(async () => {
  harness = await startHarness();
  client = await addUserClient(harness);
});
afterAll(() => harness.close());
beforeEach(async () => {
  await harness.owner.query('DELETE FROM oauth_grants');
  person = await addPerson(harness);
});

async function count(table: string): Promise<number> {
  const { rows } = await harness.owner.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`);
  return rows[0]?.count ?? 0;
}

describe('the clean-up', () => {
  test('deletes a grant that ended a day ago, with its codes and refresh tokens (rule 60)', async () => {
    await connect(harness, { client, person });
    harness.clock.advance(91 * DAY_MS - 1_000);
    await cleanUp(harness);
    expect(await count('oauth_grants')).toBe(1);
    harness.clock.advance(2_000);
    await cleanUp(harness);
    for (const table of ['oauth_grants', 'oauth_authorization_codes', 'oauth_refresh_tokens']) {
      expect({ table, rows: await count(table) }).toEqual({ table, rows: 0 });
    }
  });

  test('deletes a code that nobody exchanged, with its grant, after a day (rule 60)', async () => {
    await allow(harness, { client, person });
    const kept = await connect(harness, { client, person });
    harness.clock.advance(DAY_MS + 301_000);
    await cleanUp(harness);
    expect(await count('oauth_grants')).toBe(1);
    expect(await count('oauth_authorization_codes')).toBe(1);
    expect((await refresh(harness, client, kept.refresh)).status).toBe(200);
  });

  test('keeps a used code as long as its grant, so that its replay still ends the family (rules 26 and 60)', async () => {
    const code = await allow(harness, { client, person });
    const first = tokensOf(await exchange(harness, client, code));
    harness.clock.advance(20 * DAY_MS);
    await cleanUp(harness);
    const second = tokensOf(await refresh(harness, client, first.refresh));
    expect(await opens(harness, second.access)).toBe(true);
    expect(await exchange(harness, client, code)).toMatchObject(refusal(400, 'invalid_grant'));
    expect(await opens(harness, second.access)).toBe(false);
    expect(harness.reuses.splice(0)).toHaveLength(1);
  });

  test('keeps an exchanged refresh token until it expires, so that its reuse still ends the family (rules 44 and 60)', async () => {
    const first = await connect(harness, { client, person });
    const second = tokensOf(await refresh(harness, client, first.refresh));
    harness.clock.advance(29 * DAY_MS);
    await cleanUp(harness);
    expect((await refresh(harness, client, first.refresh)).status).toBe(400);
    expect((await refresh(harness, client, second.refresh)).status).toBe(400);
    expect(harness.reuses.splice(0)).toHaveLength(1);
  });

  test('deletes refresh tokens that expired a day ago, and leaves their successors (rule 60)', async () => {
    const first = await connect(harness, { client, person });
    harness.clock.advance(20 * DAY_MS);
    const second = tokensOf(await refresh(harness, client, first.refresh));
    harness.clock.advance(11 * DAY_MS + 1_000);
    await cleanUp(harness);
    expect(await count('oauth_refresh_tokens')).toBe(1);
    expect((await refresh(harness, client, second.refresh)).status).toBe(200);
  });

  test('deletes a secret whose overlap ended a day ago, and no other (rules 55 and 60)', async () => {
    const other = await harness.addClient();
    const ended = (days: number) => new Date(harness.clock.now().getTime() - days * DAY_MS);
    await harness.owner.query(
      `INSERT INTO oauth_client_secrets (organization_id, id, client_ref, hash, expires_at)
       SELECT $1, gen_random_uuid(), $2, sha256(at::text::bytea), at FROM unnest($3::timestamptz[]) AS at`,
      [harness.organizationId, other.id, [ended(0.9), ended(1.1)]],
    );
    await cleanUp(harness);
    const { rowCount } = await harness.owner.query('SELECT FROM oauth_client_secrets WHERE client_ref = $1', [
      other.id,
    ]);
    expect(rowCount).toBe(2); // The one without an end, and the one that ended lately.
  });

  test('goes in pieces until nothing is left (rule 60)', async () => {
    await harness.owner.query(
      `INSERT INTO oauth_grants (organization_id, id, user_id, client_ref, scopes, expires_at)
       SELECT $1, gen_random_uuid(), $2, $3, '{read}', $4 FROM generate_series(1, 12)`,
      [harness.organizationId, person.id, client.id, new Date(0)],
    );
    let statements = 0;
    const counting = () => void (statements += 1);
    harness.pool.on('acquire', counting);
    expect(await inBatches(harness.pool, deleteExpiredGrants(new Date(1_000), 5), 5)).toBe(12);
    harness.pool.off('acquire', counting);
    expect(statements).toBe(3);
  });
});

test('Sessions that have expired are deleted, in pieces as well (rule 60)', async () => {
  await harness.owner.query(
    `INSERT INTO sessions (id, token_hash, user_id, created_at, last_used_at, expires_at)
     SELECT gen_random_uuid(), sha256(n::text::bytea), $1, to_timestamp(0), to_timestamp(0), to_timestamp(n) FROM generate_series(1, 5001) AS n`,
    [person.id],
  );
  expect(await cleanUpSessions(harness)).toBe(5_001);
});
