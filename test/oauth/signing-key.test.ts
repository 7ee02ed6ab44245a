import { exportJWK, generateKeyPair } from 'jose';
import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { type MasterKeys, seal, unseal } from '../../src/lib/crypto.ts';
import { createSigningKeys } from '../../src/oauth/signing-key.ts';
import { insertSigningKey } from '../../src/oauth/statements.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const MASTER: MasterKeys = [Buffer.alloc(32, 1)];
let database: TestDatabase;
let pool: Pool;
let clock: TurnableClock;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.authUrl, maxConnections: 10, onIdleError: () => undefined });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(() => {
  clock = turnableClock(new Date('2026-11-23T12:00:00Z'));
});
afterEach(() => pool.query('DELETE FROM signing_keys'));

function aProcess(masterKeys = MASTER) {
  return createSigningKeys({ pool, masterKeys, clock });
}

describe('the first key', () => {
  test('is made once, however many processes need it at the same time', async () => {
    const processes = Array.from({ length: 8 }, () => aProcess());
    const kids = await Promise.all(processes.map(async (keys) => (await keys.current()).kid));
    expect(new Set(kids).size).toBe(1);
    expect((await pool.query('SELECT FROM signing_keys')).rowCount).toBe(1);
  });

  test('is published without its private half', async () => {
    const keys = aProcess();
    const { kid } = await keys.current();
    expect(await keys.jwks()).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          kid,
          alg: 'ES256',
          use: 'sig',
        },
      ],
    });
  });

  test('56: lies sealed in the database, bound to its kid', async () => {
    const { kid } = await aProcess().current();
    const { rows } = await pool.query<{ sealed_private: Buffer }>('SELECT sealed_private FROM signing_keys');
    const sealed = rows[0]?.sealed_private ?? Buffer.alloc(0);
    expect(sealed.toString('latin1')).not.toContain('"d"');
    expect(JSON.parse(unseal(MASTER, sealed, kid).toString())).toMatchObject({
      kty: 'EC',
      d: expect.any(String),
    });
    expect(() => unseal(MASTER, sealed, 'another kid')).toThrow('unable to authenticate');
  });

  test('cannot be used under another master key, and says so', async () => {
    await aProcess().current();
    await expect(aProcess([Buffer.alloc(32, 2)]).current()).rejects.toThrow('MASTER_KEY');
  });

  test('can be used after the master key was rotated', async () => {
    const { kid } = await aProcess().current();
    const rotated = aProcess([Buffer.alloc(32, 2), MASTER[0]]);
    expect((await rotated.current()).kid).toBe(kid);
  });

  test('cannot be taken out of the process', async () => {
    const { privateKey } = await aProcess().current();
    expect(privateKey.extractable).toBe(false);
  });
});

describe('several keys (OAuth rule 59)', () => {
  test('the newest whose time has come signs; one that is to come is published already', async () => {
    const keys = aProcess();
    const { kid: old } = await keys.current();
    await addKey('next', minutesFromNow(10));
    clock.advance(60_000);
    expect((await keys.current()).kid).toBe(old);
    expect((await keys.jwks()).keys.map(({ kid }) => kid)).toEqual(['next', old]);
    clock.advance(9 * 60_000);
    expect((await keys.current()).kid).toBe('next');
    expect(await keys.find(old, 'ES256')).toBeDefined();
  });

  test('a retired key is neither published nor accepted', async () => {
    const keys = aProcess();
    await addKey('old', minutesFromNow(-10));
    await addKey('new', minutesFromNow(-5));
    await pool.query(`UPDATE signing_keys SET retires_at = $1 WHERE id = 'old'`, [minutesFromNow(0.5)]);
    expect(await keys.find('old', 'ES256')).toBeDefined();
    clock.advance(30_000); // Sooner than the keys are read again.
    expect(await keys.find('old', 'ES256')).toBeUndefined();
    expect((await keys.jwks()).keys.map(({ kid }) => kid)).toEqual(['new']);
  });

  test('a clock that is behind the one that made the only key uses it all the same', async () => {
    await addKey('early', minutesFromNow(3));
    expect((await aProcess().current()).kid).toBe('early');
    expect((await pool.query('SELECT FROM signing_keys')).rowCount).toBe(1);
  });
});

describe('a kid that is not known', () => {
  test('is looked for again, but not for every token that names it', async () => {
    const keys = aProcess();
    await keys.current();
    await addKey('from-elsewhere', minutesFromNow(-1));
    expect(await keys.find('from-elsewhere', 'ES256')).toBeUndefined();
    clock.advance(5_000);
    expect(await keys.find('from-elsewhere', 'ES256')).toBeDefined();
  });

  test('costs at most one query in five seconds', async () => {
    const keys = aProcess();
    await keys.current();
    clock.advance(5_000);
    let trips = 0;
    const count = (): void => void trips++;
    pool.on('acquire', count);
    await Promise.all(Array.from({ length: 50 }, (_, n) => keys.find(`made-up-${n}`, 'ES256')));
    pool.off('acquire', count);
    expect(trips).toBe(1);
  });
});

test('recovers when the database was away at the first need', async () => {
  let away = true;
  const flaky = new Proxy(pool, {
    get: (target, property) => {
      if (property === 'query' && away) return () => Promise.reject(new Error('connection lost'));
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const keys = createSigningKeys({ pool: flaky, masterKeys: MASTER, clock });
  await expect(keys.current()).rejects.toThrow('connection lost');
  away = false;
  expect(await keys.current()).toMatchObject({ kid: expect.any(String) });
});

function minutesFromNow(minutes: number): Date {
  return new Date(clock.now().getTime() + minutes * 60_000);
}

async function addKey(kid: string, signsFrom: Date): Promise<void> {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const publicJwk = { ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256', use: 'sig' };
  const privateJwk = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
  const sealedPrivate = seal(MASTER, privateJwk, kid);
  await pool.query(insertSigningKey({ kid, algorithm: 'ES256', publicJwk, sealedPrivate, signsFrom }));
}
