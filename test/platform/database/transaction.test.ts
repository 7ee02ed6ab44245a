import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Prisma } from '../../../src/generated/prisma/client.ts';
import { createTenancy, type Tenancy, type Tx } from '../../../src/platform/database/tenancy.ts';
import { TenantPool } from '../../../src/platform/database/tenant-pool.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createOrganization, describeSubscription, descriptionOf, type Organization } from './tenants.ts';

let database: TestDatabase;
let tenancy: Tenancy;
let own: Organization;

beforeAll(async () => {
  database = await createTestDatabase();
  tenancy = open();
});
beforeEach(async () => {
  own = await createOrganization(database.ownerUrl);
});
afterAll(async () => {
  await tenancy.close();
  await database.drop();
});

function open(options: { readonly maxConnections?: number; readonly limitMs?: number } = {}): Tenancy {
  const url = database.urls.tenantUrl;
  return createTenancy({ url, maxConnections: 2, onIdleError: () => undefined, ...options });
}

const description = (of: Organization) => descriptionOf(database.ownerUrl, of);

describe('a write', () => {
  it('acts after its commit, in order, when others see what was written', async () => {
    const acts: unknown[] = [];
    await tenancy.write(own.identity, async ({ tx, afterCommit }) => {
      afterCommit(() => acts.push('first'));
      await describeSubscription(tx, own, 'committed');
      afterCommit(() => acts.push(description(own)));
      expect(acts).toEqual([]);
      expect(await description(own)).toBeNull();
    });
    expect(acts[0]).toBe('first');
    expect(await acts[1]).toBe('committed');
  });

  it('does nothing, and does not act, when its work throws', async () => {
    const acts: string[] = [];
    const work = tenancy.write(own.identity, async ({ tx, afterCommit }) => {
      afterCommit(() => acts.push('acted'));
      await describeSubscription(tx, own, 'rolled back');
      throw new Error('changed its mind');
    });
    await expect(work).rejects.toThrow('changed its mind');
    expect(acts).toEqual([]);
    expect(await description(own)).toBeNull();
  });

  it('does not act, and fails, when a statement failed although the work went on', async () => {
    const acts: string[] = [];
    const work = tenancy.write(own.identity, async ({ tx, afterCommit }) => {
      afterCommit(() => acts.push('acted'));
      await describeSubscription(tx, own, 'rolled back');
      await tx.$queryRaw`SELECT 1 / 0`.catch(() => undefined);
    });
    await expect(work).rejects.toThrow('rolled back instead of committed');
    expect(acts).toEqual([]);
    expect(await description(own)).toBeNull();
  });
});

describe('transactions that lose against others', () => {
  it('are run again after a deadlock, and act once', async () => {
    const acts: string[] = [];
    let runs = 0;
    const bothHoldOne = Promise.withResolvers<void>();
    const waitForOther = () => {
      if (++runs === 2) bothHoldOne.resolve();
      return bothHoldOne.promise;
    };
    const lock = (tx: Tx, key: number) => tx.$queryRaw`SELECT pg_advisory_xact_lock(99, ${key}::int)::text`;
    const both = [
      [1, 2],
      [2, 1],
    ].map(([first = 0, second = 0]) =>
      tenancy.write(own.identity, async ({ tx, afterCommit }) => {
        afterCommit(() => acts.push(`acted after ${first}`));
        await lock(tx, first);
        await waitForOther();
        await lock(tx, second);
        return first;
      }),
    );
    expect(await Promise.all(both)).toEqual([1, 2]);
    expect(runs).toBe(3);
    expect(acts.toSorted()).toEqual(['acted after 1', 'acted after 2']);
  });

  it('are given up after three repeats: UNAVAILABLE, and nothing was done', async () => {
    let runs = 0;
    const work = tenancy.write(own.identity, async ({ tx }) => {
      runs += 1;
      await describeSubscription(tx, own, 'never committed');
      await tx.$executeRaw`DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$`;
    });
    await expect(work).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
    expect(runs).toBe(4);
    expect(await description(own)).toBeNull();
  });

  it('are not run again after any other error', async () => {
    let runs = 0;
    const work = tenancy.write(own.identity, async ({ tx }) => {
      runs += 1;
      await tx.$queryRaw`SELECT 1 / 0`;
    });
    await expect(work).rejects.toThrow('division by zero');
    expect(runs).toBe(1);
  });
});

