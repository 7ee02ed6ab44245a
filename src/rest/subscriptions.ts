/** /api/webhooks/subscriptions: create, list, get, change, delete, rotate the secret. */
import { createRoute, type z } from '@hono/zod-openapi';
import { requireOwnOrganization } from '../accounts/viewer.ts';
import type { Fault } from '../lib/errors.ts';
import { MAY_READ, MAY_WRITE } from '../webhooks/context.ts';
import { rotateSecret } from '../webhooks/secret-rotation.ts';
import {
  createSubscription,
  deleteSubscription,
  getSubscription,
  listSubscriptions,
  updateSubscription,
} from '../webhooks/subscription.ts';
import type { RestApp } from './env.ts';
import { withPaths } from './faults.ts';
import type { Guard } from './guard.ts';
import { jsonBody } from './json-body.ts';
import {
  EXAMPLE_IDS,
  idempotencyHeaders,
  idParameters,
  pageRequest,
  pageSchema,
  printPage,
} from './parameters.ts';
import { json, jsonRequest, needs, refusals } from './responses.ts';
import {
  newSubscription,
  printSubscription,
  printWithSecret,
  rotation,
  subscription,
  subscriptionChanges,
  subscriptionQuery,
  subscriptionWithSecret,
  toSettings,
} from './subscription-schema.ts';

const PATH = '/api/webhooks/subscriptions';
const tags = ['Webhook subscriptions'];

const examples = {
  'some event types': {
    value: {
      target_url: 'https://lms.example/hooks/optio',
      event_types: ['quest.completed', 'badge.earned'],
    },
  },
  everything: {
    value: {
      target_url: 'https://lms.example/hooks/optio',
      event_type: '*',
      custom_headers: { 'X-Tenant': 'north' },
    },
  },
};
const changeExamples = {
  pause: { value: { active: false } },
  'enable again and start afresh': { value: { active: true, held: 'discard' } },
  'another URL': { value: { target_url: 'https://lms.example/hooks/v2' } },
  'one user after the other': { value: { ordered_by: 'data.user_id' } },
  'a target that must not be hurried': {
    value: { max_concurrency: 2, rate_limit_per_second: 5, retry_seconds: [60, 600, 3_600] },
  },
};

/** Adds the routes. */
export function addSubscriptions(app: RestApp, guard: Guard): void {
  addCreate(app, guard);
  addList(app, guard);
  addGet(app, guard);
  addUpdate(app, guard);
  addDelete(app, guard);
  addRotateSecret(app, guard);
}

function addCreate(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: PATH,
    operationId: 'createSubscription',
    tags,
    summary: 'Subscribe a URL to event types',
    security: needs(MAY_WRITE),
    middleware: [guard(MAY_WRITE), jsonBody],
    request: {
      headers: idempotencyHeaders,
      body: jsonRequest(newSubscription, { required: true, examples }),
    },
    responses: {
      201: json('The subscription, with its secret.', subscriptionWithSecret),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const body = c.req.valid('json');
    const settings = toSettings(body);
    const created = await withPaths(eventTypePath(body), () =>
      createSubscription(c.get('context'), {
        ...settings,
        targetUrl: body.target_url,
        eventTypes: settings.eventTypes ?? [],
        organizationId: body.organization_id,
        idempotencyKey: c.req.valid('header')['Idempotency-Key'],
      }),
    );
    return c.json(printWithSecret(created), 201, { Location: `${PATH}/${created.subscription.id}` });
  });
}

function addList(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: PATH,
    operationId: 'listSubscriptions',
    tags,
    summary: 'List the subscriptions, newest first',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { query: subscriptionQuery },
    responses: { 200: json('A page of subscriptions.', pageSchema(subscription)), ...refusals(403, 422) },
  });
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const filter = { eventType: query.event_type, active: query.active };
    const page = await listSubscriptions(c.get('context'), filter, pageRequest(query));
    return c.json(printPage(page, printSubscription), 200);
  });
}

function addGet(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: `${PATH}/{id}`,
    operationId: 'getSubscription',
    tags,
    summary: 'Look at a subscription',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { params: idParameters(EXAMPLE_IDS.subscription) },
    responses: { 200: json('The subscription.', subscription), ...refusals(403, 404) },
  });
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(printSubscription(await getSubscription(c.get('context'), id)), 200);
  });
}

function addUpdate(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'put',
    path: `${PATH}/{id}`,
    operationId: 'updateSubscription',
    tags,
    summary: 'Change the fields that are named; pause or resume',
    security: needs(MAY_WRITE),
    middleware: [guard(MAY_WRITE), jsonBody],
    request: {
      params: idParameters(EXAMPLE_IDS.subscription),
      body: jsonRequest(subscriptionChanges, { required: true, examples: changeExamples }),
    },
    responses: {
      200: json('The subscription as it is now.', subscription),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    const context = c.get('context');
    requireOwnOrganization(context.viewer, body.organization_id);
    const changes = { ...toSettings(body), active: body.active, held: body.held };
    const changed = await withPaths(eventTypePath(body), () => updateSubscription(context, id, changes));
    return c.json(printSubscription(changed), 200);
  });
}

function addDelete(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'delete',
    path: `${PATH}/{id}`,
    operationId: 'deleteSubscription',
    tags,
    summary: 'Delete a subscription; what waits to be sent is cancelled',
    security: needs(MAY_WRITE),
    middleware: guard(MAY_WRITE),
    request: { params: idParameters(EXAMPLE_IDS.subscription) },
    responses: { 204: { description: 'It is deleted.' }, ...refusals(403, 404) },
  });
  app.openapi(route, async (c) => {
    await deleteSubscription(c.get('context'), c.req.valid('param').id);
    return c.body(null, 204);
  });
}

function addRotateSecret(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: `${PATH}/{id}/rotate-secret`,
    operationId: 'rotateSecret',
    tags,
    summary: 'Give a subscription a new secret; for the overlap both sign',
    security: needs(MAY_WRITE),
    middleware: [guard(MAY_WRITE), jsonBody],
    request: {
      params: idParameters(EXAMPLE_IDS.subscription),
      headers: idempotencyHeaders,
      body: jsonRequest(rotation, {
        required: false,
        examples: { 'one hour': { value: { overlap_seconds: 3_600 } } },
      }),
    },
    responses: {
      200: json('The subscription, with its new secret.', subscriptionWithSecret),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const overlapSeconds = c.req.valid('json').overlap_seconds;
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const rotated = await rotateSecret(c.get('context'), id, { overlapSeconds, idempotencyKey });
    return c.json(printWithSecret(rotated), 200);
  });
}

/** A fault is named by the field that was used. */
function eventTypePath(body: Pick<z.infer<typeof subscriptionChanges>, 'event_type'>) {
  return (path: Fault['path']): Fault['path'] =>
    path[0] === 'event_types' && body.event_type !== undefined ? ['event_type'] : path;
}
