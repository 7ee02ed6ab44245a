import { createHmac, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  badgeEarned,
  type Client,
  connectClient,
  connectThroughBalancer,
  emitBadges,
  type Subscription,
  subscribe,
} from '../support/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { type LiveStream, watchBySse, watchByWebSocket } from '../support/live.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.ts';
import { createDataDirectory, startServer } from '../support/server.ts';

/** Who serves: `url` is where live streams are watched. */
type Installation = {
  readonly url: string;
  readonly client: Client;
  readonly stop: () => Promise<void>;
};

/** One process with its own database, as `npm start` runs it. */
async function startAlone(): Promise<Installation> {
  const data = await createDataDirectory();
  const server = await startServer({ DATA_DIR: data.path });
  const stop = async () => {
    await server.stop();
    await data.remove();
  };
  return { url: server.url, client: await connectClient(server), stop };
}

/** Two API processes, asked in turn, and two workers, on one PostgreSQL. */
async function startApart(): Promise<Installation> {
  const database = await createTestDatabase();
  const start = (role: string) =>
    startServer({
      ROLE: role,
      DATABASE_URL: database.ownerUrl,
      PUBLIC_URL: 'http://connect.example',
    });
  const [api, other, ...workers] = await Promise.all([
    start('api'),
    start('api'),
    start('worker'),
    start('worker'),
  ]);
  const stop = async () => {
    await Promise.all([api, other, ...workers].map((server) => server.stop()));
    await database.drop();
  };
  return { url: other.url, client: await connectThroughBalancer([api.url, other.url]), stop };
}

describe.each([
  ['one process', startAlone],
  ['two API processes and two workers', startApart],
])('%s', (_installation, start) => {
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    installation = await start();
    client = installation.client;
  });

  afterAll(() => installation.stop());

  describe('the first delivery, as README tells it', () => {
    let receiver: Receiver;
    let subscription: Subscription;
    let received: ReceivedRequest;

    beforeAll(async () => {
      receiver = await startReceiver();
      subscription = await subscribe(client, receiver.url);
      await emitBadges(client, 1);
      const [first] = await receiver.received(1);
      if (first === undefined) throw new Error('A request was received.');
      received = first;
    });

    afterAll(async () => {
      await client.delete(`/api/webhooks/subscriptions/${subscription.id}`);
      await receiver.close();
    });

    it('carries the envelope and nothing else', () => {
      const { timestamp, ...envelope } = JSON.parse(received.body);
      expect(envelope).toEqual({ ...badgeEarned(), organization_id: subscription.organization_id });
      expect(new Date(timestamp).toISOString().slice(0, 19)).toBe(String(timestamp).slice(0, 19));
      expect(timestamp).toMatch(/Z$/);
    });

    it('is accepted by a receiver that knows Standard Webhooks only (webhooks rule 24)', () => {
      const headers = Object.fromEntries(
        Object.entries(received.headers).map(([name, value]) => [name, String(value)]),
      );
      const webhook = new Webhook(subscription.secret);
      expect(webhook.verify(received.body, headers)).toMatchObject({ event: 'badge.earned' });
      expect(() => webhook.verify(`${received.body} `, headers)).toThrow(/signature/i);
    });

    it('is accepted by a receiver that knows X-Optio-Signature only (webhooks rule 23)', () => {
      const isGenuine = (body: string): boolean => {
        const expected = `sha256=${createHmac('sha256', subscription.secret).update(body).digest('hex')}`;
        return timingSafeEqual(
          Buffer.from(String(received.headers['x-optio-signature'])),
          Buffer.from(expected),
        );
      };
      expect(isGenuine(received.body)).toBe(true);
      expect(isGenuine(`${received.body} `)).toBe(false);
      expect(received.headers['x-optio-event']).toBe('badge.earned');
    });

    it('is in the delivery log of REST, with its attempt', async () => {
      const path = `/api/webhooks/deliveries/${String(received.headers['x-optio-delivery'])}`;
      await expect
        .poll(async () => (await client.get(path)).body)
        .toMatchObject({
          subscription_id: subscription.id,
          event_type: 'badge.earned',
          status: 'succeeded',
          attempt_count: 1,
          last_response_code: 200,
          attempts: [{ number: 1, response_code: 200 }],
        });
      const list = await client.get(`/api/webhooks/deliveries?subscription_id=${subscription.id}`);
      expect(list.body).toMatchObject({ data: [{ id: received.headers['x-optio-delivery'] }] });
    });

    it('is in the delivery log of GraphQL', async () => {
      const { body } = await client.graphql(`{
      organization { deliveries(first: 5) { nodes {
        uuid status attemptCount attempts { responseCode responseBody } event { body }
      } } }
    }`);
      expect(body).toMatchObject({
        data: {
          organization: {
            deliveries: {
              nodes: [
                {
                  uuid: received.headers['x-optio-delivery'],
                  status: 'SUCCEEDED',
                  attemptCount: 1,
                  attempts: [{ responseCode: 200, responseBody: 'ok' }],
                  event: { body: received.body },
                },
              ],
            },
          },
        },
      });
    });
  });

  describe.each([
    ['SSE', watchBySse],
    ['WebSocket', watchByWebSocket],
  ])('the live stream over %s', (_name, watch) => {
    let receiver: Receiver;
    let subscription: Subscription;

    beforeAll(async () => {
      receiver = await startReceiver();
      subscription = await subscribe(client, receiver.url);
    });

    afterAll(async () => {
      await client.delete(`/api/webhooks/subscriptions/${subscription.id}`);
      await receiver.close();
    });

    it('shows each change as it happens, and goes on after a cursor without gap or duplicate (webhooks rules 36, 37)', async () => {
      const watched = { url: installation.url, token: client.token };
      const first = watch(watched);
      expect(await first.next()).toMatchObject({ __typename: 'StreamReady' });
      await emitBadges(client, 1);
      const [created, settled] = [await first.next(), await first.next()];
      expect([created, settled]).toMatchObject([
        { status: 'PENDING', version: 1 },
        { status: 'SUCCEEDED', version: 2, deliveryId: created.deliveryId },
      ]);
      await first.close();

      await emitBadges(client, 2);
      await receiver.received(3);
      const second = watch({ ...watched, after: settled.cursor });
      expect(await second.next()).toMatchObject({ __typename: 'StreamReady' });
      const missed = await take(second, 4);
      await emitBadges(client, 1);
      const live = await take(second, 2);
      await second.close();

      const seen = [...missed, ...live].map(({ deliveryId, version }) => `${deliveryId} ${version}`);
      expect(new Set(seen).size).toBe(6);
      expect(seen).not.toContain(`${settled.deliveryId} ${settled.version}`);
      expect(live.map(({ status }) => status)).toEqual(['PENDING', 'SUCCEEDED']);
    });
  });
});

async function take(stream: LiveStream, count: number) {
  const items = [];
  for (let index = 0; index < count; index += 1) items.push(await stream.next());
  return items;
}
