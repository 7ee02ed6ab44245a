/** /api/webhooks/deliveries: the delivery log, sending one again, and not sending it at all. */
import { createRoute } from '@hono/zod-openapi';
import { mayDo } from '../accounts/viewer.ts';
import { findEventBodies, MAY_READ_EVENT_DATA } from '../events/event.ts';
import { MAY_READ, MAY_WRITE, type WebhookContext } from '../webhooks/context.ts';
import {
  cancelDelivery,
  getDelivery,
  listAttempts,
  listDeliveries,
  retryDelivery,
} from '../webhooks/delivery.ts';
import {
  delivery,
  deliveryQuery,
  deliveryWithAttempts,
  printAttempt,
  printDelivery,
} from './delivery-schema.ts';
import type { RestApp } from './env.ts';
import type { Guard } from './guard.ts';
import { EXAMPLE_IDS, idParameters, pageRequest, pageSchema, printPage } from './parameters.ts';
import { json, needs, refusals } from './responses.ts';

const PATH = '/api/webhooks/deliveries';
const tags = ['Deliveries'];

/** Adds the routes. */
export function addDeliveries(app: RestApp, guard: Guard): void {
  addList(app, guard);
  addGet(app, guard);
  addRetry(app, guard);
  addCancel(app, guard);
}

function addList(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: PATH,
    operationId: 'listDeliveries',
    tags,
    summary: 'List deliveries, newest first',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { query: deliveryQuery },
    responses: { 200: json('A page of deliveries.', pageSchema(delivery)), ...refusals(403, 422) },
  });
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const filter = {
      statuses: query.status === undefined ? undefined : [query.status],
      subscriptionId: query.subscription_id,
      eventType: query.event_type,
      replayId: query.replay_id,
      since: query.since,
      until: query.until,
    };
    const page = await listDeliveries(c.get('context'), filter, pageRequest(query));
    return c.json(printPage(page, printDelivery), 200);
  });
}

function addGet(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: `${PATH}/{id}`,
    operationId: 'getDelivery',
    tags,
    summary: 'Look at a delivery with its attempts',
    description: 'The bodies that were sent are shown to tokens that also hold read:events.',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { params: idParameters(EXAMPLE_IDS.delivery) },
    responses: { 200: json('The delivery and its attempts.', deliveryWithAttempts), ...refusals(403, 404) },
  });
  app.openapi(route, async (c) => {
    const context = c.get('context');
    const found = await getDelivery(context, c.req.valid('param').id);
    const [attempts, body] = await Promise.all([
      listAttempts(context, found.id),
      requestBody(context, found.eventId),
    ]);
    const printed = attempts.map((attempt) => printAttempt(attempt, body));
    return c.json({ ...printDelivery(found), attempts: printed }, 200);
  });
}

function addRetry(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: `${PATH}/{id}/retry`,
    operationId: 'retryDelivery',
    tags,
    summary: 'Try a delivery again that has not succeeded, now; its retry schedule begins anew',
    description:
      'Under the same id. One that waits is sent at once instead of later. One that succeeded is a conflict: to send its event once more, replay it.',
    security: needs(MAY_WRITE),
    middleware: guard(MAY_WRITE),
    request: { params: idParameters(EXAMPLE_IDS.delivery) },
    responses: { 202: json('It is about to be sent.', delivery), ...refusals(403, 404, 409) },
  });
  app.openapi(route, async (c) => {
    const retried = await retryDelivery(c.get('context'), c.req.valid('param').id);
    return c.json(printDelivery(retried), 202);
  });
}

function addCancel(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: `${PATH}/{id}/cancel`,
    operationId: 'cancelDelivery',
    tags,
    summary: 'Cancel a delivery that waits or is held',
    description: 'It can be retried or replayed later. One that has ended is a conflict.',
    security: needs(MAY_WRITE),
    middleware: guard(MAY_WRITE),
    request: { params: idParameters(EXAMPLE_IDS.delivery) },
    responses: { 200: json('The cancelled delivery.', delivery), ...refusals(403, 404, 409) },
  });
  app.openapi(route, async (c) =>
    c.json(printDelivery(await cancelDelivery(c.get('context'), c.req.valid('param').id)), 200),
  );
}

/** The body that every attempt sent; null once it is no longer kept, undefined for who may not see it. */
async function requestBody(context: WebhookContext, eventId: string): Promise<string | null | undefined> {
  if (!mayDo(context.viewer, MAY_READ_EVENT_DATA)) return undefined;
  return (await findEventBodies(context, [eventId])).get(eventId) ?? null;
}
