/** How signing keys follow one another, over several processes on one database. */
import { decodeProtectedHeader } from 'jose';
import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OPERATOR, PLATFORM } from '../../src/audit/entry.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import type { MasterKeys } from '../../src/lib/crypto.ts';
import {
  keepSigningKeys,
  LEAST_AHEAD_MS,
  OVERLAP_MS,
  PUBLISHED_AHEAD_MS,
  rotateSigningKey,
  SIGNING_KEY_MS,
} from '../../src/oauth/key-rotation.ts';
import { createSigningKeys } from '../../src/oauth/signing-key.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { type Harness, startHarness } from './harness.ts';

const MASTER: MasterKeys = [Buffer.alloc(32, 1)];
const TOKEN_MS = 3_600_000;
let database: TestDatabase;
let pools: readonly [Pool, Pool];
let clock: TurnableClock;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = () =>
    createPool({ url: database.urls.authUrl, maxConnections: 5, onIdleError: () => undefined });
  pools = [open(), open()];
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await database.drop();
});
beforeEach(async () => {
  clock = turnableClock(new Date('2026-11-27T12:00:00Z'));
  await pools[0].query('DELETE FROM signing_keys');
});

/** A process as it is while no key is made by hand: its keys, and its scheduled job. */
function aProcess(pool: Pool = pools[0]) {
  const deps = { pool, masterKeys: MASTER, clock };
  const keys = createSigningKeys(deps);
  return {
    signer: async () => (await keys.current()).kid,
    knows: async (kid: string) => (await keys.find(kid, 'ES256')) !== undefined,
    published: async () => (await keys.jwks()).keys.map(({ kid }) => kid),
    keep: () => keepSigningKeys(deps),
    rotate: (endTokens = false) => rotateSigningKey(deps, { source: OPERATOR, endTokens }),
  };
}

describe('by schedule', () => {
  test('the next key is published a day before it signs, in every process (rule 59)', async () => {
    const [one, other] = [aProcess(pools[0]), aProcess(pools[1])];
    const first = await one.signer();
    expect(await other.signer()).toBe(first);
    clock.advance(SIGNING_KEY_MS - PUBLISHED_AHEAD_MS - 1_000);
    expect(await one.keep()).toBeUndefined();
    clock.advance(1_000);
    const next = (await one.keep())?.kid ?? '';
    clock.advance(60_000); // By then every process has read the keys again.
    for (const process of [one, other]) {
      expect(await process.published()).toEqual([next, first]);
      expect(await process.signer()).toBe(first);
    }
    clock.advance(PUBLISHED_AHEAD_MS - 60_000);
    for (const process of [one, other]) expect(await process.signer()).toBe(next);
  });

  test('the old key is published until its last token is gone, and no longer (rule 59)', async () => {
    const process = aProcess();
    const first = await process.signer();
    clock.advance(SIGNING_KEY_MS - PUBLISHED_AHEAD_MS);
    const next = await process.keep();
    clock.advance(PUBLISHED_AHEAD_MS - 1);
    expect(await process.signer()).toBe(first); // A token of this moment is good for an hour.
    clock.advance(TOKEN_MS);
    expect(await process.knows(first)).toBe(true);
    clock.advance(OVERLAP_MS - TOKEN_MS);
    expect(await process.knows(first)).toBe(true);
    clock.advance(1);
    expect(await process.knows(first)).toBe(false);
    expect(await process.published()).toEqual([next?.kid]);
    await process.keep();
    expect((await pools[0].query('SELECT FROM signing_keys')).rowCount).toBe(1);
  });

  test('of many processes at the same time one makes the next key (rule 59)', async () => {
    await aProcess().signer();
    clock.advance(SIGNING_KEY_MS);
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, index) => aProcess(pools[index % 2 === 0 ? 0 : 1]).keep()),
    );
    expect(made.filter((rotation) => rotation !== undefined)).toHaveLength(1);
    expect(await aProcess().published()).toHaveLength(2);
  });

  test('an installation that rested for a year goes on with its key, and gets the next one (rule 59)', async () => {
    const first = await aProcess().signer();
    clock.advance(4 * SIGNING_KEY_MS);
    const process = aProcess();
    const next = await process.keep();
    expect(await process.signer()).toBe(first);
    clock.advance(PUBLISHED_AHEAD_MS);
    expect(await process.signer()).toBe(next?.kid);
    expect(await process.keep()).toBeUndefined();
  });

  test('makes no first key: that is made when it is needed', async () => {
    expect(await aProcess().keep()).toBeUndefined();
    expect((await pools[0].query('SELECT FROM signing_keys')).rowCount).toBe(0);
  });
});

