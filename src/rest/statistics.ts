/** GET /api/webhooks/statistics: how deliveries went, over time. */
import { createRoute, z } from '@hono/zod-openapi';
import { MAY_READ } from '../webhooks/context.ts';
import { readStatistics, type Series } from '../webhooks/statistics.ts';
import { type Figures, failedAttemptsOf, latencyOf, successRateOf } from '../webhooks/statistics-figures.ts';
import { UNIT_NAMES } from '../webhooks/statistics-unit.ts';
import type { RestApp } from './env.ts';
import type { Guard } from './guard.ts';
import { EXAMPLE_IDS, eventTypeName, id, instant, shownId, shownTime } from './parameters.ts';
import { json, needs, refusals } from './responses.ts';

const dimension = z.enum(['subscription', 'event_type'], 'Expected subscription, event_type, or both.');

const query = z.strictObject({
  since: instant.optional().openapi({
    description: 'Rounded down to the beginning of its bucket; 24 hours before `until` if left out.',
  }),
  until: instant
    .optional()
    .openapi({ description: 'Buckets that begin before it; up to the one under way if left out.' }),
  bucket: z.enum(UNIT_NAMES).optional().openapi({
    description:
      'Kept for 2 days (minute), 100 days (hour), three years (day). As fits the span if left out.',
    example: 'hour',
  }),
  group_by: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(dimension).max(2))
    .optional()
    .openapi({
      type: 'string',
      description: 'What is told apart: subscription, event_type, or both with a comma.',
      example: 'subscription',
    }),
  subscription_id: id.optional().openapi({ example: EXAMPLE_IDS.subscription }),
  event_type: eventTypeName.optional(),
});

const figures = z
  .object({
    succeeded: z.int().openapi({ description: 'Deliveries that succeeded.' }),
    failed: z.int().openapi({ description: 'Deliveries that failed for good.' }),
    success_rate: z
      .number()
      .nullable()
      .openapi({ description: '0 to 1, of the deliveries that ended; null if none did.' }),
    attempts: z.int(),
    failed_attempts: z.int(),
    failures: z
      .record(z.string(), z.int())
      .openapi({ description: 'Attempts that failed, by reason.', example: { timeout: 3, http_status: 1 } }),
    latency_ms: z
      .object({ p50: z.number(), p95: z.number(), p99: z.number() })
      .nullable()
      .openapi({ description: 'Of attempts that were answered or ran into the time limit, within 9 %.' }),
  })
  .openapi('DeliveryFigures');

const statistics = z
  .object({
    since: shownTime,
    until: shownTime,
    bucket: z.enum(UNIT_NAMES),
    total: figures,
    series: z.array(
      z.object({
        subscription_id: shownId.nullable().openapi({ description: 'Null: told together.' }),
        event_type: z.string().nullable().openapi({ description: 'Null: told together.' }),
        total: figures,
        points: z
          .array(figures.extend({ starts_at: shownTime }))
          .openapi({ description: 'Buckets in which nothing happened are left out.' }),
      }),
    ),
  })
  .openapi('DeliveryStatistics');

/** Adds the route. */
export function addStatistics(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: '/api/webhooks/statistics',
    operationId: 'getDeliveryStatistics',
    tags: ['Deliveries'],
    summary: 'See how deliveries went, over time',
    description: 'Deliveries count when they ended, attempts when they began.',
    security: needs(MAY_READ),
    middleware: guard(MAY_READ),
    request: { query },
    responses: { 200: json('The figures.', statistics), ...refusals(403, 422) },
  });
  app.openapi(route, async (c) => {
    const { since, until, bucket, group_by: groupBy, ...asked } = c.req.valid('query');
    const filter = { subscriptionId: asked.subscription_id, eventType: asked.event_type };
    const found = await readStatistics(c.get('context'), { since, until, bucket, groupBy, ...filter });
    const printed = {
      since: found.since.toISOString(),
      until: found.until.toISOString(),
      bucket: found.bucket,
      total: printFigures(found.total),
      series: found.series.map(printSeries),
    };
    return c.json(printed, 200);
  });
}

function printSeries(series: Series) {
  return {
    subscription_id: series.subscriptionId,
    event_type: series.eventType,
    total: printFigures(series.total),
    points: series.points.map((point) => ({
      starts_at: point.startsAt.toISOString(),
      ...printFigures(point.figures),
    })),
  };
}

function printFigures(counted: Figures): z.infer<typeof figures> {
  const latency = latencyOf(counted);
  return {
    succeeded: counted.succeeded,
    failed: counted.failed,
    success_rate: successRateOf(counted),
    attempts: counted.attempts,
    failed_attempts: failedAttemptsOf(counted),
    failures: Object.fromEntries(counted.failures.map(({ reason, count }) => [reason, count])),
    latency_ms: latency && { p50: latency.p50Ms, p95: latency.p95Ms, p99: latency.p99Ms },
  };
}
