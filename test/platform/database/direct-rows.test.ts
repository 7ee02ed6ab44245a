import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prisma } from '../../../src/generated/prisma/client.ts';
import { columnsOf } from '../../../src/platform/database/columns.ts';
import { createTenancy, type Tenancy } from '../../../src/platform/database/tenancy.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createOrganization } from './tenants.ts';

let database: TestDatabase;
let tenancy: Tenancy;
beforeAll(async () => {
  database = await createTestDatabase();
  tenancy = createTenancy({
    url: database.urls.tenantUrl,
    maxConnections: 2,
    onIdleError: () => undefined,
  });
});
afterAll(async () => {
  await tenancy.close();
  await database.drop();
});

describe('SQL by hand in a transaction (rows)', () => {
  it('sees what the transaction wrote, and its organization alone', async () => {
    const [mine, other] = [
      await createOrganization(database.ownerUrl),
      await createOrganization(database.ownerUrl),
    ];
    const seen = await tenancy.write(mine.identity, async ({ tx }) => {
      const { organizationId } = mine.identity;
      const where = { organizationId_id: { organizationId, id: mine.subscriptionId } };
      await tx.webhookSubscription.update({ where, data: { description: 'by hand' } });
      return tx.rows<{ id: string; description: string | null }>(
        Prisma.sql`SELECT id, description FROM webhook_subscriptions WHERE id = ANY (${[mine.subscriptionId, other.subscriptionId]}::uuid[])`,
      );
    });
    expect(seen).toEqual([{ id: mine.subscriptionId, description: 'by hand' }]);
  });

  it('is planned once a connection, however often it is asked', async () => {
    const { identity } = await createOrganization(database.ownerUrl);
    const statement = 'SELECT slug FROM organizations WHERE id = $1::uuid';
    const select = Prisma.sql`SELECT slug FROM organizations WHERE id = ${identity.organizationId}::uuid`;
    const plans = await tenancy.read(identity, async (tx) => {
      for (let times = 1; times <= 7; times += 1) await tx.rows(select);
      return tx.rows(
        Prisma.sql`SELECT (generic_plans + custom_plans)::int AS used FROM pg_prepared_statements WHERE statement = ${statement}`,
      );
    });
    expect(plans).toEqual([{ used: 7 }]);
  });

  it('is rolled back with the transaction, and may write only where it writes', async () => {
    const { identity, subscriptionId } = await createOrganization(database.ownerUrl);
    const update = Prisma.sql`UPDATE webhook_subscriptions SET description = 'gone' WHERE id = ${subscriptionId}::uuid`;
    await expect(tenancy.read(identity, (tx) => tx.rows(update))).rejects.toThrow('read-only transaction');
    const failed = tenancy.write(identity, async ({ tx }) => {
      await tx.rows(update);
      throw new Error('given up');
    });
    await expect(failed).rejects.toThrow('given up');
    const after = await tenancy.read(identity, (tx) => tx.webhookSubscription.findFirst());
    expect(after?.description).toBeNull();
  });

  it('reads a row as Prisma does', async () => {
    const { identity } = await createOrganization(database.ownerUrl);
    const columns = columnsOf(Prisma.WebhookSubscriptionScalarFieldEnum);
    const [byHand, byPrisma] = await tenancy.read(identity, async (tx) => [
      await tx.rows(Prisma.sql`SELECT ${columns} FROM webhook_subscriptions`),
      await tx.webhookSubscription.findMany(),
    ]);
    expect(byHand).toEqual(byPrisma);
  });
});
