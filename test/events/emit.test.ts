import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EmitContext, type EventInput, emitEvents, emitInTransaction } from '../../src/events/emit.ts';
import { findEventBodies, listEvents } from '../../src/events/event.ts';
import { newId } from '../../src/lib/ids.ts';
import { createSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let organizationId: string;
let woken: string[];

// No worker runs: what emit stores stays as it was stored.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
  woken = [];
});

const context = (viewer = {}) => ({
  ...world.context(organizationId, viewer),
  wakeLanes: (_: string, lanes: readonly string[]) => void woken.push(...lanes),
});
const emit = (inputs: readonly EventInput[], who: EmitContext = context()) => emitEvents(who, inputs);
const keyed = (idempotencyKey: string, data: unknown = exampleEvent().data): EventInput => ({
  ...exampleEvent(),
  data,
  idempotencyKey,
});
const otherData = () => ({ ...exampleEvent().data, xp_awarded: 51 });

async function subscribe(eventTypes: readonly string[] = ['*']): Promise<string> {
  const settings = { targetUrl: 'http://127.0.0.1:9999/hooks', eventTypes };
  return (await createSubscription(context(), settings)).subscription.id;
}

/** How many rows the organization has of each table that emit writes to. */
async function stored(): Promise<Record<string, unknown> | undefined> {
  const count = (table: string) => `(SELECT count(*)::int FROM ${table} WHERE organization_id = $1)`;
  const [row] = await world.query(
    `SELECT ${count('events')} AS events, ${count('deliveries')} AS deliveries, ${count('delivery_updates')} AS updates,
       ${count('event_idempotency_keys')} AS keys`,
    [organizationId],
  );
  return row;
}

const NOTHING = { events: 0, deliveries: 0, updates: 0, keys: 0 };

describe('one transaction (webhooks rule 1)', () => {
  it('stores the event, its deliveries and their first updates, and wakes their lanes once it is committed', async () => {
    const lane = await subscribe();
    const [event] = await context().write(async (unit) => {
      const emitted = await emitInTransaction(unit, organizationId, [exampleEvent()], context());
      expect(await stored()).toEqual(NOTHING);
      expect(woken).toEqual([]);
      return emitted;
    });
    expect(event).toEqual({
      id: expect.any(String),
      type: 'task.completed',
      deliveryCount: 1,
      deduplicated: false,
    });
    expect(await stored()).toEqual({ events: 1, deliveries: 1, updates: 1, keys: 0 });
    expect(woken).toEqual([lane]);
  });

  it('leaves nothing and wakes nobody when the caller’s work fails after it', async () => {
    await subscribe();
    const work = context().write(async (unit) => {
      await emitInTransaction(unit, organizationId, [keyed('a'), exampleEvent()], context());
      throw new Error('The quest was not completed after all.');
    });
    await expect(work).rejects.toThrow('not completed after all');
    expect(await stored()).toEqual(NOTHING);
    expect(woken).toEqual([]);
    // The key is free again.
    expect(await emit([keyed('a', otherData())])).toMatchObject([{ deduplicated: false }]);
  });

  it('goes to those who asked for the type or for all, held where they are paused, and to nobody else', async () => {
    const [all, fitting, paused] = [
      await subscribe(),
      await subscribe(['badge.earned', 'task.completed']),
      await subscribe(),
    ];
    await subscribe(['badge.earned']);
    await updateSubscription(context(), paused, { active: false });
    woken = [];
    const other = await world.createOrganization();
    await createSubscription(world.context(other), {
      targetUrl: 'http://127.0.0.1:9999/',
      eventTypes: ['*'],
    });
    expect(await emit([exampleEvent()])).toMatchObject([{ deliveryCount: 3 }]);
    const rows = await world.query(
      'SELECT subscription_id AS id, status, due_at FROM deliveries WHERE organization_id = $1',
      [organizationId],
    );
    const now = world.clock.now();
    expect(rows.toSorted((a, b) => String(a['id']).localeCompare(String(b['id'])))).toEqual([
      { id: all, status: 'PENDING', due_at: now },
      { id: fitting, status: 'PENDING', due_at: now },
      { id: paused, status: 'HELD', due_at: null },
    ]);
    expect(woken.toSorted()).toEqual([all, fitting]);
    expect(await world.query('SELECT FROM deliveries WHERE organization_id = $1', [other])).toEqual([]);
  });

  it('lets a student’s own transaction emit, though a student sees neither subscriptions nor deliveries', async () => {
    const lane = await subscribe();
    const student = { organizationId, userId: newId(), role: 'STUDENT' } as const;
    const [seen, emitted] = await world.tenancy.write(student, async (unit) => {
      const events = await emitInTransaction(unit, organizationId, [exampleEvent()], context());
      const { tx } = unit;
      return [
        [await tx.webhookSubscription.count(), await tx.delivery.count(), await tx.event.count()],
        events,
      ];
    });
    expect(seen).toEqual([0, 0, 0]);
    expect(emitted).toMatchObject([{ deliveryCount: 1 }]);
    expect(woken).toEqual([lane]);
  });
});

