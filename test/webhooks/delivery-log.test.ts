import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lowestUuidAt, newId } from '../../src/lib/ids.ts';
import type { Tx } from '../../src/platform/database/tenancy.ts';
import type { WebhookContext } from '../../src/webhooks/context.ts';
import { listDeliveries } from '../../src/webhooks/delivery.ts';
import { countDeliveriesOf, listDeliveriesOf } from '../../src/webhooks/delivery-batch.ts';
import { openWorld, type World } from '../support/world.ts';

const MANY = 20_000;
const RARE = 3;
const PAGE = { limit: 50 };

let world: World;
let organizationId: string;
const subscriptionId = newId();

// A long history that succeeded, and at its very beginning a few deliveries of every other status.
beforeAll(async () => {
  world = await openWorld();
  organizationId = await world.createOrganization();
  const start = world.clock.now().getTime() - 3_600_000;
  const fill = (status: string, count: number, from: number) =>
    world.query(
      `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at, completed_at)
       SELECT $1, optio.uuid_at($2::timestamptz + n * interval '1 millisecond'), $3, $4, 'task.completed', $5::"DeliveryStatus",
         CASE WHEN $5::text IN ('PENDING', 'RETRYING') THEN now() END,
         CASE WHEN $5::text IN ('SUCCEEDED', 'FAILED', 'CANCELLED') THEN now() END
       FROM generate_series(1, $6::int) AS n`,
      [organizationId, new Date(from), subscriptionId, newId(), status, count],
    );
  for (const [index, status] of ['PENDING', 'RETRYING', 'HELD', 'FAILED', 'CANCELLED'].entries()) {
    await fill(status, RARE, start + index * 1_000);
  }
  await fill('SUCCEEDED', MANY, start + 60_000);
  await world.query('ANALYZE deliveries');
});
afterAll(() => world.close());

/** Runs `work` and answers how many deliveries the database read for it, whatever the way. */
async function rowsReadBy(work: (context: WebhookContext) => Promise<unknown>): Promise<number> {
  let rows = Number.NaN;
  const context = world.context(organizationId);
  await work({
    ...context,
    read: (read) =>
      world.tenancy.read(context.viewer, async (tx) => {
        const before = await rowsRead(tx);
        const result = await read(tx);
        rows = (await rowsRead(tx)) - before;
        return result;
      }),
  });
  return rows;
}

/** Of this connection, since the statistics were last handed over. */
async function rowsRead(tx: Tx): Promise<number> {
  const [row] = await tx.$queryRaw<{ readonly count: number }[]>`
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS count
    FROM pg_stat_xact_user_tables WHERE relname LIKE 'deliveries\\_%'`;
  return row?.count ?? Number.NaN;
}

const A_PAGE_AND_A_FEW = 70;

describe(`a log of ${MANY} deliveries that succeeded`, () => {
  it.each(['PENDING', 'RETRYING', 'HELD', 'FAILED', 'CANCELLED', 'SUCCEEDED'] as const)(
    'is listed by the status %s at the cost of a page',
    async (status) => {
      const rows = await rowsReadBy((context) => listDeliveries(context, { statuses: [status] }, PAGE));
      expect(rows).toBeLessThanOrEqual(A_PAGE_AND_A_FEW);
      expect(rows).toBeGreaterThanOrEqual(RARE);
    },
  );

  it.each([
    ['nothing', {}],
    ['its subscription', { subscriptionId }],
    ['an event', { eventId: newId() }],
    ['several statuses', { statuses: ['FAILED', 'HELD', 'RETRYING'] as const }],
    ['its subscription and a status', { subscriptionId, statuses: ['FAILED'] as const }],
    ['a time', { since: new Date(Date.now() - 7_200_000), until: new Date(Date.now() - 3_500_000) }],
  ])('is filtered by %s at the cost of a page', async (_, filter) => {
    expect(await rowsReadBy((context) => listDeliveries(context, filter, PAGE))).toBeLessThanOrEqual(
      A_PAGE_AND_A_FEW,
    );
  });

  it('is counted and listed for a parent by a rare status at that cost, too', async () => {
    const parents = { kind: 'subscription', ids: [subscriptionId] } as const;
    for (const statuses of [['PENDING', 'RETRYING'], ['FAILED']] as const) {
      expect(
        await rowsReadBy((context) => countDeliveriesOf(context, parents, { statuses })),
      ).toBeLessThanOrEqual(20);
      expect(
        await rowsReadBy((context) => listDeliveriesOf(context, parents, { statuses }, PAGE)),
      ).toBeLessThanOrEqual(20);
    }
  });
});

it('finds the same as without an index: every status it was given, newest first', async () => {
  const statuses = ['PENDING', 'RETRYING'] as const;
  const { items } = await listDeliveries(world.context(organizationId), { statuses }, PAGE);
  expect(items.map(({ status }) => status)).toEqual([
    ...Array(RARE).fill('RETRYING'),
    ...Array(RARE).fill('PENDING'),
  ]);
  expect(items.map(({ id }) => id)).toEqual(
    items
      .map(({ id }) => id)
      .toSorted()
      .toReversed(),
  );
  expect(lowestUuidAt(world.clock.now()) > (items[0]?.id ?? '')).toBe(true);
});
