/** Every way on which a closed address could be reached (webhooks rule 31): none of them leads to a connection. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { parseCidrs } from '../../src/platform/ip-range.ts';
import { createResolver } from '../../src/platform/outbound/resolver.ts';
import { BLOCKED_ADDRESS_MESSAGE } from '../../src/platform/outbound/target-url.ts';
import { listAttempts, retryDelivery } from '../../src/webhooks/delivery.ts';
import { createSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { type NameServer, startNameServer } from '../support/name-server.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let names: NameServer;
let receiver: Receiver;
let organizationId: string;
/** What the name of the receiver leads to now. */
let address = '127.0.0.1';

beforeAll(async () => {
  [world, names] = await Promise.all([
    openWorld(),
    startNameServer(({ type }) => (type === 'A' ? [address] : [])),
  ]);
  // One address of loopback is open; the receiver listens there, and whatever else is there must not be reached.
  world.startWorker({
    outbound: {
      allow: parseCidrs('127.0.0.1'),
      resolve: createResolver({ servers: [names.address], hostsFile: '' }),
    },
  });
});
afterAll(async () => {
  await world.close();
  await names.close();
});
beforeEach(async () => {
  address = '127.0.0.1';
  receiver = await startReceiver();
  organizationId = await world.createOrganization();
});
afterEach(() => receiver.close());

const STRICT = { allowHttp: true, allow: parseCidrs('127.0.0.1') };
const context = () => ({ ...world.context(organizationId), targetPolicy: STRICT });
const urlOf = (host: string) => `http://${host}:${new URL(receiver.url).port}/`;
const subscribe = async (host: string) =>
  (await createSubscription(context(), { targetUrl: urlOf(host), eventTypes: ['task.completed'] }))
    .subscription;

type Row = Readonly<Record<string, unknown>>;

/** The deliveries of the organization, once so many of them have the status. */
async function deliveries(status: string, count = 1): Promise<readonly Row[]> {
  const updates = world.updates.subscribe(context().viewer, {});
  try {
    for (;;) {
      // The stream's first item says that it is open: what ends after that is told.
      await updates.next();
      const rows = await world.query(
        `SELECT id, status::text, attempt_count, last_error FROM deliveries
         WHERE organization_id = $1 AND status = $2::"DeliveryStatus"`,
        [organizationId, status],
      );
      if (rows.length >= count) return rows;
    }
  } finally {
    await updates.return?.();
  }
}

const REFUSED = { attempt_count: 1, last_error: BLOCKED_ADDRESS_MESSAGE };

describe('a closed address', () => {
  it.each(['127.0.0.2', '10.0.0.1', '169.254.169.254', '[::1]', 'localhost.'])(
    'is refused when a subscription is created or changed: %s (webhooks rule 31)',
    async (host) => {
      await expect(subscribe(host)).rejects.toMatchObject({ code: 'VALIDATION' });
      const { id } = await subscribe('hooks.example.test');
      const change = updateSubscription(context(), id, { targetUrl: urlOf(host) });
      await expect(change).rejects.toMatchObject({ code: 'VALIDATION' });
    },
  );

  it('behind a name is not reached by an event, and the delivery fails at once with the reason (webhooks rule 31)', async () => {
    await subscribe('hooks.example.test');
    address = '127.0.0.2';
    await emitEvents(context(), [exampleEvent()]);
    expect(await deliveries('FAILED')).toMatchObject([REFUSED]);
    expect(receiver.requests).toEqual([]);
  });

  it('is not reached by a test event (webhooks rule 31)', async () => {
    const { id } = await subscribe('hooks.example.test');
    address = '10.0.0.1';
    await sendTestEvent(context(), { subscriptionId: id });
    expect(await deliveries('FAILED')).toMatchObject([REFUSED]);
  });

  it('is not reached by sending a delivery again, after the name led elsewhere (webhooks rule 31)', async () => {
    receiver.answer = (_request, response) => void response.writeHead(500, { connection: 'close' }).end();
    await subscribe('again.example.test');
    await emitEvents(context(), [exampleEvent()]);
    const [sent] = await deliveries('RETRYING');
    address = '127.0.0.2';
    await retryDelivery(context(), String(sent?.['id']));
    await deliveries('FAILED');
    const attempts = await listAttempts(context(), String(sent?.['id']));
    expect(attempts.map(({ errorKind }) => errorKind)).toEqual(['http_status', 'blocked_address']);
    expect(receiver.requests).toHaveLength(1);
  });

  it.each([
    '127.0.0.2',
    '169.254.169.254',
    '[::ffff:127.0.0.1]',
    '2130706434',
    'localhost.',
    'user@127.0.0.1',
  ])('in a row that is older than the rule is not reached: %s (webhooks rule 31)', async (host) => {
    const { id } = await subscribe('hooks.example.test');
    await world.query('UPDATE webhook_subscriptions SET target_url = $2 WHERE id = $1', [id, urlOf(host)]);
    await emitEvents(context(), [exampleEvent()]);
    expect(await deliveries('FAILED')).toMatchObject([{ attempt_count: 1 }]);
    expect(receiver.requests).toEqual([]);
  });
});
