/** POST /api/events: emit one event or a batch. */
import { createRoute } from '@hono/zod-openapi';
import type { Requirement } from '../accounts/viewer.ts';
import { type EmitContext, type EmittedEvent, type EventInput, emitEvents } from '../events/emit.ts';
import { findEventType } from '../events/event-type.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import type { RestApp } from './env.ts';
import {
  type EmitRequest,
  type EmittedEventAnswer,
  emitAnswer,
  emitHeaders,
  emitRequest,
  type NewEvent,
} from './event-schema.ts';
import { withPaths } from './faults.ts';
import type { Guard } from './guard.ts';
import { jsonBody } from './json-body.ts';
import { json, jsonRequest, needs, refusals } from './responses.ts';

const requirement: Requirement = { scope: 'write:events', roles: ['ADMIN'] };

const badge = { event: 'badge.earned', data: findEventType('badge.earned')?.example };
const quest = { event: 'quest.completed', data: findEventType('quest.completed')?.example };
const examples = {
  'one event': { value: { ...badge, idempotency_key: 'badge-4711' } },
  'a batch': { value: { events: [badge, quest] } },
};

/** Adds the route. Events are stored with their deliveries before it answers; sending them follows. */
export function addEvents(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'post',
    path: '/api/events',
    operationId: 'emitEvents',
    tags: ['Events'],
    summary: 'Emit one event, or up to 1,000 of which all or none are accepted',
    security: needs(requirement),
    middleware: [guard(requirement), jsonBody],
    request: { headers: emitHeaders, body: jsonRequest(emitRequest, { required: true, examples }) },
    responses: {
      202: json('Accepted: stored, and about to be delivered.', emitAnswer),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const body = c.req.valid('json');
    const headerKey = c.req.valid('header')['Idempotency-Key'];
    const context = c.get('context');
    if (body.events === undefined) return c.json(await emitOne(context, body, headerKey), 202);
    return c.json({ events: await emitBatch(context, body, headerKey) }, 202);
  });
}

async function emitOne(
  context: EmitContext,
  body: EmitRequest,
  headerKey: string | undefined,
): Promise<EmittedEventAnswer> {
  const event = { ...body, event: body.event ?? '', data: body.data };
  const input = toInput(event, oneKey(body.idempotency_key, headerKey));
  const [emitted] = await emitEvents(context, [input]);
  if (emitted === undefined) throw new Error('An event was emitted, but none came back.');
  return print(emitted);
}

async function emitBatch(
  context: EmitContext,
  { events = [], organization_id }: EmitRequest,
  headerKey: string | undefined,
): Promise<EmittedEventAnswer[]> {
  if (headerKey !== undefined) {
    // One key for many events: a batch that has grown by one event since could be neither the same nor another one.
    throw keyFault('In a batch each event has its own idempotency_key; the header is for one event.');
  }
  const inputs = events.map((event) =>
    toInput({ ...event, organization_id: event.organization_id ?? organization_id }, event.idempotency_key),
  );
  const emitted = await withPaths(batchPath(events.length), () => emitEvents(context, inputs));
  return emitted.map(print);
}

/** The feature names the faults of a single event without its index. */
function batchPath(length: number): (path: Fault['path']) => Fault['path'] {
  return (path) => (length === 1 ? ['events', 0, ...path] : ['events', ...path]);
}

function oneKey(field: string | undefined, header: string | undefined): string | undefined {
  if (field !== undefined && header !== undefined && field !== header) {
    throw keyFault('The header Idempotency-Key says another key; one of the two is enough.');
  }
  return field ?? header;
}

function keyFault(message: string): Error {
  return validationError([{ path: ['idempotency_key'], message }]);
}

function toInput(event: NewEvent, idempotencyKey: string | undefined): EventInput {
  return {
    type: event.event,
    data: event.data,
    occurredAt: event.occurred_at,
    organizationId: event.organization_id,
    idempotencyKey,
  };
}

function print(event: EmittedEvent): EmittedEventAnswer {
  const { id, type, deliveryCount, deduplicated } = event;
  return { id, event: type, deliveries: deliveryCount, deduplicated };
}