describe('idempotency keys (webhooks rule 2)', () => {
  it('answer the first event again and create nothing', async () => {
    await subscribe();
    const [first] = await emit([keyed('a')]);
    const before = await stored();
    woken = [];
    expect(await emit([keyed('a')])).toEqual([{ ...first, deduplicated: true }]);
    expect(await stored()).toEqual(before);
    expect(woken).toEqual([]);
  });

  it.each<readonly [string, Partial<EventInput>]>([
    ['other data', { data: { ...exampleEvent().data, xp_awarded: 51 } }],
    ['another type', exampleEvent('badge.earned')],
    ['another time', { occurredAt: new Date(0) }],
  ])('are a CONFLICT with %s, and nothing of that batch is stored', async (_, change) => {
    await emit([keyed('a')]);
    const before = await stored();
    await expect(emit([exampleEvent(), { ...keyed('a'), ...change }])).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await stored()).toEqual(before);
  });

  it('end after 24 hours', async () => {
    const [first] = await emit([keyed('a')]);
    world.clock.advance(86_400_000 - 1);
    expect(await emit([keyed('a')])).toMatchObject([{ id: first?.id, deduplicated: true }]);
    world.clock.advance(1);
    const [second] = await emit([keyed('a', otherData())]);
    expect(second).toMatchObject({ deduplicated: false });
    expect(second?.id).not.toBe(first?.id);
    expect(await emit([keyed('a', otherData())])).toMatchObject([{ id: second?.id, deduplicated: true }]);
  });

  it('make one event of twenty that come at once', async () => {
    await subscribe();
    const answers = (await Promise.all(Array.from({ length: 20 }, () => emit([keyed('a')])))).flat();
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(answers.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    expect(new Set(answers.map(({ deliveryCount }) => deliveryCount))).toEqual(new Set([1]));
    expect(await stored()).toEqual({ events: 1, deliveries: 1, updates: 1, keys: 1 });
  });

  it('do not make two batches wait for each other that hold the same keys in another order', async () => {
    const keys = Array.from({ length: 20 }, (_, index) => keyed(`key-${index}`));
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => emit(index % 2 === 0 ? keys : keys.toReversed())),
    );
    expect(new Set(answers.flat().map(({ id }) => id)).size).toBe(20);
    expect(await stored()).toMatchObject({ events: 20, keys: 20 });
  });

  it('used twice in one batch make one event, with the same answer', async () => {
    await subscribe();
    const [first, plain, again] = await emit([keyed('a'), exampleEvent(), keyed('a')]);
    expect(again).toEqual({ ...first, deduplicated: true });
    expect(plain?.id).not.toBe(first?.id);
    expect(await stored()).toEqual({ events: 2, deliveries: 2, updates: 2, keys: 1 });
  });

  it('used twice in one batch for different events are a CONFLICT', async () => {
    await expect(emit([keyed('a'), keyed('a', otherData())])).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await stored()).toEqual(NOTHING);
  });

  it('are an organization’s own', async () => {
    const [first] = await emit([keyed('a')]);
    organizationId = await world.createOrganization();
    const [second] = await emit([keyed('a', otherData())]);
    expect(second).toMatchObject({ deduplicated: false });
    expect(second?.id).not.toBe(first?.id);
  });

  it.each(['', 'x'.repeat(201), 'a\nb', 'schlüssel'])('refuse %j', async (key) => {
    await expect(emit([keyed(key)])).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['idempotency_key'] }],
    });
  });
});

