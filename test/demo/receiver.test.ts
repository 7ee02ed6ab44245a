import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BEHAVIOURS, createReceiver, type Receiver, type Remembered } from '../../src/demo/receiver.ts';
import { createReceiverRoutes } from '../../src/demo/routes.ts';
import { createVerification } from '../../src/demo/verification.ts';
import { emitEvents } from '../../src/events/emit.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createHttpShell } from '../../src/platform/http/shell.ts';
import { createLog } from '../../src/platform/log.ts';
import { rotateSecret } from '../../src/webhooks/secret-rotation.ts';
import { createSubscription, getSubscription } from '../../src/webhooks/subscription.ts';
import type { StreamItem } from '../../src/webhooks/update.ts';
import { TEST_KEY } from '../support/database.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let server: Server;
let receiver: Receiver;
let origin: string;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
  world.startWorker();
  const deps = { pool: world.workerPool, keys: [TEST_KEY] as const, clock: world.clock };
  receiver = createReceiver({ verify: createVerification(deps), clock: world.clock, slowMs: 20 });
  const shell = createHttpShell({
    log: createLog({ level: 'error', pretty: false }),
    clock: systemClock,
    https: false,
    trustedProxies: [],
  });
  shell.route('/', createReceiverRoutes(receiver));
  const listener = getRequestListener((request) => shell.fetch(request, {}));
  server = createServer((request, response) => void listener(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on a port.
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await world.close();
});
beforeEach(async () => {
  organizationId = await world.createOrganization();
});

const context = () => world.context(organizationId);
const subscribe = (behaviour: string) =>
  createSubscription(context(), {
    targetUrl: `${origin}/demo/receiver/${behaviour}/${organizationId}`,
    eventTypes: ['task.completed'],
  });

/** The first change of each of `count` deliveries, once it was attempted. */
async function attempted(count: number) {
  const stream = world.updates.subscribe(context().viewer, {});
  await stream.next();
  const found: Extract<StreamItem, { kind: 'update' }>['update'][] = [];
  return async () => {
    while (found.length < count) {
      const { value } = await stream.next();
      if (value?.kind === 'update' && value.update.attemptNumber === 1) found.push(value.update);
    }
    return found;
  };
}

/** Emits events one after the other and answers what came of the first attempt of each. */
async function outcomes(behaviour: string, count: number) {
  await subscribe(behaviour);
  const codes: string[] = [];
  for (let index = 0; index < count; index++) {
    const wait = await attempted(1);
    await emitEvents(context(), [exampleEvent()]);
    const [update] = await wait();
    codes.push(`${update?.status} ${update?.responseCode}`);
  }
  return codes;
}

const mine = (requests: readonly Remembered[]) =>
  requests.filter(({ path }) => path.endsWith(organizationId));

describe('The built-in receiver answers real deliveries', () => {
  it.each([
    ['ok', ['SUCCEEDED 200']],
    ['error', ['RETRYING 500']],
    ['slow', ['SUCCEEDED 200']],
    ['flaky', ['SUCCEEDED 200', 'SUCCEEDED 200', 'RETRYING 503']],
    ['busy', ['SUCCEEDED 200', 'RETRYING 429']],
    ['gone', ['FAILED 410']],
    ['redirect', ['RETRYING 302']],
  ])('%s: %j', async (behaviour, expected) => {
    expect(await outcomes(behaviour, expected.length)).toEqual(expected);
    const requests = mine(receiver.remembered());
    expect(requests.map(({ verified, event }) => [verified, event])).toEqual(
      expected.map(() => [true, 'task.completed']),
    );
  });

  it('410 disables the subscription', async () => {
    const { subscription } = await subscribe('gone');
    const wait = await attempted(1);
    await emitEvents(context(), [exampleEvent()]);
    await wait();
    expect(await getSubscription(context(), subscription.id)).toMatchObject({
      status: 'DISABLED',
      disabledReason: expect.stringContaining('410'),
    });
  });

  it('while a secret is rotated, too', async () => {
    const { subscription } = await subscribe('ok');
    await rotateSecret(context(), subscription.id);
    const wait = await attempted(1);
    await emitEvents(context(), [exampleEvent()]);
    expect((await wait())[0]).toMatchObject({ status: 'SUCCEEDED', responseCode: 200 });
  });
});

