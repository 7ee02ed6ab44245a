/** What the audit log is told of webhooks: each act with its own transaction, and no secret ever. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelDelivery, retryDelivery } from '../../src/webhooks/delivery.ts';
import { rotateSecret } from '../../src/webhooks/secret-rotation.ts';
import {
  createSubscription,
  deleteSubscription,
  updateSubscription,
} from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { startReceiver } from '../support/receiver.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const entriesOf = (organizationId: string) =>
  world.query('SELECT * FROM audit_entries WHERE organization_id = $1 ORDER BY id', [organizationId]);

const HEADERS = [
  ['X-Tenant', 'north-wind'],
  ['Authorization', 'Bearer of-the-lms'],
] as const;

async function setUp(targetUrl = 'http://127.0.0.1:9099/hooks') {
  const organizationId = await world.createOrganization();
  const context = world.context(organizationId);
  const { subscription, secret } = await createSubscription(context, {
    targetUrl,
    eventTypes: ['task.completed'],
    customHeaders: HEADERS,
  });
  const newEntries = async () => (await entriesOf(organizationId)).slice(1);
  return { organizationId, context, subscription, secret, id: subscription.id, newEntries };
}

const byClient = { actor_kind: 'CLIENT', actor_id: 'test-client' };

describe('a webhook subscription', () => {
  it('that is created: the settings it begins with, headers without their values', async () => {
    const { organizationId, id } = await setUp();
    expect(await entriesOf(organizationId)).toMatchObject([
      {
        action: 'webhook_subscription.created',
        ...byClient,
        target_type: 'WebhookSubscription',
        target_id: id,
        target_label: 'http://127.0.0.1:9099/hooks',
        at: world.clock.now(),
        changes: {
          target_url: { from: null, to: 'http://127.0.0.1:9099/hooks' },
          event_types: { from: null, to: ['task.completed'] },
          custom_headers: { from: null, to: { 'X-Tenant': '••••', Authorization: '••••' } },
          max_concurrency: { from: null, to: 10 },
          retry_seconds: { from: null, to: [] },
        },
      },
    ]);
  });

  it('that is updated: what is different, and nothing else', async () => {
    const { context, id, newEntries } = await setUp();
    await updateSubscription(context, id, { maxConcurrency: 5, eventTypes: ['task.completed'] });
    expect(await newEntries()).toMatchObject([
      { action: 'webhook_subscription.updated', changes: { max_concurrency: { from: 10, to: 5 } } },
    ]);
    expect(Object.keys((await newEntries())[0]?.['changes'] ?? {})).toEqual(['max_concurrency']);
  });

  it('whose headers are changed: which of them got another value, and not which', async () => {
    const { context, id, newEntries } = await setUp();
    const customHeaders = [
      ['X-Tenant', 'north-wind'],
      ['Authorization', 'Bearer of-another'],
    ] as const;
    await updateSubscription(context, id, { customHeaders });
    expect(await newEntries()).toMatchObject([
      {
        changes: {
          custom_headers: {
            from: { 'X-Tenant': '••••', Authorization: '••••' },
            to: { 'X-Tenant': '••••', Authorization: '•••• (changed)' },
          },
        },
      },
    ]);
  });

  it('that an update leaves as it was: no entry', async () => {
    const { context, id, newEntries } = await setUp();
    await updateSubscription(context, id, { maxConcurrency: 10, customHeaders: HEADERS, active: true });
    expect(await newEntries()).toEqual([]);
  });

  it('that is paused and resumed: one entry each, apart from other changes', async () => {
    const { context, id, newEntries } = await setUp();
    await updateSubscription(context, id, { active: false, description: 'On holiday.' });
    await updateSubscription(context, id, { active: true });
    expect(await newEntries()).toMatchObject([
      { action: 'webhook_subscription.paused', changes: { status: { from: 'ACTIVE', to: 'PAUSED' } } },
      { action: 'webhook_subscription.updated', changes: { description: { from: null, to: 'On holiday.' } } },
      { action: 'webhook_subscription.resumed', changes: { status: { from: 'PAUSED', to: 'ACTIVE' } } },
    ]);
  });

  it('whose secret is rotated: until when the old one signs', async () => {
    const { context, id, newEntries } = await setUp();
    const { overlapEndsAt } = await rotateSecret(context, id, { overlapSeconds: 3_600 });
    expect(await newEntries()).toMatchObject([
      {
        action: 'webhook_subscription.secret_rotated',
        changes: { overlap_ends_at: { from: null, to: overlapEndsAt.toISOString() } },
      },
    ]);
  });

  it('that is deleted', async () => {
    const { context, id, newEntries } = await setUp();
    await deleteSubscription(context, id);
    expect(await newEntries()).toMatchObject([
      { action: 'webhook_subscription.deleted', target_id: id, ...byClient },
    ]);
  });

  it('that was not changed, because the change was refused: no entry', async () => {
    const { context, id, newEntries } = await setUp();
    const outdated = updateSubscription(context, id, { maxConcurrency: 5, expectedVersion: 7 });
    await expect(outdated).rejects.toMatchObject({ code: 'CONFLICT' });
    const wrong = updateSubscription(context, id, { maxConcurrency: 0 });
    await expect(wrong).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(await newEntries()).toEqual([]);
  });

  it('whose receiver answers 410: disabled by the system, once, with the reason', async () => {
    const receiver = await startReceiver();
    receiver.answer = (_request, response) => void response.writeHead(410).end();
    const { context, id, newEntries } = await setUp(receiver.url);
    const stream = world.updates.subscribe(context.viewer, {});
    await stream.next();
    await sendTestEvent(context, { subscriptionId: id });
    await sendTestEvent(context, { subscriptionId: id });
    const worker = world.startWorker();
    for (let failed = 0; failed < 2; ) {
      const { value } = await stream.next();
      if (value?.kind === 'update' && value.update.status === 'FAILED') failed += 1;
    }
    await worker.stop();
    await receiver.close();
    const disabled = (await newEntries()).filter(({ action }) => action === 'webhook_subscription.disabled');
    expect(disabled).toHaveLength(1);
    expect(disabled[0]).toMatchObject({
      action: 'webhook_subscription.disabled',
      actor_kind: 'SYSTEM',
      actor_id: null,
      target_id: id,
      target_label: receiver.url,
      changes: { disabled_reason: { to: expect.stringContaining('410') } },
    });
  });
});

describe('a delivery', () => {
  it('that is sent for a test, again, and cancelled', async () => {
    const { context, id, newEntries } = await setUp();
    const { delivery } = await sendTestEvent(context, { subscriptionId: id, eventType: 'badge.earned' });
    await retryDelivery(context, delivery.id);
    await cancelDelivery(context, delivery.id);
    const target = {
      target_type: 'Delivery',
      target_id: delivery.id,
      target_label: 'badge.earned',
      ...byClient,
    };
    expect(await newEntries()).toMatchObject([
      {
        action: 'webhook_subscription.tested',
        target_id: id,
        changes: { event_type: { to: 'badge.earned' }, delivery_id: { to: delivery.id } },
      },
      { action: 'delivery.retried', ...target, changes: {} },
      { action: 'delivery.cancelled', ...target, changes: { status: { from: 'PENDING', to: 'CANCELLED' } } },
    ]);
  });

  it('that has ended and cannot be cancelled: no entry', async () => {
    const { context, id, newEntries } = await setUp();
    const { delivery } = await sendTestEvent(context, { subscriptionId: id });
    await cancelDelivery(context, delivery.id);
    await expect(cancelDelivery(context, delivery.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await newEntries()).map(({ action }) => action)).toEqual([
      'webhook_subscription.tested',
      'delivery.cancelled',
    ]);
  });
});

describe('what cannot be recorded', () => {
  it('does not happen: the act and its entry are one transaction', async () => {
    const { organizationId, context, id } = await setUp();
    await world.query('REVOKE INSERT ON audit_entries FROM optio_tenant');
    try {
      await expect(deleteSubscription(context, id)).rejects.toThrow(/permission denied/);
      await expect(updateSubscription(context, id, { maxConcurrency: 5 })).rejects.toThrow(
        /permission denied/,
      );
    } finally {
      await world.query('GRANT INSERT ON audit_entries TO optio_tenant');
    }
    const rows = await world.query(
      'SELECT deleted_at, max_concurrency FROM webhook_subscriptions WHERE organization_id = $1',
      [organizationId],
    );
    expect(rows).toEqual([{ deleted_at: null, max_concurrency: 10 }]);
  });
});

describe('secrets', () => {
  it('and values of headers are nowhere in the log (oauth rule 56)', async () => {
    const { organizationId, context, id, secret } = await setUp();
    const { secret: rotated } = await rotateSecret(context, id);
    await updateSubscription(context, id, { customHeaders: [['X-Api-Key', 'k-e-y']] });
    const log = JSON.stringify(await entriesOf(organizationId));
    for (const hidden of [secret, rotated, 'north-wind', 'of-the-lms', 'k-e-y'])
      expect(log).not.toContain(hidden);
    expect(log).toContain('X-Api-Key');
  });
});
