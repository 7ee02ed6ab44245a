/** What the delivery log keeps of an attempt. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { MASK } from '../../src/webhooks/custom-headers.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let receiver: Receiver;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  receiver = await startReceiver();
  organizationId = await world.createOrganization();
});
afterEach(() => receiver.close());

it('records what was sent, without what could be used again, and what came back (webhooks rule 11)', async () => {
  const worker = world.startWorker();
  receiver.answer = (_request, response) =>
    void response
      .writeHead(202, { 'x-request-id': 'r-1', 'set-cookie': 'session=of-the-school' })
      .end('taken');
  const customHeaders = [
    ['Authorization', 'Bearer of-the-school'],
    ['X-Api-Key', 'key-of-the-school'],
    ['X-Tenant', 'north'],
  ] as const;
  const settings = { targetUrl: receiver.url, eventTypes: ['task.completed'], customHeaders };
  const { secret } = await createSubscription(world.context(organizationId), settings);
  await emitEvents(world.context(organizationId), [exampleEvent()]);
  const [request] = await receiver.received(1);
  // What was sent is recorded when the worker has stopped.
  await worker.stop();
  expect(request?.headers).toMatchObject({ authorization: 'Bearer of-the-school', 'x-tenant': 'north' });

  const [record] = await world.query('SELECT * FROM delivery_attempts WHERE organization_id = $1', [
    organizationId,
  ]);
  // In the order in which they went out.
  expect(record?.['request_headers']).toEqual([
    ['Authorization', MASK],
    ['X-Api-Key', MASK],
    ['X-Tenant', 'north'],
    ...[
      'content-type',
      'user-agent',
      'X-Optio-Event',
      'X-Optio-Delivery',
      'X-Optio-Event-Id',
      'X-Optio-Signature',
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
    ].map((name) => [name, request?.headers[name.toLowerCase()]]),
  ]);
  expect(record).toMatchObject({
    number: 1,
    response_code: 202,
    response_headers: expect.arrayContaining([
      ['x-request-id', 'r-1'],
      ['set-cookie', MASK],
    ]),
    response_body: 'taken',
  });
  for (const credential of ['of-the-school', secret.slice(6)])
    expect(JSON.stringify(record)).not.toContain(credential);
});
