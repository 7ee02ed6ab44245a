/** Health as OpenAPI describes it; the routes are in health.ts. */
import { createRoute, z } from '@hono/zod-openapi';

const result = z.enum(['ok', 'failed']);
const checks = z.object({ database: result, migrations: result, process: result });

/** The definitions of both routes. */
export const healthDefinitions = [
  createRoute({
    method: 'get',
    path: '/healthz',
    operationId: 'getHealth',
    tags: ['Operations'],
    summary: 'Ask whether the process is alive',
    security: [],
    responses: { 200: json('It answers.', z.object({ status: z.literal('ok') }).openapi('Health')) },
  }),
  createRoute({
    method: 'get',
    path: '/readyz',
    operationId: 'getReadiness',
    tags: ['Operations'],
    summary: 'Ask whether the process serves',
    security: [],
    responses: {
      200: json('It serves.', z.object({ status: z.literal('ready'), checks }).openapi('Ready')),
      503: {
        ...json(
          'It does not, for the checks that failed.',
          z.object({ status: z.literal('not_ready'), checks }).openapi('NotReady'),
        ),
        headers: { 'Retry-After': { schema: { type: 'string' }, description: 'Seconds.' } },
      },
    },
  }),
];

function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } };
}
