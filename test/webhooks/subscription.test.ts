import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { unseal } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { listDeliveries } from '../../src/webhooks/delivery.ts';
import { rotateSecret } from '../../src/webhooks/secret-rotation.ts';
import {
  countSubscriptions,
  createSubscription,
  deleteSubscription,
  getSubscription,
  listSubscriptions,
  MAX_SUBSCRIPTIONS,
  type SubscriptionChanges,
  updateSubscription,
} from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
});

const URL_OF_SCHOOL = 'http://127.0.0.1:9999/hooks';
const context = () => world.context(organizationId);
const create = async (settings = {}) =>
  createSubscription(context(), { targetUrl: URL_OF_SCHOOL, eventTypes: ['task.completed'], ...settings });
const createOne = async (settings = {}) => (await create(settings)).subscription;

const secretsOf = (id: string) =>
  world.query('SELECT expires_at FROM webhook_secrets WHERE subscription_id = $1 ORDER BY created_at, id', [
    id,
  ]);
const acts = (id: string, foreign = context()) => ({
  get: () => getSubscription(foreign, id),
  update: () => updateSubscription(foreign, id, { active: false }),
  rotate: () => rotateSecret(foreign, id),
  remove: () => deleteSubscription(foreign, id),
  test: () => sendTestEvent(foreign, { subscriptionId: id }),
});

describe('creating', () => {
  it('answers what was asked for and what is the default, and a secret that is stored sealed (webhooks rules 19, 25)', async () => {
    const { subscription, secret } = await create({ description: 'Canvas' });
    expect(subscription).toMatchObject({
      organizationId,
      targetUrl: URL_OF_SCHOOL,
      eventTypes: ['task.completed'],
      description: 'Canvas',
      status: 'ACTIVE',
      disabledReason: null,
      maxConcurrency: 10,
      rateLimitPerSecond: null,
      retrySeconds: [],
      version: 1,
      createdAt: world.clock.now(),
    });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const [stored] = await world.query('SELECT sealed FROM webhook_secrets WHERE subscription_id = $1', [
      subscription.id,
    ]);
    const sealed = stored?.['sealed'] as Buffer; // A bytea.
    expect(sealed.toString('latin1')).not.toContain(secret.slice(6));
    expect(unseal(context().keys, sealed, subscription.id).toString()).toBe(secret);
    for (const other of ['', newId()])
      expect(() => unseal(context().keys, sealed, other)).toThrow(/authenticate/);
  });

  it('keeps each event type once', async () => {
    expect(
      (await createOne({ eventTypes: ['task.completed', 'badge.earned', 'task.completed'] })).eventTypes,
    ).toEqual(['task.completed', 'badge.earned']);
  });

  it('seals custom headers (webhooks rule 11)', async () => {
    const { id } = await createOne({ customHeaders: [['authorization', 'Bearer lms-token']] });
    const [stored] = await world.query('SELECT sealed_headers FROM webhook_subscriptions WHERE id = $1', [
      id,
    ]);
    expect(stored?.['sealed_headers']).toBeInstanceOf(Buffer);
    expect(String(stored?.['sealed_headers'])).not.toContain('lms-token');
  });

  it.each<readonly [string, SubscriptionChanges, readonly (string | number)[]]>([
    ['a target URL that is none', { targetUrl: 'nonsense' }, ['target_url']],
    ['a target URL with user info (rule 30)', { targetUrl: 'https://a:b@lms.example/' }, ['target_url']],
    ['a target URL with a fragment (rule 30)', { targetUrl: 'https://lms.example/#a' }, ['target_url']],
    ['a low port (rule 30)', { targetUrl: 'https://lms.example:22/' }, ['target_url']],
    ['a blocked address (rule 31)', { targetUrl: 'https://169.254.169.254/' }, ['target_url']],
    ['no event type', { eventTypes: [] }, ['event_types']],
    ['an unknown event type', { eventTypes: ['task.completed', 'task.eaten'] }, ['event_types', 1]],
    ['* beside others', { eventTypes: ['task.completed', '*'] }, ['event_types', 1]],
    ['a long description', { description: 'x'.repeat(501) }, ['description']],
    ['a description with NUL', { description: 'a\0b' }, ['description']],
    ['a reserved header (rule 34)', { customHeaders: [['Host', 'lms.example']] }, ['custom_headers', 'Host']],
    [
      'a header that breaks the line (rule 34)',
      { customHeaders: [['x-a', 'a\r\nb: c']] },
      ['custom_headers', 'x-a'],
    ],
    ['no concurrency', { maxConcurrency: 0 }, ['max_concurrency']],
    ['too much concurrency', { maxConcurrency: 101 }, ['max_concurrency']],
    ['half a concurrency', { maxConcurrency: 1.5 }, ['max_concurrency']],
    ['a rate limit of 0', { rateLimitPerSecond: 0 }, ['rate_limit_per_second']],
    ['a rate limit beyond 1,000', { rateLimitPerSecond: 1_001 }, ['rate_limit_per_second']],
    ['more than 20 retries', { retrySeconds: Array.from({ length: 21 }, () => 60) }, ['retry_seconds']],
    ['a retry without delay', { retrySeconds: [60, 0] }, ['retry_seconds', 1]],
    ['no time for an attempt', { timeoutSeconds: 0 }, ['timeout_seconds']],
    ['too much time for an attempt', { timeoutSeconds: 31 }, ['timeout_seconds']],
    ['an order by no path', { orderedBy: 'data.' }, ['ordered_by']],
    ['an order by a path outside of data', { orderedBy: 'timestamp' }, ['ordered_by']],
    ['a retry after more than a day', { retrySeconds: [86_401] }, ['retry_seconds', 0]],
  ])('refuses %s, and names it', async (_, settings, path) => {
    await expect(create(settings)).rejects.toMatchObject({ code: 'VALIDATION', faults: [{ path }] });
    const { id } = await createOne();
    await expect(updateSubscription(context(), id, settings)).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path }],
    });
    expect(await countSubscriptions(context(), {})).toEqual({ value: 1, isExact: true });
  });

  it('names every fault at once', async () => {
    await expect(
      create({ targetUrl: 'nonsense', eventTypes: [], maxConcurrency: 0, retrySeconds: [0] }),
    ).rejects.toMatchObject({
      faults: [
        { path: ['target_url'] },
        { path: ['event_types'] },
        { path: ['max_concurrency'] },
        { path: ['retry_seconds', 0] },
      ],
    });
  });

  it('takes the bounds themselves', async () => {
    const settings = {
      description: 'x'.repeat(500),
      maxConcurrency: 100,
      rateLimitPerSecond: 1_000,
      retrySeconds: [1, ...Array.from({ length: 19 }, () => 86_400)],
      eventTypes: ['*'],
    };
    expect(await createOne(settings)).toMatchObject(settings);
  });

  it('ends at 1,000 subscriptions of an organization; deleted ones do not count', async () => {
    await world.query(
      `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
       SELECT $1, gen_random_uuid(), $2, ARRAY['*'] FROM generate_series(1, $3::int)`,
      [organizationId, URL_OF_SCHOOL, MAX_SUBSCRIPTIONS - 1],
    );
    const { id } = await createOne();
    await expect(create()).rejects.toMatchObject({ code: 'CONFLICT' });
    await deleteSubscription(context(), id);
    await createOne();
  });
});

