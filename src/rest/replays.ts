/** /api/webhooks/replays: past deliveries, or events that were never delivered, sent in the background. */
import { createRoute, z } from '@hono/zod-openapi';
import type { DeliveryStatus, Replay } from '../generated/prisma/client.ts';
import { MAY_READ, MAY_WRITE } from '../webhooks/context.ts';
import { cancelReplay, getReplay, listReplays, previewReplay, startReplay } from '../webhooks/replay.ts';
import { replayDelivery } from '../webhooks/replay-delivery.ts';
import { MAX_RATE, type ReplayFilter } from '../webhooks/replay-input.ts';
import { delivery, printDelivery } from './delivery-schema.ts';
import type { RestApp } from './env.ts';
import type { Guard } from './guard.ts';
import { jsonBody } from './json-body.ts';
import {
  EXAMPLE_IDS,
  id,
  idempotencyHeaders,
  idParameters,
  instant,
  pageParameters,
  pageRequest,
  pageSchema,
  printPage,
  shownId,
  shownTime,
} from './parameters.ts';
import { json, jsonRequest, needs, refusals } from './responses.ts';

const PATH = '/api/webhooks/replays';
const tags = ['Replays'];

const WORDS = { succeeded: 'SUCCEEDED', failed: 'FAILED', cancelled: 'CANCELLED' } as const;
const statusWord = z.enum(['succeeded', 'failed', 'cancelled']);
const stateWord = z.enum(['running', 'completed', 'cancelled']);

const filterFields = {
  subscription_id: id.optional().openapi({ example: EXAMPLE_IDS.subscription }),
  event_types: z.array(z.string()).max(100).optional(),
  statuses: z
    .array(statusWord)
    .optional()
    .openapi({ description: 'Deliveries that ended so. Has to be said, but for `missing`.' }),
  missing: z.boolean().optional().openapi({
    description: 'Events that the subscription was never sent, as those from before it was there.',
  }),
  since: instant.optional(),
  until: instant.optional().openapi({ description: 'Now if left out.' }),
};
const previewRequest = z.strictObject(filterFields).openapi('ReplayFilter');
const replayRequest = z
  .strictObject({
    ...filterFields,
    rate_per_second: z
      .number()
      .optional()
      .openapi({ description: `New deliveries a second at most, 1 to ${MAX_RATE}; 100 if left out.` }),
  })
  .openapi('ReplayRequest');

const replay = z
  .object({
    id: shownId,
    state: stateWord,
    total: z.int().openapi({ description: 'How many there were to replay when it started.' }),
    replayed: z.int().openapi({ description: 'How many were made into new deliveries so far.' }),
    missing: z.boolean(),
    subscription_id: shownId.nullable(),
    event_types: z.array(z.string()),
    statuses: z.array(statusWord),
    since: shownTime.nullable(),
    until: shownTime,
    rate_per_second: z.int(),
    user_id: shownId.nullable(),
    client_id: z.string().nullable(),
    created_at: shownTime,
    ended_at: shownTime.nullable(),
  })
  .openapi('Replay');

const examples = {
  failed: { value: { statuses: ['failed'], since: '2026-11-23T09:30:00Z' } },
  missing: { value: { subscription_id: EXAMPLE_IDS.subscription, missing: true } },
};

/** Adds the routes. */
export function addReplays(app: RestApp, guard: Guard): void {
  addReplayOne(app, guard);
  addPreview(app, guard);
  addStart(app, guard);
  addList(app, guard);
  addGet(app, guard);
  addCancel(app, guard);
}

function addReplayOne(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: '/api/webhooks/deliveries/{id}/replay',
    operationId: 'replayDelivery',
    tags,
    summary: 'Replay a delivery that has ended: a new one of the same event, under an id of its own',
    security: needs(MAY_WRITE),
    middleware: guard(MAY_WRITE),
    request: { params: idParameters(EXAMPLE_IDS.delivery), headers: idempotencyHeaders },
    responses: { 202: json('The new delivery.', delivery), ...refusals(403, 404, 409, 422) },
  });
  app.openapi(route, async (c) => {
    const request = { id: c.req.valid('param').id, idempotencyKey: c.req.valid('header')['Idempotency-Key'] };
    return c.json(printDelivery((await replayDelivery(c.get('context'), request)).delivery), 202);
  });
}

