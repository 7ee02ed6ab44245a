/** How the REST door writes events: one, or a batch. */
import { z } from '@hono/zod-openapi';
import { MAX_BATCH } from '../events/emit.ts';
import { instant, organizationId, shownId } from './parameters.ts';

const data = z.unknown().openapi({
  type: 'object',
  description: 'As the JSON Schema of the event type says; further fields are kept.',
  example: {
    user_id: 'usr_ada',
    badge_id: 'bdg_naturalist',
    badge_name: 'Naturalist',
    earned_at: '2026-11-23T09:30:00Z',
  },
});

const eventName = z
  .string()
  .openapi({ example: 'badge.earned', description: 'The name of an event type of the catalogue.' });
const idempotencyKey = z.string().openapi({
  example: 'badge-4711',
  description: 'The same key within 24 hours answers the first event and creates nothing.',
});

const fields = {
  event: eventName,
  data,
  organization_id: organizationId,
  occurred_at: instant.optional().openapi({ description: 'When it happened; now, if left out.' }),
  idempotency_key: idempotencyKey.optional(),
};

// Strict around `data`: a misspelt idempotency_key that was ignored would create the event twice.
export const newEvent = z.strictObject(fields).openapi('NewEvent');

/** One event or `events`. One object with both, so that a fault names its field and not a branch of a union. */
export const emitRequest = z
  .strictObject({
    ...fields,
    event: eventName.optional(),
    data: data.optional(),
    events: z.array(newEvent).min(1).max(MAX_BATCH).optional(),
  })
  .superRefine((body, context) => {
    const names = body.events === undefined ? (['event'] as const) : [];
    for (const name of names) {
      if (body[name] === undefined) context.addIssue({ code: 'custom', path: [name], message: 'Required.' });
    }
    if (body.events === undefined) return;
    for (const [name, value] of Object.entries(body)) {
      if (name === 'events' || name === 'organization_id' || value === undefined) continue;
      context.addIssue({ code: 'custom', path: [name], message: 'In a batch this stands in each event.' });
    }
  })
  .openapi('EmitRequest', {
    description: 'One event (`event`, `data`, …) or a batch (`events`).',
    oneOf: [{ required: ['event', 'data'] }, { required: ['events'] }],
  });

export const emitHeaders = z.object({
  'Idempotency-Key': idempotencyKey.optional().openapi({
    description: 'For one event; in a batch each has its own.',
  }),
});

const emittedEvent = z
  .object({
    id: shownId,
    event: z.string().openapi({ example: 'badge.earned' }),
    deliveries: z.int().openapi({ description: 'To how many subscriptions it goes.', example: 2 }),
    deduplicated: z.boolean().openapi({ description: 'It was there already, under the same key.' }),
  })
  .openapi('EmittedEvent');

export const emitAnswer = z
  .union([emittedEvent, z.object({ events: z.array(emittedEvent) })])
  .openapi('EmitAnswer');

export type NewEvent = z.infer<typeof newEvent>;
export type EmitRequest = z.infer<typeof emitRequest>;
export type EmittedEventAnswer = z.infer<typeof emittedEvent>;