describe('changing', () => {
  it('changes what is named and nothing else', async () => {
    const before = await createOne({ description: 'Canvas', rateLimitPerSecond: 5 });
    const after = await updateSubscription(context(), before.id, {
      eventTypes: ['*'],
      rateLimitPerSecond: null,
    });
    expect(after).toEqual({ ...before, eventTypes: ['*'], rateLimitPerSecond: null, version: 2 });
    expect((await updateSubscription(context(), before.id, { description: null })).description).toBeNull();
  });

  it('refuses another version than the one expected, and names the one it has', async () => {
    const { id } = await createOne();
    await updateSubscription(context(), id, { description: 'a', expectedVersion: 1 });
    await expect(
      updateSubscription(context(), id, { description: 'b', expectedVersion: 1 }),
    ).rejects.toMatchObject({ code: 'CONFLICT', currentVersion: 2 });
    expect(await getSubscription(context(), id)).toMatchObject({ description: 'a', version: 2 });
  });

  it('lets one of two changes through that expect the same version', async () => {
    const { id } = await createOne();
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((description) =>
        updateSubscription(context(), id, { description, expectedVersion: 1 }),
      ),
    );
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect((await getSubscription(context(), id)).version).toBe(2);
  });

  it('pauses and resumes: held and due with the subscription, and its reason goes', async () => {
    const { id } = await createOne();
    await emitEvents(context(), [exampleEvent()]);
    expect(await updateSubscription(context(), id, { active: false })).toMatchObject({ status: 'PAUSED' });
    await emitEvents(context(), [exampleEvent()]);
    expect(await statuses()).toEqual(['HELD', 'HELD']);
    expect(await updateSubscription(context(), id, { active: true })).toMatchObject({ status: 'ACTIVE' });
    expect(await statuses()).toEqual(['PENDING', 'PENDING']);
  });

  it('enables a disabled one; to pause it leaves it disabled', async () => {
    const { id } = await createOne();
    await world.query(
      "UPDATE webhook_subscriptions SET status = 'DISABLED', disabled_reason = 'It kept failing.', disabled_at = now() WHERE id = $1",
      [id],
    );
    expect(await updateSubscription(context(), id, { active: false })).toMatchObject({
      status: 'DISABLED',
      disabledReason: 'It kept failing.',
    });
    expect(await updateSubscription(context(), id, { active: true })).toMatchObject({
      status: 'ACTIVE',
      disabledReason: null,
      disabledAt: null,
    });
  });
});

