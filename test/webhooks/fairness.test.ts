import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
import { type BlackHole, openBlackHole } from '../support/black-hole.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

const DEAD = 300;

let world: World;
let organizationId: string;
let holes: readonly BlackHole[];

// An attempt on a dead target takes a minute, longer than this test may: whatever waits for one shows.
beforeAll(async () => {
  world = await openWorld();
  organizationId = await world.createOrganization();
  holes = await Promise.all(Array.from({ length: 10 }, openBlackHole));
  world.startWorker({ timeoutMs: 60_000 });
});
afterAll(async () => {
  await Promise.all(holes.map((hole) => hole.close()));
  await world.close();
});

const context = () => world.context(organizationId);
const subscribe = (targetUrl: string, type: string) =>
  createSubscription(context(), { targetUrl, eventTypes: [type] });
// One after another: an API's pool has room for what is in transactions, not for hundreds that wait for one.
const subscribeMany = async (targetUrl: string, count: number) => {
  for (let made = 0; made < count; made++) await subscribe(targetUrl, 'badge.earned');
};
const emit = (type: string, count: number) =>
  emitEvents(
    context(),
    Array.from({ length: count }, () => exampleEvent(type)),
  );

const connections = () => holes.reduce((sum, hole) => sum + hole.connections(), 0);

async function attemptsEnded(receiver: Receiver): Promise<number> {
  const [row] = await world.query(
    `SELECT count(*)::int AS count FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id
     JOIN webhook_subscriptions s ON s.id = d.subscription_id WHERE s.target_url <> $1`,
    [receiver.url],
  );
  return Number(row?.['count']);
}

describe(`beside ${DEAD} targets that never answer, each with 20 deliveries (webhooks rule 18)`, () => {
  it('a lane that is opened later sends at once, and so does every one after it', async () => {
    await Promise.all(holes.map((hole) => subscribeMany(hole.url, DEAD / holes.length)));
    await emit('badge.earned', 20);
    await eventually(() => expect(connections()).toBeGreaterThanOrEqual(DEAD));

    const receiver = await startReceiver();
    const types = ['task.completed', 'quest.completed', 'grade.updated'];
    for (const [index, type] of types.entries()) {
      await subscribe(receiver.url, type);
      for (let count = 1; count <= 5; count++) {
        await emit(type, 1);
        await receiver.received(index * 5 + count);
      }
    }
    expect(await attemptsEnded(receiver)).toBe(0);
    await receiver.close();
  });
});
