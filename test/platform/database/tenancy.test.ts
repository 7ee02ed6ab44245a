import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../../../src/lib/ids.ts';
import { createTenancy, type Tenancy, type Tx } from '../../../src/platform/database/tenancy.ts';
import { type TenantIdentity, TenantPool } from '../../../src/platform/database/tenant-pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;
let organizations: readonly Organization[];
let tenancy: Tenancy;

/** An organization with one webhook subscription. */
type Organization = { readonly identity: TenantIdentity; readonly subscriptionId: string };

beforeAll(async () => {
  database = await createTestDatabase();
  organizations = await Promise.all(Array.from({ length: 20 }, createOrganization));
  tenancy = openTenancy({});
});
afterAll(async () => {
  await tenancy.close();
  await database.drop();
});

async function createOrganization(): Promise<Organization> {
  const [organizationId, subscriptionId] = [newId(), newId()];
  await query(
    database.ownerUrl,
    `WITH o AS (INSERT INTO organizations (id, slug, name) VALUES ($1, $3, $3))
     INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types) VALUES ($1, $2, 'https://lms.example/', '{*}')`,
    [organizationId, subscriptionId, `school-${organizationId}`],
  );
  return { identity: { organizationId, userId: newId(), role: 'ADMIN' }, subscriptionId };
}

function openTenancy({ url = database.urls.tenantUrl, maxConnections = 2 }): Tenancy {
  return createTenancy({ url, maxConnections, onIdleError: () => undefined });
}

function at(index: number): Organization {
  const organization = organizations[index % organizations.length];
  if (organization === undefined) throw new Error('There is no organization.');
  return organization;
}

const settings = (tx: Tx) =>
  tx.$queryRaw`SELECT current_setting('app.organization_id') AS "organizationId",
    nullif(current_setting('app.user_id'), '') AS "userId", current_setting('app.role') AS role`;
const subscriptionIds = async (tx: Tx) => (await tx.webhookSubscription.findMany()).map(({ id }) => id);
const keyOf = ({ identity, subscriptionId }: Organization) => ({
  organizationId_id: { organizationId: identity.organizationId, id: subscriptionId },
});

describe('many organizations over two connections', () => {
  it('each see their own alone, in hundreds of parallel calls, errors among them', async () => {
    const call = async (index: number) => {
      const { identity, subscriptionId } = at(index);
      const work = async (tx: Tx) => {
        expect(await settings(tx)).toEqual([identity]);
        if (index % 7 === 0) await tx.$queryRaw`SELECT 1 / 0`;
        if (index % 11 === 0) throw new Error('given up');
        expect(await subscriptionIds(tx)).toEqual([subscriptionId]);
        return subscriptionId;
      };
      return index % 3 === 0 ? tenancy.write(identity, ({ tx }) => work(tx)) : tenancy.read(identity, work);
    };
    const results: PromiseSettledResult<string>[] = [];
    // Forty at a time: twenty for each connection, and nobody waits longer than a caller may.
    for (let wave = 0; wave < 10; wave += 1) {
      const calls = Array.from({ length: 40 }, (_, index) => call(wave * 40 + index));
      results.push(...(await Promise.allSettled(calls)));
    }
    const divided: unknown = expect.stringContaining('division by zero');
    const outcomes = results.map((result) =>
      result.status === 'fulfilled' ? result.value : String(result.reason),
    );
    expect(outcomes).toEqual(
      outcomes.map((_, index) => {
        if (index % 7 === 0) return divided;
        return index % 11 === 0 ? 'Error: given up' : at(index).subscriptionId;
      }),
    );
  });

  it('find one row each in the same tick, without being asked for together', async () => {
    const found = await Promise.all(
      organizations.map((own) =>
        tenancy.read(own.identity, (tx) => tx.webhookSubscription.findUnique({ where: keyOf(own) })),
      ),
    );
    expect(found.map((row) => row?.id)).toEqual(organizations.map(({ subscriptionId }) => subscriptionId));
    const foreign = await Promise.all(
      organizations.map((own, index) =>
        tenancy.read(own.identity, (tx) =>
          tx.webhookSubscription.findUnique({ where: keyOf(at(index + 1)) }),
        ),
      ),
    );
    expect(foreign).toEqual(organizations.map(() => null));
  });

  it('find several rows in one transaction, those of others left out', async () => {
    const [one, two] = [at(0), at(1)];
    const rows = await tenancy.read(one.identity, (tx) =>
      Promise.all([one, two, one].map((own) => tx.webhookSubscription.findUnique({ where: keyOf(own) }))),
    );
    expect(rows.map((row) => row?.id)).toEqual([one.subscriptionId, undefined, one.subscriptionId]);
  });
});

describe('a connection', () => {
  it('is given to transactions only, and to none without an organization', async () => {
    const pool = new TenantPool({ connectionString: database.urls.tenantUrl, max: 1 });
    onTestFinished(() => pool.end());
    expect(() => pool.query()).toThrow('outside of a transaction');
    await expect(pool.connect()).rejects.toThrow('outside of a tenant transaction');
  });

  it('keeps nothing of a transaction for the next one, whether it was committed or failed', async () => {
    const pool = new TenantPool({ connectionString: database.urls.tenantUrl, max: 1 });
    onTestFinished(() => pool.end());
    for (const [index, end] of ['COMMIT', 'ROLLBACK'].entries()) {
      for (const mode of ['read', 'write'] as const) {
        await pool.run({ identity: at(index).identity, mode }, async () => {
          const client = await pool.connect();
          await client.query({ text: 'BEGIN' });
          const ids = { text: 'SELECT id FROM webhook_subscriptions' };
          expect((await client.query(ids)).rows).toEqual([{ id: at(index).subscriptionId }]);
          await client.query({ text: end });
          expect(
            (await client.query({ text: "SELECT current_setting('app.organization_id', true) AS id" })).rows,
          ).toEqual([{ id: '' }]);
          expect((await client.query(ids)).rows).toEqual([]);
          client.release();
        });
      }
    }
  });

  it.each(["'; DROP TABLE deliveries; --", '', 'nonsense'])(
    'is refused to the organization %j',
    async (organizationId) => {
      const identity = { ...at(0).identity, organizationId };
      await expect(tenancy.read(identity, settings)).rejects.toThrow('not a UUID');
      await expect(tenancy.read({ ...at(0).identity, userId: organizationId }, settings)).rejects.toThrow(
        'not a UUID',
      );
    },
  );
});

