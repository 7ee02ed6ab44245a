import { createServer } from 'node:net';
import { Pool, type PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createTenancy, type Tenancy, type Tx } from '../../../src/platform/database/tenancy.ts';
import { TenantPool } from '../../../src/platform/database/tenant-pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';
import { createOrganization, descriptionOf, keyOf, type Organization } from './tenants.ts';

let database: TestDatabase;
let organizations: readonly Organization[];
let tenancy: Tenancy;

beforeAll(async () => {
  database = await createTestDatabase();
  organizations = await Promise.all(Array.from({ length: 20 }, () => createOrganization(database.ownerUrl)));
  tenancy = openTenancy({});
});
afterAll(async () => {
  await tenancy.close();
  await database.drop();
});

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

/** A connection without a transaction, as nothing else can have it. */
const connectBeside = (pool: Pool): Promise<PoolClient> =>
  new Promise((resolve) => {
    Pool.prototype.connect.call(pool, (_error, client) => client !== undefined && resolve(client));
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
    const ids = 'SELECT id FROM webhook_subscriptions';
    for (const [index, isGood] of [true, false].entries()) {
      for (const mode of ['read', 'write'] as const) {
        const { identity, subscriptionId } = at(index);
        const transaction = await pool.begin({ identity, mode, limitMs: 60_000 });
        expect((await transaction.query({ text: ids })).rows).toEqual([{ id: subscriptionId }]);
        await (isGood ? transaction.commit() : transaction.abandon(new Error('given up')));
        const client = await connectBeside(pool);
        const left = "SELECT current_setting('app.organization_id', true) AS id";
        expect((await client.query(left)).rows).toEqual([{ id: '' }]);
        expect((await client.query(ids)).rows).toEqual([]);
        client.release();
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
    await expect(
      tenancy.read(at(0).identity, (tx) =>
        tx.webhookSubscription.update({ where: keyOf(at(0)), data: { description: 'changed' } }),
      ),
    ).rejects.toThrow('read-only transaction');
    expect(await descriptionOf(database.ownerUrl, at(0))).toBeNull();
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
