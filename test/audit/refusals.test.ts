import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RequestOrigin } from '../../src/audit/entry.ts';
import { REFUSAL_WINDOW_MS, type Refusals, startRefusals } from '../../src/audit/refusals.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { addUser } from './people.ts';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.authUrl, maxConnections: 2, onIdleError: () => {} });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const fail = (error: Error): void => {
  throw error;
};
const start = (clock: TurnableClock): Refusals => startRefusals({ pool, clock, onError: fail });

const entriesOf = (organizationId: string) =>
  query(
    database.ownerUrl,
    'SELECT action, actor_kind, target_label, occurrences, address FROM audit_entries WHERE organization_id = $1 ORDER BY id',
    [organizationId],
  );

/** Resolves when there are so many entries; each is written within a second. */
async function untilWritten(organizationId: string, count: number) {
  await expect.poll(async () => (await entriesOf(organizationId)).length).toBe(count);
  return entriesOf(organizationId);
}

const from = (address: string): RequestOrigin => ({ address, userAgent: null, requestId: null });
const attempt = (organizationId: string, id: string, address: string) =>
  ({
    action: 'oauth_client.refused',
    place: { organizationId },
    target: { type: 'OAuthClient', id, label: 'lms' },
    origin: from(address),
  }) as const;

describe('refused attempts', () => {
  it('are told when they begin, and again when their window ends: how many came after', async () => {
    const clock = turnableClock(new Date());
    const refusals = start(clock);
    const [organizationId, id] = [newId(), newId()];
    refusals.note(attempt(organizationId, id, '192.0.2.7'));
    const first = {
      action: 'oauth_client.refused',
      actor_kind: 'ANONYMOUS',
      target_label: 'lms',
      occurrences: 1,
      address: '192.0.2.7',
    };
    expect(await untilWritten(organizationId, 1)).toEqual([first]);
    for (let count = 0; count < 500; count += 1) refusals.note(attempt(organizationId, id, '192.0.2.7'));
    clock.advance(REFUSAL_WINDOW_MS);
    expect(await untilWritten(organizationId, 2)).toEqual([first, { ...first, occurrences: 500 }]);
    refusals.note(attempt(organizationId, id, '192.0.2.7'));
    expect(await untilWritten(organizationId, 3)).toEqual([first, { ...first, occurrences: 500 }, first]);
    await refusals.stop();
  });

  it('are told apart by their places: addresses of one IPv6 network are one', async () => {
    const refusals = start(turnableClock(new Date()));
    const [organizationId, id] = [newId(), newId()];
    for (const address of ['192.0.2.7', '192.0.2.8', '2001:db8::1', '2001:db8::2', '2001:db8:0:1::1']) {
      refusals.note(attempt(organizationId, id, address));
    }
    await refusals.stop();
    const entries = await entriesOf(organizationId);
    expect(entries.map(({ address, occurrences }) => `${String(address)} ${String(occurrences)}`)).toEqual([
      '192.0.2.7 1',
      '192.0.2.8 1',
      '2001:db8::1 2',
      '2001:db8:0:1::1 1',
    ]);
  });

  it('from ever more places fill no log: the rest is one entry', async () => {
    const refusals = start(turnableClock(new Date()));
    const [organizationId, id, another] = [newId(), newId(), newId()];
    for (let count = 0; count < 250; count += 1) {
      refusals.note(attempt(organizationId, id, `198.51.100.${count}`));
    }
    refusals.note(attempt(organizationId, another, '198.51.100.1'));
    await refusals.stop();
    const entries = await entriesOf(organizationId);
    expect(entries).toHaveLength(12);
    expect(entries.reduce((sum, { occurrences }) => sum + Number(occurrences), 0)).toBe(251);
    expect(entries.filter(({ address }) => address === null)).toMatchObject([{ occurrences: 240 }]);
  });

  it('on a person stand in the log of each organization of the person', async () => {
    const organizationId = newId();
    await query(
      database.ownerUrl,
      `INSERT INTO organizations (id, slug, name) VALUES ($1, 'north', 'North')`,
      [organizationId],
    );
    const owner = createPool({ url: database.ownerUrl, maxConnections: 1, onIdleError: () => {} });
    const userId = await addUser(owner, { organizations: [organizationId] });
    await owner.end();
    const refusals = start(turnableClock(new Date()));
    const target = { type: 'User', id: userId } as const;
    refusals.note({ action: 'session.refused', place: { userId }, target, origin: from('192.0.2.7') });
    await refusals.stop();
    expect(await entriesOf(organizationId)).toMatchObject([{ action: 'session.refused', occurrences: 1 }]);
  });

  it('are told when the process stops, with what was not told yet', async () => {
    const refusals = start(turnableClock(new Date()));
    const [organizationId, id] = [newId(), newId()];
    refusals.note(attempt(organizationId, id, '192.0.2.7'));
    await untilWritten(organizationId, 1);
    for (let count = 0; count < 3; count += 1) refusals.note(attempt(organizationId, id, '192.0.2.7'));
    await refusals.stop();
    expect((await entriesOf(organizationId)).map(({ occurrences }) => occurrences)).toEqual([1, 3]);
  });
});
