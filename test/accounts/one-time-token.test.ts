import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  consumeToken,
  deleteExpiredTokens,
  findToken,
  issueToken,
} from '../../src/accounts/one-time-token.ts';
import { newId } from '../../src/lib/ids.ts';
import { query } from '../support/database.ts';
import { openPeopleWorld, type PeopleWorld } from './people-world.ts';

let world: PeopleWorld;
beforeAll(async () => {
  world = await openPeopleWorld();
});
afterAll(() => world.close());

const now = () => world.clock.now();
const later = (ms: number) => new Date(now().getTime() + ms);

async function issue(subjectId = newId(), purpose: 'INVITATION' | 'PASSWORD_RESET' = 'PASSWORD_RESET') {
  const token = await issueToken(
    world.authPool,
    { purpose, subjectId },
    { now: now(), expiresAt: later(1_000) },
  );
  return { subjectId, token: token ?? '' };
}

const find = (token: string) => findToken(world.authPool, 'PASSWORD_RESET', token, now());
const consume = (token: string) => consumeToken(world.authPool, 'PASSWORD_RESET', token, now());

describe('a one-time token', () => {
  it('leads to its subject as often as it is looked at, and once when it is used', async () => {
    const { token, subjectId } = await issue();
    expect(token).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(await find(token)).toBe(subjectId);
    expect(await find(token)).toBe(subjectId);
    expect(await consume(token)).toBe(subjectId);
    expect(await find(token)).toBeNull();
    expect(await consume(token)).toBeNull();
  });

  it('is used by one of many who try at once', async () => {
    const { token, subjectId } = await issue();
    const results = await Promise.all(Array.from({ length: 8 }, () => consume(token)));
    expect(results.filter((result) => result !== null)).toEqual([subjectId]);
  });

  it('stands in the database as its hash alone', async () => {
    const { token, subjectId } = await issue();
    const [row] = await world.sql('SELECT hash FROM one_time_tokens WHERE subject_id = $1', [subjectId]);
    expect(row?.['hash']).toHaveLength(32);
    const dump = await world.sql('SELECT t::text AS row FROM one_time_tokens t');
    expect(JSON.stringify(dump)).not.toContain(token);
  });

  it('is good for its purpose alone', async () => {
    const { token } = await issue(newId(), 'INVITATION');
    expect(await find(token)).toBeNull();
    expect(await consume(token)).toBeNull();
  });

  it('ends when a new one of the same purpose and subject is made', async () => {
    const { token, subjectId } = await issue();
    const next = await issue(subjectId);
    expect(await consume(token)).toBeNull();
    expect(await consume(next.token)).toBe(subjectId);
    expect(await consume((await issue(subjectId)).token)).toBe(subjectId);
  });

  it('is not replaced when it was made a moment ago and the caller asks for a pause', async () => {
    const { token, subjectId } = await issue();
    const again = (notSince: Date) =>
      issueToken(
        world.authPool,
        { purpose: 'PASSWORD_RESET', subjectId },
        { now: now(), expiresAt: later(1_000), notSince },
      );
    expect(await again(later(-1))).toBeNull();
    expect(await find(token)).toBe(subjectId);
    expect(await again(later(1))).not.toBeNull();
  });

  it('ends with its time', async () => {
    const { token } = await issue();
    world.clock.advance(1_000);
    expect(await find(token)).toBeNull();
    expect(await consume(token)).toBeNull();
  });

  it.each(['', 'x'.repeat(43), 'x'.repeat(10_000), "' OR 1=1 --", '\0'.repeat(43), 'é'.repeat(43)])(
    'is not %j',
    async (text) => {
      expect(await find(text)).toBeNull();
      expect(await consume(text)).toBeNull();
    },
  );

  it('leaves the table once it has expired, with all others, in pieces', async () => {
    await world.sql('DELETE FROM one_time_tokens');
    const { subjectId } = await issue();
    await issue();
    expect(await deleteExpiredTokens(world.authPool, later(1_000), 100)).toBe(0);
    expect(await deleteExpiredTokens(world.authPool, later(1_001), 1)).toBe(2);
    expect(await world.sql('SELECT FROM one_time_tokens WHERE subject_id = $1', [subjectId])).toEqual([]);
  });

  it('can be made by no other role: neither a tenant nor a worker', async () => {
    const insert = `INSERT INTO one_time_tokens VALUES ('INVITATION', gen_random_uuid(), 'x', now(), now(), NULL)`;
    for (const url of [world.database.urls.tenantUrl, world.database.urls.workerUrl]) {
      await expect(query(url, insert)).rejects.toMatchObject({ code: '42501' });
    }
  });
});
