import { afterAll, beforeAll, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

const USERS = 8;
const EVENTS = 25;

let world: World;
let receiver: Receiver;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
  receiver = await startReceiver();
  organizationId = await world.createOrganization();
});
afterAll(async () => {
  await receiver.close();
  await world.close();
});

type Seen = { readonly user: string; readonly n: number };
const seen = ({ body }: ReceivedRequest): Seen => {
  const { user_id: user, task_title: title } = JSON.parse(body).data;
  return { user, n: Number(title) };
};
const { type, data } = exampleEvent();
const emit = (n: number) =>
  emitEvents(
    world.context(organizationId),
    Array.from({ length: USERS }, (_, user) => ({
      type,
      data: { ...data, user_id: `u${user}`, task_title: String(n) },
    })),
  );

it('each user’s deliveries come one at a time and in order, over two workers, failures, and the end of one worker (webhooks rule 20)', async () => {
  const open = new Map<string, number>();
  const accepted = new Map<string, number[]>();
  const failed = new Set<string>();
  let together = 0;
  let most = 0;
  const allAccepted = Promise.withResolvers<void>();
  receiver.answer = (request, response) => {
    const { user, n } = seen(request);
    const now = (open.get(user) ?? 0) + 1;
    open.set(user, now);
    most = Math.max(most, now);
    together = Math.max(
      together,
      [...open.values()].reduce((sum, count) => sum + count, 0),
    );
    // Another turn of the loop: whatever the workers send meanwhile would be seen.
    setImmediate(() => {
      open.set(user, now - 1);
      const isRefused = (n + user.length) % 7 === 0 && !failed.has(`${user}/${n}`);
      if (isRefused) {
        failed.add(`${user}/${n}`);
        response.writeHead(503).end();
        return;
      }
      accepted.set(user, [...(accepted.get(user) ?? []), n]);
      response.end('ok');
      const count = [...accepted.values()].reduce((sum, ns) => sum + ns.length, 0);
      if (count === USERS * EVENTS) allAccepted.resolve();
    });
  };
  await createSubscription(world.context(organizationId), {
    targetUrl: receiver.url,
    eventTypes: ['*'],
    orderedBy: 'data.user_id',
    retrySeconds: [1, 1],
  });
  const workers = [world.startWorker(), world.startWorker()];
  const stream = world.updates.subscribe(world.context(organizationId).viewer, {});
  await stream.next();
  for (let n = 0; n < EVENTS; n++) await emit(n);
  // One of the two has the lane: whichever it is, the other one gets it.
  await receiver.received(40);
  const [first, second] = workers;
  await (first?.load().lanes === 1 ? first : second)?.stop();
  const follow = async () => {
    for await (const item of stream)
      if (item.kind === 'update' && item.update.status === 'RETRYING') world.clock.advance(1_200);
  };
  const following = follow();
  await allAccepted.promise;
  await stream.return?.();
  await following;

  const inOrder = Array.from({ length: EVENTS }, (_, n) => n);
  for (let user = 0; user < USERS; user++) expect(accepted.get(`u${user}`)).toEqual(inOrder);
  expect(failed.size).toBeGreaterThan(USERS);
  expect(most).toBe(1);
  expect(together).toBeGreaterThan(1);
  expect(world.errors).toEqual([]);
});
