/** GET /api/event-types: the catalogue, the same for every organization. */
import { createRoute, z } from '@hono/zod-openapi';
import { EVENT_TYPES, MAY_READ_CATALOGUE } from '../events/event-type.ts';
import type { RestApp } from './env.ts';
import type { Guard } from './guard.ts';
import { json, needs, refusals } from './responses.ts';

const eventType = z
  .object({
    name: z.string().openapi({ example: 'badge.earned' }),
    version: z.int().openapi({ example: 1 }),
    description: z.string(),
    json_schema: z.record(z.string(), z.unknown()).openapi({ description: 'JSON Schema 2020-12 of `data`.' }),
    example: z.record(z.string(), z.unknown()).openapi({ description: 'A `data` that fits.' }),
  })
  .openapi('EventType');

/** Adds the route. */
export function addEventTypes(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: '/api/event-types',
    operationId: 'listEventTypes',
    tags: ['Events'],
    summary: 'List the event types',
    security: needs(MAY_READ_CATALOGUE),
    middleware: guard(MAY_READ_CATALOGUE),
    responses: {
      200: json('Every event type.', z.object({ data: z.array(eventType) })),
      ...refusals(403),
    },
  });
  app.openapi(route, (c) => c.json({ data: EVENT_TYPES.map(printEventType) }, 200));
}

function printEventType(type: (typeof EVENT_TYPES)[number]): z.infer<typeof eventType> {
  const { name, version, description, jsonSchema, example } = type;
  return { name, version, description, json_schema: jsonSchema, example };
}