describe('A request that is no delivery', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${origin}/demo/receiver/ok/${organizationId}`, { method: 'POST', body, headers });

  it.each(['', 'null', '[]', '{"a":', '{"organization_id": "1"}', '\u0000'])('%j: 401', async (body) => {
    const answer = await post(body);
    expect([answer.status, await answer.json()]).toEqual([
      401,
      { error: 'This is no delivery of Optio Connect.' },
    ]);
  });

  it('of a delivery that is not there, or of another organization: 401', async () => {
    const headers = { 'X-Optio-Delivery': '019a0000-0000-7000-8000-0000000000ff' };
    const answer = await post(JSON.stringify({ organization_id: organizationId }), headers);
    expect(answer.status).toBe(401);
  });

  it('but changes one, or repeats it later: 401, with what was wrong', async () => {
    await subscribe('ok');
    const wait = await attempted(1);
    await emitEvents(context(), [exampleEvent()]);
    const [update] = await wait();
    const [sent] = await world.query(
      `SELECT e.body, a.request_headers AS headers FROM deliveries d
       JOIN events e ON e.organization_id = d.organization_id AND e.id = d.event_id
       JOIN delivery_attempts a ON a.organization_id = d.organization_id AND a.delivery_id = d.id WHERE d.id = $1`,
      [update?.deliveryId],
    );
    const { body, headers } = sent as { body: string; headers: [string, string][] }; // As the statement selects.
    expect((await post(body, Object.fromEntries(headers))).status).toBe(200);
    const changed = await post(body.replace('50', '5000'), Object.fromEntries(headers));
    expect([changed.status, await changed.json()]).toEqual([
      401,
      { error: expect.stringMatching(/signature/) },
    ]);
    world.clock.advance(301_000);
    const late = await post(body, Object.fromEntries(headers));
    expect([late.status, await late.json()]).toEqual([401, { error: expect.stringMatching(/too old/) }]);
    expect(mine(receiver.remembered())[0]).toMatchObject({ verified: false, answer: 401 });
  });

  it('to a behaviour that there is not: 404, with those that there are', async () => {
    const answer = await fetch(`${origin}/demo/receiver/constructor`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({
      code: 'NOT_FOUND',
      detail: expect.stringContaining('ok, error, slow'),
    });
  });
});

describe('What came', () => {
  it('is shown as JSON to programs and as a page to people', async () => {
    await fetch(`${origin}/demo/receiver/ok/%3Cb%3E`, {
      method: 'POST',
      body: '<b>',
      headers: { 'X-Optio-Event': '<i>' },
    });
    const json = await fetch(`${origin}/demo/receiver`);
    const body = await json.json();
    expect(Object.keys(body.behaviours)).toHaveLength(Object.keys(BEHAVIOURS).length);
    expect(body.requests[0]).toMatchObject({ verified: false, event: '<i>', body: '<b>' });
    const page = await fetch(`${origin}/demo/receiver`, { headers: { Accept: 'text/html' } });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const html = await page.text();
    expect(html).toContain('&lt;i&gt;');
    expect(html).not.toMatch(/<i>|<b>/);
  });

  it('is forgotten after a hundred requests, and bodies are cut', async () => {
    const few = createReceiver({ verify: async () => ({ verified: true }), clock: world.clock });
    for (let index = 0; index < 150; index++) {
      const received = { path: `/${index}`, behaviour: 'ok', headers: new Headers() } as const;
      await few.receive({ ...received, body: 'x'.repeat(10_000) });
    }
    const requests = few.remembered();
    expect(requests).toHaveLength(100);
    expect(requests[0]).toMatchObject({ path: '/149', body: 'x'.repeat(4_096) });
  });

  it('does not keep a stop waiting: what is slow answers at once', async () => {
    const slow = createReceiver({
      verify: async () => ({ verified: true }),
      clock: world.clock,
      slowMs: 3_600_000,
    });
    const received = { path: '/', behaviour: 'slow', headers: new Headers(), body: '' } as const;
    const answer = slow.receive(received);
    slow.close();
    expect((await answer).status).toBe(200);
    expect((await slow.receive(received)).status).toBe(200);
  });
});
