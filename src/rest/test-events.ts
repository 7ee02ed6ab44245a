/** POST /api/webhooks/test: send a test event to one subscription. */
import { createRoute, z } from '@hono/zod-openapi';
import { MAY_WRITE } from '../webhooks/context.ts';
import { sendTestEvent } from '../webhooks/test-event.ts';
import type { RestApp } from './env.ts';
import type { Guard } from './guard.ts';
import { jsonBody } from './json-body.ts';
import { deduplicated, EXAMPLE_IDS, id, idempotencyHeaders, shownId } from './parameters.ts';
import { json, jsonRequest, needs, refusals } from './responses.ts';

const testRequest = z
  .strictObject({
    subscription_id: id.openapi({ example: EXAMPLE_IDS.subscription }),
    event_type: z
      .string()
      .optional()
      .openapi({ description: 'Sends the example of this event type instead of webhook.test.' }),
  })
  .openapi('TestRequest');

const examples = {
  'webhook.test': { value: { subscription_id: EXAMPLE_IDS.subscription } },
};

/** Adds the route. */
export function addTestEvents(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: '/api/webhooks/test',
    operationId: 'sendTestEvent',
    tags: ['Webhook subscriptions'],
    summary: 'Send a test event to one subscription',
    security: needs(MAY_WRITE),
    middleware: [guard(MAY_WRITE), jsonBody],
    request: {
      headers: idempotencyHeaders,
      body: jsonRequest(testRequest, { required: true, examples }),
    },
    responses: {
      202: json('It is about to be sent.', z.object({ delivery_id: shownId, deduplicated })),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const { subscription_id: subscriptionId, event_type: eventType } = c.req.valid('json');
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const sent = await sendTestEvent(c.get('context'), { subscriptionId, eventType, idempotencyKey });
    return c.json({ delivery_id: sent.delivery.id, deduplicated: sent.deduplicated }, 202);
  });
}