function addPreview(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: `${PATH}/preview`,
    operationId: 'previewReplay',
    tags,
    summary: 'See how many deliveries a replay would make; nothing is changed',
    security: needs(MAY_WRITE),
    middleware: [guard(MAY_WRITE), jsonBody],
    request: { body: jsonRequest(previewRequest, { required: true, examples }) },
    responses: {
      200: json(
        'How many; `is_exact` false: more than one replay sends.',
        z.object({ count: z.int(), is_exact: z.boolean() }),
      ),
      ...refusals(403, 404, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const { value, isExact } = await previewReplay(c.get('context'), parseFilter(c.req.valid('json')));
    return c.json({ count: value, is_exact: isExact }, 200);
  });
}

function addStart(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: PATH,
    operationId: 'startReplay',
    tags,
    summary: 'Replay in the background all that a filter finds, 100,000 at most',
    security: needs(MAY_WRITE),
    middleware: [guard(MAY_WRITE), jsonBody],
    request: { body: jsonRequest(replayRequest, { required: true, examples }), headers: idempotencyHeaders },
    responses: { 202: json('It is under way.', replay), ...refusals(403, 404, 409, 413, 415, 422) },
  });
  app.openapi(route, async (c) => {
    const body = c.req.valid('json');
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const request = { ...parseFilter(body), ratePerSecond: body.rate_per_second, idempotencyKey };
    return c.json(printReplay((await startReplay(c.get('context'), request)).replay), 202);
  });
}

function addList(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: PATH,
    operationId: 'listReplays',
    tags,
    summary: 'List replays, newest first',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { query: z.strictObject(pageParameters) },
    responses: { 200: json('A page of replays.', pageSchema(replay)), ...refusals(403, 422) },
  });
  app.openapi(route, async (c) => {
    const page = await listReplays(c.get('context'), pageRequest(c.req.valid('query')));
    return c.json(printPage(page, printReplay), 200);
  });
}

function addGet(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: `${PATH}/{id}`,
    operationId: 'getReplay',
    tags,
    summary: 'See how far a replay has come',
    description: 'Its deliveries: GET /api/webhooks/deliveries with `replay_id`.',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { params: idParameters(EXAMPLE_IDS.replay) },
    responses: { 200: json('The replay.', replay), ...refusals(403, 404) },
  });
  app.openapi(route, async (c) =>
    c.json(printReplay(await getReplay(c.get('context'), c.req.valid('param').id)), 200),
  );
}

function addCancel(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: `${PATH}/{id}/cancel`,
    operationId: 'cancelReplay',
    tags,
    summary: 'End a replay; what of it has not ended is cancelled',
    security: needs(MAY_WRITE),
    middleware: guard(MAY_WRITE),
    request: { params: idParameters(EXAMPLE_IDS.replay) },
    responses: { 200: json('The replay.', replay), ...refusals(403, 404) },
  });
  app.openapi(route, async (c) =>
    c.json(printReplay(await cancelReplay(c.get('context'), c.req.valid('param').id)), 200),
  );
}

function parseFilter(body: z.output<typeof previewRequest>): ReplayFilter {
  return {
    subscriptionId: body.subscription_id,
    eventTypes: body.event_types,
    statuses: body.statuses?.map((word) => WORDS[word]),
    missing: body.missing,
    since: body.since,
    until: body.until,
  };
}

function printReplay(row: Replay): z.infer<typeof replay> {
  return {
    id: row.id,
    state: STATES[row.state],
    total: row.total,
    replayed: row.replayed,
    missing: row.missing,
    subscription_id: row.subscriptionId,
    event_types: row.eventTypes,
    statuses: row.statuses.flatMap(wordOf),
    since: row.since?.toISOString() ?? null,
    until: row.until.toISOString(),
    rate_per_second: row.ratePerSecond,
    user_id: row.userId,
    client_id: row.clientId,
    created_at: row.createdAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
  };
}

const STATES = { RUNNING: 'running', COMPLETED: 'completed', CANCELLED: 'cancelled' } as const;

function wordOf(status: DeliveryStatus): readonly z.infer<typeof statusWord>[] {
  return statusWord.options.filter((word) => WORDS[word] === status);
}