describe('a transaction', () => {
  const lock = (tx: Tx) => tx.rows(Prisma.sql`SELECT pg_advisory_xact_lock(99, 7)::text`);

  it('is begun and ended once, however SQL by hand and models of Prisma take turns in it', async () => {
    const seen = await tenancy.write(own.identity, async ({ tx }) => {
      const number = () => tx.rows<{ id: string }>(Prisma.sql`SELECT pg_current_xact_id()::text AS id`);
      const first = await number();
      await describeSubscription(tx, own, 'by Prisma');
      return [first, await tx.$queryRaw`SELECT pg_current_xact_id()::text AS id`, await number()];
    });
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    expect(await description(own)).toBe('by Prisma');
  });

  it('is given up after its limit: UNAVAILABLE, nothing was done, and its connection is replaced', async () => {
    const limited = open({ maxConnections: 1, limitMs: 100 });
    onTestFinished(() => limited.close());
    const isHeld = Promise.withResolvers<void>();
    const isDone = Promise.withResolvers<void>();
    const other = tenancy.write(own.identity, async ({ tx }) => {
      await lock(tx);
      isHeld.resolve();
      await isDone.promise;
    });
    await isHeld.promise;
    const late = limited.write(own.identity, async ({ tx }) => {
      await describeSubscription(tx, own, 'late');
      await lock(tx);
    });
    await expect(late).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('0.1 s'),
    });
    isDone.resolve();
    await other;
    const found = await limited.read(own.identity, (tx) => tx.webhookSubscription.findMany());
    expect(found.map((one) => one.description)).toEqual([null]);
  });

  it('answers nothing to a statement that comes after its end', async () => {
    let kept: Tx | undefined;
    await tenancy.read(own.identity, async (tx) => {
      kept = tx;
    });
    const late = kept?.rows(Prisma.sql`SELECT 1`);
    await expect(late).rejects.toThrow('after the end of its transaction');
    await expect(kept?.webhookSubscription.findMany()).rejects.toThrow('after the end of its transaction');
  });

  it('says what its limit is when Prisma waited for a lock, too', async () => {
    const limited = open({ maxConnections: 1, limitMs: 100 });
    onTestFinished(() => limited.close());
    await tenancy.write(own.identity, async ({ tx }) => {
      await lock(tx);
      const late = limited.write(
        own.identity,
        (unit) => unit.tx.$queryRaw`SELECT pg_advisory_xact_lock(99, 7)::text`,
      );
      await expect(late).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('0.1 s'),
      });
    });
  });

  it('is not said to have done nothing once its COMMIT is on the way', async () => {
    const limited = open({ limitMs: 1_000 });
    onTestFinished(() => limited.close());
    const commits = await holdCommits();
    onTestFinished(commits.end);
    const change = Prisma.sql`UPDATE webhook_subscriptions SET description = 'committed late'`;
    const late = limited.write(own.identity, ({ tx }) => tx.rows(change));
    await expect.poll(commits.countWaiting).toBe(1);
    // Begun after it, and given up at the same limit: by then that of the first has passed as well.
    await expect(limited.write(own.identity, ({ tx }) => tx.rows(commits.wait))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await commits.release();
    await late;
    expect(await description(own)).toBe('committed late');
  });

  it.each(['commit', 'abandon'] as const)('takes no statement from the moment of its %s', async (end) => {
    const pool = new TenantPool({ connectionString: database.urls.tenantUrl, max: 1 });
    onTestFinished(() => pool.end());
    const transaction = await pool.begin({ identity: own.identity, mode: 'write', limitMs: 60_000 });
    await transaction.query({ text: 'SELECT 1' });
    const ended = transaction[end](new Error('given up'));
    await expect(transaction.query({ text: 'SELECT 1' })).rejects.toThrow('after the end of its transaction');
    await ended;
  });
});

/** Has every COMMIT that follows a change of a subscription wait for a lock, which is held until it is released. */
async function holdCommits() {
  const holder = new Client({ connectionString: database.ownerUrl });
  await holder.connect();
  await holder.query(
    `CREATE FUNCTION wait_for_release() RETURNS trigger LANGUAGE plpgsql
       AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(99, 8); RETURN NULL; END';
     CREATE CONSTRAINT TRIGGER wait_for_release AFTER UPDATE ON webhook_subscriptions
       DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_for_release();
     SELECT pg_advisory_lock(99, 8)`,
  );
  return {
    wait: Prisma.sql`SELECT pg_advisory_xact_lock_shared(99, 8)::text`,
    countWaiting: async () => {
      const { rowCount } = await holder.query(
        `SELECT FROM pg_locks JOIN pg_database d ON d.oid = database
         WHERE locktype = 'advisory' AND classid = 99 AND objid = 8 AND NOT granted AND datname = current_database()`,
      );
      return rowCount;
    },
    release: () => holder.query('SELECT pg_advisory_unlock(99, 8)'),
    end: async () => {
      await holder.query('SELECT pg_advisory_unlock_all(); DROP FUNCTION wait_for_release CASCADE');
      await holder.end();
    },
  };
}
