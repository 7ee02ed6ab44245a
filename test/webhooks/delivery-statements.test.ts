/** What lists of deliveries leave on a connection: what it planned, and keeps. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestContext } from '../../src/accounts/viewer.ts';
import { Prisma } from '../../src/generated/prisma/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { pageQuery } from '../../src/lib/page.ts';
import { createTenancy, type Tenancy } from '../../src/platform/database/tenancy.ts';
import type { WebhookContext } from '../../src/webhooks/context.ts';
import { listDeliveries } from '../../src/webhooks/delivery.ts';
import { listAttemptsOf, listDeliveriesOf } from '../../src/webhooks/delivery-batch.ts';
import { selectDeliveries } from '../../src/webhooks/delivery-filter.ts';
import { createOrganization, type Organization } from '../platform/database/tenants.ts';
import { createTestDatabase, query, TEST_KEY, type TestDatabase } from '../support/database.ts';
import { type Cost, costIn, type Explained, toLiterals } from '../support/explain.ts';

let database: TestDatabase;
let tenancy: Tenancy;
let own: Organization;
beforeAll(async () => {
  database = await createTestDatabase();
  own = await createOrganization(database.ownerUrl);
  tenancy = createTenancy({
    url: database.urls.tenantUrl,
    maxConnections: 1,
    onIdleError: () => undefined,
  });
});
afterAll(async () => {
  await tenancy.close();
  await database.drop();
});

const planned = () =>
  tenancy.read(own.identity, (tx) =>
    tx.rows(Prisma.sql`SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%deliver%'`),
  );

function contextOf(): WebhookContext {
  const viewer = { ...own.identity, clientId: null, scopes: null, expiresAt: new Date(), tokenId: null };
  return {
    ...requestContext(tenancy, viewer),
    clock: systemClock,
    keys: [TEST_KEY],
    targetPolicy: { allow: [], allowHttp: true },
    wakeLanes: () => undefined,
  };
}

async function list(limit: number): Promise<void> {
  const context = contextOf();
  const parents = { kind: 'subscription', ids: [own.subscriptionId] } as const;
  await listDeliveries(context, { statuses: ['FAILED', 'SUCCEEDED'] }, { limit });
  await listDeliveries(context, { subscriptionId: own.subscriptionId }, { limit });
  await listDeliveriesOf(context, parents, {}, { limit });
  await listAttemptsOf(context, [newId()], limit);
}

describe('lists of deliveries and attempts', () => {
  it('are planned once for pages of every size, so that sizes alone fill no memory of the database', async () => {
    await list(1);
    const first = await planned();
    for (const limit of [2, 3, 20, 50, 100]) await list(limit);
    expect(await planned()).toEqual(first);
    expect(first).not.toEqual([]);
  });

  it('read what a quiet subscription has and no more, while a busy one is asked for all the time', async () => {
    const busy = newId();
    await deliver(busy, 50_000);
    for (let times = 1; times <= 10; times += 1)
      await listDeliveries(contextOf(), { subscriptionId: busy }, { limit: 20 });
    expect((await costOfPage(own.subscriptionId)).rowsRead).toBe(0);
    await listDeliveriesOf(contextOf(), { kind: 'subscription', ids: [busy] }, {}, { limit: 20 });
    expect((await costOfPages([own.subscriptionId])).rowsRead).toBe(0);
    expect((await costOfPages([own.subscriptionId, busy])).rowsRead).toBe(21);
  });
});

/** Makes deliveries that have succeeded, all there are in the statistics of their partition. */
async function deliver(subscriptionId: string, count: number): Promise<void> {
  await query(
    database.ownerUrl,
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, completed_at)
     SELECT $1, optio.uuid_v7(), $2, gen_random_uuid(), 'task.completed', 'SUCCEEDED', now() FROM generate_series(1, $3::int)`,
    [own.identity.organizationId, subscriptionId, count],
  );
  await query(database.ownerUrl, 'ANALYZE deliveries');
}

/** What its newest deliveries cost, planned as for those who asked before. */
async function costOfPage(subscriptionId: string): Promise<Cost> {
  const { text, values } = selectDeliveries(contextOf(), { subscriptionId }, pageQuery({ limit: 20 }));
  return costOfKnown(text, values);
}

/** What the newest of each cost. */
function costOfPages(subscriptionIds: readonly string[]): Promise<Cost> {
  return costOfKnown('%LATERAL%FROM deliveries%', [subscriptionIds, own.identity.organizationId, 21]);
}

async function costOfKnown(like: string, values: readonly unknown[]): Promise<Cost> {
  return tenancy.read(own.identity, async (tx) => {
    const [known] = await tx.rows<{ name: string }>(
      Prisma.sql`SELECT name FROM pg_prepared_statements WHERE statement LIKE ${like}`,
    );
    const execute = `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE ${known?.name}(${toLiterals(values)})`;
    return costIn(await tx.rows<Explained>({ text: execute, values: [] }), 'deliveries');
  });
}