describe('by hand', () => {
  test('another key is published ten minutes before it signs; asked for again, it is the same (rule 59)', async () => {
    const process = aProcess();
    const first = await process.signer();
    const rotated = await process.rotate();
    expect(rotated.signsFrom).toEqual(new Date(clock.now().getTime() + LEAST_AHEAD_MS));
    clock.advance(LEAST_AHEAD_MS - 1);
    expect(await process.rotate()).toMatchObject({ kid: rotated.kid, signsFrom: rotated.signsFrom });
    expect(await process.signer()).toBe(first);
    expect(await process.published()).toEqual([rotated.kid, first]);
    clock.advance(1);
    expect(await process.signer()).toBe(rotated.kid);
    expect(await process.knows(first)).toBe(true);
  });

  test('a key that waits for its day comes sooner, and the old one still lasts as long as its tokens (rule 59)', async () => {
    const process = aProcess();
    const first = await process.signer();
    clock.advance(SIGNING_KEY_MS - PUBLISHED_AHEAD_MS);
    const next = await process.keep();
    expect((await process.rotate()).kid).toBe(next?.kid);
    clock.advance(LEAST_AHEAD_MS);
    expect(await process.signer()).toBe(next?.kid);
    clock.advance(OVERLAP_MS - 1);
    expect(await process.knows(first)).toBe(true);
    clock.advance(1);
    expect(await process.knows(first)).toBe(false);
  });

  test('a stolen key is of no use within a minute, in every process (rule 59)', async () => {
    const [one, other] = [aProcess(pools[0]), aProcess(pools[1])];
    const first = await one.signer();
    await other.signer();
    const { kid } = await one.rotate(true);
    clock.advance(60_000);
    for (const process of [one, other]) {
      expect(await process.signer()).toBe(kid);
      expect(await process.published()).toEqual([kid]);
      expect(await process.knows(first)).toBe(false);
    }
  });

  test('the audit log tells of keys made, hastened and ended, and holds none (rules 56 and 59)', async () => {
    const process = aProcess();
    const first = await process.signer();
    clock.advance(SIGNING_KEY_MS);
    await process.keep();
    const { kid: next } = await process.rotate();
    const rows = await query(
      database.ownerUrl,
      `SELECT action || ' ' || target_id AS what, actor_kind AS actor FROM audit_entries
       WHERE organization_id = $1 AND target_id = ANY ($2) ORDER BY id`,
      [PLATFORM, [first, next]],
    );
    expect(rows).toEqual([
      { what: `signing_key.created ${first}`, actor: 'SYSTEM' },
      { what: `signing_key.created ${next}`, actor: 'SYSTEM' },
      { what: `signing_key.retired ${first}`, actor: 'SYSTEM' },
      { what: `signing_key.hastened ${next}`, actor: 'OPERATOR' },
      { what: `signing_key.retired ${first}`, actor: 'OPERATOR' },
    ]);
  });
});

describe('tokens over a rotation', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness.close());

  test('one of the old key is good until it expires, and new ones are of the new key (rule 59)', async () => {
    const deps = { pool: harness.pool, masterKeys: [Buffer.alloc(32, 7)] as const, clock: harness.clock };
    await harness.token();
    await rotateSigningKey(deps, { source: OPERATOR, endTokens: false });
    harness.clock.advance(LEAST_AHEAD_MS - 1_000);
    const old = await harness.token();
    harness.clock.advance(1_000);
    const young = await harness.token();
    expect(kidOf(young)).not.toBe(kidOf(old));
    harness.clock.advance(TOKEN_MS - 2_000);
    for (const token of [old, young]) expect(await statusOf(token)).toBe(200);
    harness.clock.advance(2_000);
    expect(await statusOf(old)).toBe(401);
  });

  const statusOf = async (token: string) =>
    (await harness.callResource('/viewer', { authorization: `Bearer ${token}` })).status;
});

function kidOf(token: string): string {
  return decodeProtectedHeader(token).kid ?? '';
}
