/** GET /api/me: what a token stands for, for integrations that have only the token. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Viewer } from '../accounts/viewer.ts';
import type { RestApp } from './env.ts';
import type { Guard } from './guard.ts';
import { shownId, shownTime } from './parameters.ts';
import { json, needs, refusals } from './responses.ts';

const me = z
  .object({
    organization_id: shownId,
    user_id: shownId.nullable().openapi({ description: 'Null: the client acts for its organization.' }),
    client_id: z.string().nullable(),
    role: z.enum(['ADMIN', 'EDUCATOR', 'STUDENT', 'CLIENT']),
    scopes: z.array(z.string()).openapi({ example: ['read:webhooks', 'write:events'] }),
    expires_at: shownTime,
  })
  .openapi('Me');

/** Adds the route. Any token will do. */
export function addMe(app: RestApp, guard: Guard): void {
  const route = createRoute({
    method: 'get',
    path: '/api/me',
    operationId: 'getMe',
    tags: ['Token'],
    summary: 'Look at what the token stands for',
    security: needs(),
    middleware: guard(),
    responses: { 200: json('The token.', me), ...refusals() },
  });
  app.openapi(route, (c) => c.json(printMe(c.get('context').viewer), 200));
}

function printMe(viewer: Viewer): z.infer<typeof me> {
  const { role } = viewer;
  if (role === 'NONE') throw new Error('A token acts for an organization.');
  return {
    organization_id: viewer.organizationId,
    user_id: viewer.userId,
    client_id: viewer.clientId,
    role,
    scopes: [...(viewer.scopes ?? [])],
    expires_at: viewer.expiresAt.toISOString(),
  };
}