describe('what does not fit (webhooks rule 3)', () => {
  it('is refused with the path of each fault, and nothing is stored', async () => {
    const inputs = [
      exampleEvent(),
      { type: 'task.eaten', data: {} },
      { ...exampleEvent(), data: { ...exampleEvent().data, user_id: 7, pillar: 'x' } },
    ];
    await expect(emit(inputs)).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: [1, 'event'] }, { path: [2, 'data', 'user_id'] }, { path: [2, 'data', 'pillar'] }],
    });
    expect(await stored()).toEqual(NOTHING);
  });

  it('is named without a number where there is one event only', async () => {
    await expect(emit([{ type: 'task.eaten', data: {} }])).rejects.toMatchObject({
      faults: [{ path: ['event'] }],
    });
    await expect(emit([{ ...exampleEvent(), data: null }])).rejects.toMatchObject({
      faults: [{ path: ['data'] }],
    });
  });

  it('is too large beyond 256 KiB', async () => {
    const data = { ...exampleEvent().data, essay: 'x'.repeat(256 * 1_024) };
    await expect(emit([{ ...exampleEvent(), data }])).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it('is more than a viewer may: no scope, or a session that is not an admin’s', async () => {
    await expect(emit([exampleEvent()], context({ scopes: ['read:events'] }))).rejects.toMatchObject({
      code: 'FORBIDDEN',
      requiredScope: 'write:events',
    });
    const student = context({ role: 'STUDENT', scopes: null, clientId: null, userId: newId() });
    await expect(emit([exampleEvent()], student)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await stored()).toEqual(NOTHING);
  });

  it('is another organization: the feature does not know it, and the database refuses it (SQLSTATE 42501)', async () => {
    const other = await world.createOrganization();
    await expect(emit([exampleEvent(), { ...exampleEvent(), organizationId: other }])).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const past = context().write((unit) => emitInTransaction(unit, other, [exampleEvent()], context()));
    await expect(past).rejects.toThrow(/42501|another organization/);
    expect(await world.query('SELECT FROM events WHERE organization_id = $1', [other])).toEqual([]);
    expect(await emit([{ ...exampleEvent(), organizationId }])).toHaveLength(1);
  });
});

describe('the event', () => {
  it('is stored though nobody wants it (webhooks rule 4)', async () => {
    const [event] = await emit([exampleEvent()]);
    expect(event).toMatchObject({ deliveryCount: 0 });
    expect((await listEvents(context(), {}, { limit: 10 })).items.map(({ id }) => id)).toEqual([event?.id]);
    expect(woken).toEqual([]);
  });

  it('keeps its bytes: order, unknown fields, letters and signs of all scripts (webhooks rule 7)', async () => {
    const data = {
      ...exampleEvent().data,
      task_title: 'Æ 水 🌊 "\\/\n\u0000\u2028',
      zz: { b: 1, a: [1.5, null] },
      aa: 1,
    };
    const occurredAt = new Date('2026-11-23T10:00:00.120Z');
    const [event] = await emit([{ type: 'task.completed', data, occurredAt }]);
    const bodies = await findEventBodies(context(), [event?.id ?? '']);
    expect(bodies.get(event?.id ?? '')).toBe(
      JSON.stringify({
        event: 'task.completed',
        timestamp: '2026-11-23T10:00:00.120Z',
        data,
        organization_id: organizationId,
      }),
    );
  });
});

describe('a batch (webhooks rule 5)', () => {
  const batch = (count: number) => Array.from({ length: count }, () => exampleEvent());

  it('of 1,000 is one statement in one transaction, and answers in its order', async () => {
    await subscribe();
    const types = ['task.completed', 'badge.earned', 'quest.completed'];
    const inputs = Array.from({ length: 1_000 }, (_, index) => exampleEvent(types[index % 3]));
    const statements = vi.spyOn(Client.prototype, 'query');
    const events = await emit(inputs);
    // Those of tenants only: the worker's connections have work of their own.
    const texts = statements.mock.calls
      .filter((_, index) => isTenant(statements.mock.contexts[index]))
      .map(([query]) => textOf(query));
    statements.mockRestore();
    expect(texts).toEqual([
      expect.stringMatching(/^BEGIN/),
      expect.stringContaining('optio.emit_events'),
      'COMMIT',
    ]);
    expect(events.map(({ type }) => type)).toEqual(inputs.map(({ type }) => type));
    expect(new Set(events.map(({ id }) => id)).size).toBe(1_000);
    expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).toSorted());
    expect(await stored()).toEqual({ events: 1_000, deliveries: 1_000, updates: 1_000, keys: 0 });
    expect(woken).toHaveLength(1);
  });

  it.each([0, 1_001])('of %i is refused', async (count) => {
    await expect(emit(batch(count))).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['events'] }],
    });
    expect(await stored()).toEqual(NOTHING);
  });
});

function isTenant(client: unknown): boolean {
  return client instanceof Client && client.user?.endsWith('_tenant_login') === true;
}

/** pg takes a text or an object with one. */
function textOf(query: unknown): unknown {
  return typeof query === 'object' && query !== null && 'text' in query ? query.text : query;
}