describe('a read', () => {
  it('cannot write', async () => {
    const { identity, subscriptionId } = at(0);
    await expect(
      tenancy.read(identity, (tx) =>
        tx.webhookSubscription.update({ where: keyOf(at(0)), data: { description: 'changed' } }),
      ),
    ).rejects.toThrow('read-only transaction');
    const [row] = await query(
      database.ownerUrl,
      'SELECT description FROM webhook_subscriptions WHERE id = $1',
      [subscriptionId],
    );
    expect(row).toEqual({ description: null });
  });
});

describe('a write', () => {
  const describeIt = (tx: Tx, own: Organization, description: string) =>
    tx.webhookSubscription.update({ where: keyOf(own), data: { description } });
  const description = async (own: Organization) =>
    (
      await query(database.ownerUrl, 'SELECT description FROM webhook_subscriptions WHERE id = $1', [
        own.subscriptionId,
      ])
    )[0]?.['description'];

  it('acts after its commit, in order, when others see what was written', async () => {
    const own = at(1);
    const acts: unknown[] = [];
    await tenancy.write(own.identity, async ({ tx, afterCommit }) => {
      afterCommit(() => acts.push('first'));
      await describeIt(tx, own, 'committed');
      afterCommit(() => acts.push(description(own)));
      expect(acts).toEqual([]);
      expect(await description(own)).toBeNull();
    });
    expect(acts[0]).toBe('first');
    expect(await acts[1]).toBe('committed');
  });

  it('does nothing, and does not act, when its work throws', async () => {
    const own = at(2);
    const acts: string[] = [];
    const work = tenancy.write(own.identity, async ({ tx, afterCommit }) => {
      afterCommit(() => acts.push('acted'));
      await describeIt(tx, own, 'rolled back');
      throw new Error('changed its mind');
    });
    await expect(work).rejects.toThrow('changed its mind');
    expect(acts).toEqual([]);
    expect(await description(own)).toBeNull();
  });

  it('does not act, and fails, when a statement failed although the work went on', async () => {
    const own = at(3);
    const acts: string[] = [];
    const work = tenancy.write(own.identity, async ({ tx, afterCommit }) => {
      afterCommit(() => acts.push('acted'));
      await describeIt(tx, own, 'rolled back');
      await tx.$queryRaw`SELECT 1 / 0`.catch(() => undefined);
    });
    await expect(work).rejects.toThrow('rolled back instead of committed');
    expect(acts).toEqual([]);
    expect(await description(own)).toBeNull();
  });
});

describe('transactions that lose against others', () => {
  const describeIt = (tx: Tx, { subscriptionId, identity: { organizationId } }: Organization, text: string) =>
    tx.$queryRaw`UPDATE webhook_subscriptions SET description = ${text}
      WHERE organization_id = ${organizationId}::uuid AND id = ${subscriptionId}::uuid`;

  it('are run again after a deadlock, and act once', async () => {
    const own = at(4);
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
    const own = at(4);
    let runs = 0;
    const work = tenancy.write(own.identity, async ({ tx }) => {
      runs += 1;
      await describeIt(tx, own, 'never committed');
      await tx.$executeRaw`DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$`;
    });
    await expect(work).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
    expect(runs).toBe(4);
    const [row] = await query(
      database.ownerUrl,
      'SELECT description FROM webhook_subscriptions WHERE id = $1',
      [own.subscriptionId],
    );
    expect(row?.['description']).toBeNull();
  });

  it('are not run again after any other error', async () => {
    let runs = 0;
    const work = tenancy.write(at(4).identity, async ({ tx }) => {
      runs += 1;
      await tx.$queryRaw`SELECT 1 / 0`;
    });
    await expect(work).rejects.toThrow('division by zero');
    expect(runs).toBe(1);
  });
});

describe('a database that is away', () => {
  it('is UNAVAILABLE when nobody listens, and says when to try again', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const url = new URL(database.urls.tenantUrl);
    url.host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    await new Promise((resolve) => server.close(resolve));
    const away = openTenancy({ url: url.href });
    onTestFinished(() => away.close());
    for (const call of [
      away.read(at(0).identity, settings),
      away.write(at(0).identity, ({ tx }) => settings(tx)),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
    }
  });

  it.each(['read', 'write'] as const)(
    'is UNAVAILABLE when a %s loses its connection, and the next one has another',
    async (mode) => {
      const { identity, subscriptionId } = at(0);
      const work = async (tx: Tx) => {
        const [row] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
        await query(database.ownerUrl, 'SELECT pg_terminate_backend($1)', [row?.pid]);
        return subscriptionIds(tx);
      };
      const call =
        mode === 'read' ? tenancy.read(identity, work) : tenancy.write(identity, ({ tx }) => work(tx));
      await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await tenancy.read(identity, subscriptionIds)).toEqual([subscriptionId]);
    },
  );
});
