import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { newId } from '../../src/lib/ids.ts';
import { retryDelivery } from '../../src/webhooks/delivery.ts';
import { claimDue } from '../../src/webhooks/lane-sql.ts';
import { moveMisplaced, PIECE } from '../../src/webhooks/mover.ts';
import { createSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

const MANY = PIECE * 2 + 200;

let world: World;
let organizationId: string;
let id: string;

// No worker runs: rows are moved when a test says so.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
  const settings = { targetUrl: 'https://127.0.0.1/hooks', eventTypes: ['*'] };
  id = (await createSubscription(context(), settings)).subscription.id;
});
afterEach(() => world.query('DELETE FROM deliveries'));

const context = () => world.context(organizationId);
const disable = () =>
  world.query(
    "UPDATE webhook_subscriptions SET status = 'DISABLED', disabled_reason = 'It kept failing.', disabled_at = now() WHERE id = $1",
    [id],
  );
const enable = (held?: 'send' | 'discard') => updateSubscription(context(), id, { active: true, held });
const emit = (count = 1) =>
  emitEvents(
    context(),
    Array.from({ length: count }, () => exampleEvent()),
  );
const move = () =>
  moveMisplaced({ ...world, pool: world.workerPool, onError: (error) => expect.fail(error.message) });

async function fill(status: 'HELD' | 'PENDING', count = MANY): Promise<void> {
  const dueAt = status === 'HELD' ? null : world.clock.now();
  await world.query(
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
     SELECT $1, optio.uuid_v7(), $2, $3, 'task.completed', $4::"DeliveryStatus", $5 FROM generate_series(1, $6::int)`,
    [organizationId, id, newId(), status, dueAt, count],
  );
}

async function statuses(): Promise<Record<string, number>> {
  const rows = await world.query(
    'SELECT status, count(*)::int AS count FROM deliveries WHERE organization_id = $1 GROUP BY status',
    [organizationId],
  );
  return Object.fromEntries(rows.map((row) => [String(row['status']), Number(row['count'])]));
}

const claim = async () => {
  const claims = await claimDue(
    world.workerPool,
    [{ organizationId, subscriptionId: id, limit: 1_000 }],
    [],
    world.clock.now(),
  );
  return claims.flatMap(({ deliveries }) => deliveries);
};

describe('whoever enables a subscription again decides about what was held (webhooks rule 22)', () => {
  it('sends it, which is the default', async () => {
    await disable();
    await emit(3);
    expect(await statuses()).toEqual({ HELD: 3 });
    expect(await enable()).toMatchObject({ status: 'ACTIVE', disabledReason: null, disabledAt: null });
    expect(await statuses()).toEqual({ PENDING: 3 });
    expect(await claim()).toHaveLength(3);
  });

  it('discards it: cancelled, not sent; what comes later is', async () => {
    await disable();
    await emit(3);
    await enable('discard');
    await emit(2);
    expect(await statuses()).toEqual({ CANCELLED: 3, PENDING: 2 });
    expect(await claim()).toHaveLength(2);
    const [logged] = await world.query(
      "SELECT count(*)::int AS count FROM delivery_updates WHERE organization_id = $1 AND status = 'CANCELLED'",
      [organizationId],
    );
    expect(logged).toEqual({ count: 3 });
  });

  it('however much it is: the first piece at once, the others follow, and none is sent meanwhile', async () => {
    await fill('HELD');
    await disable();
    await enable('discard');
    expect(await statuses()).toEqual({ CANCELLED: PIECE, HELD: MANY - PIECE });
    await emit(1);
    await move();
    expect(await statuses()).toEqual({ CANCELLED: MANY, PENDING: 1 });
    expect(await claim()).toHaveLength(1);
  });

  it('also what still waited, because it had not been held yet', async () => {
    await fill('PENDING');
    await disable();
    await enable('discard');
    expect(await claim()).toEqual([]);
    await emit(1);
    expect(await claim()).toHaveLength(1);
    await move();
    expect(await statuses()).toEqual({ CANCELLED: MANY, PENDING: 1 });
  });

  it('for good: what is paused and resumed meanwhile is discarded all the same', async () => {
    await fill('HELD');
    await disable();
    await enable('discard');
    await updateSubscription(context(), id, { active: false });
    await emit(1);
    await updateSubscription(context(), id, { active: true, held: 'send' });
    await move();
    expect(await statuses()).toEqual({ CANCELLED: MANY, PENDING: 1 });
  });

  it('once: a delivery that is asked for again afterwards is sent', async () => {
    await disable();
    await emit(1);
    await enable('discard');
    const [delivery] = await world.query('SELECT id FROM deliveries WHERE subscription_id = $1', [id]);
    await retryDelivery(context(), String(delivery?.['id']));
    await move();
    expect(await claim()).toHaveLength(1);
  });

  it('the same for one that was paused; and it is in the audit log', async () => {
    await updateSubscription(context(), id, { active: false });
    await emit(2);
    await enable('discard');
    expect(await statuses()).toEqual({ CANCELLED: 2 });
    const entries = await world.query(
      "SELECT changes FROM audit_entries WHERE organization_id = $1 AND action = 'webhook_subscription.resumed'",
      [organizationId],
    );
    expect(entries).toEqual([
      {
        changes: {
          status: { from: 'PAUSED', to: 'ACTIVE' },
          held_deliveries: { from: null, to: 'discard' },
        },
      },
    ]);
  });

  it.each([undefined, false])('refuses to say so with active: %s', async (active) => {
    await disable();
    await expect(updateSubscription(context(), id, { active, held: 'send' })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['held'] }],
    });
  });
});