describe('rotating the secret (webhooks rule 24)', () => {
  it('ends the old one after the overlap, and at once what an earlier rotation left', async () => {
    const { subscription, secret } = await create();
    const first = await rotateSecret(context(), subscription.id, { overlapSeconds: 60 });
    const second = await rotateSecret(context(), subscription.id, { overlapSeconds: 120 });
    expect(new Set([secret, first.secret, second.secret]).size).toBe(3);
    expect(second.overlapEndsAt).toEqual(new Date(world.clock.now().getTime() + 120_000));
    expect(await secretsOf(subscription.id)).toEqual([
      { expires_at: second.overlapEndsAt },
      { expires_at: null },
    ]);
  });

  it('without an overlap leaves the new one alone', async () => {
    const { id } = await createOne();
    await rotateSecret(context(), id, { overlapSeconds: 0 });
    expect(await secretsOf(id)).toEqual([{ expires_at: null }]);
  });

  it.each([-1, 1.5, Number.NaN, 7 * 86_400 + 1])('refuses an overlap of %s seconds', async (overlap) => {
    const { id } = await createOne();
    await expect(rotateSecret(context(), id, { overlapSeconds: overlap })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['overlap_seconds'] }],
    });
    expect(await secretsOf(id)).toHaveLength(1);
  });
});

describe('listing', () => {
  it('pages newest first, by type and by state, deleted ones left out', async () => {
    const [one, two, three] = [
      await createOne({ eventTypes: ['*'] }),
      await createOne({ eventTypes: ['badge.earned'] }),
      await createOne(),
    ];
    await updateSubscription(context(), two.id, { active: false });
    await deleteSubscription(context(), (await createOne()).id);
    const ids = async (filter = {}, page = {}) =>
      (await listSubscriptions(context(), filter, { limit: 10, ...page })).items.map(({ id }) => id);
    expect(await ids()).toEqual([three.id, two.id, one.id]);
    expect(await ids({}, { limit: 1, after: three.id })).toEqual([two.id]);
    expect(await ids({}, { limit: 1, before: one.id })).toEqual([two.id]);
    expect(await ids({ eventType: 'badge.earned' })).toEqual([two.id, one.id]);
    expect(await ids({ active: false })).toEqual([two.id]);
    expect(await countSubscriptions(context(), { active: true })).toEqual({ value: 2, isExact: true });
  });
});

describe('isolation', () => {
  it('another organization’s subscription does not exist, nor one that never was, nor nonsense', async () => {
    const { id } = await createOne();
    organizationId = await world.createOrganization();
    for (const unknown of [id, newId(), 'nonsense', '']) {
      for (const act of Object.values(acts(unknown))) {
        await expect(act()).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
    }
    expect((await listSubscriptions(context(), {}, { limit: 10 })).items).toEqual([]);
    await expect(create({ organizationId: newId() })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('asks for the scope of each act: reading is not writing', async () => {
    const { id } = await createOne();
    const reader = world.context(organizationId, { scopes: ['read:webhooks'] });
    const { get, ...writes } = acts(id, reader);
    expect(await get()).toMatchObject({ id });
    for (const act of Object.values(writes)) {
      await expect(act()).rejects.toMatchObject({ code: 'FORBIDDEN', requiredScope: 'write:webhooks' });
    }
    const writer = world.context(organizationId, { scopes: ['write:webhooks'] });
    expect(await getSubscription(writer, id)).toMatchObject({ id, status: 'ACTIVE', version: 1 });
  });

  it.each(['STUDENT', 'EDUCATOR'] as const)('is closed to a session of a %s', async (role) => {
    const { id } = await createOne();
    for (const act of Object.values(acts(id, world.context(organizationId, { role, scopes: null })))) {
      await expect(act()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
  });
});

async function statuses(): Promise<readonly string[]> {
  return (await listDeliveries(context(), {}, { limit: 10 })).items.map(({ status }) => status);
}
