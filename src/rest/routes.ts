/**
 * The REST door for LMS backends: snake_case JSON, bearer tokens, errors as problem details (RFC 9457).
 * It only translates: parse, call the feature, print. The same definitions give routes, validation and OpenAPI.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import { listedOrigins } from '../platform/http/cors.ts';
import { addDeliveries } from './deliveries.ts';
import type { RestApp, RestDependencies, RestEnv } from './env.ts';
import { addEventTypes } from './event-types.ts';
import { addEvents } from './events.ts';
import { refuseFaults } from './faults.ts';
import { bearerChallenge, createGuard } from './guard.ts';
import { addMe } from './me.ts';
import { addOAuthClients } from './oauth-clients.ts';
import { addReplays } from './replays.ts';
import { createSessionGuard } from './session-guard.ts';
import { addStatistics } from './statistics.ts';
import { addSubscriptions } from './subscriptions.ts';
import { addTestEvents } from './test-events.ts';

/** What belongs to this door; other doors live under /api, too. */
const PATHS = ['/api/me', '/api/events', '/api/event-types', '/api/webhooks/*'];

/** The routes, to be mounted at the root of an HTTP shell, which prints what they throw. */
export function createRestRoutes(deps: RestDependencies): RestApp {
  const app = new OpenAPIHono<RestEnv>({ defaultHook: refuseFaults });
  for (const path of PATHS) app.use(path, listedOrigins(deps.corsOrigins ?? []), bearerChallenge(deps));
  const guard = createGuard(deps);
  addMe(app, guard);
  addEvents(app, guard);
  addEventTypes(app, guard);
  addSubscriptions(app, guard);
  addDeliveries(app, guard);
  addTestEvents(app, guard);
  addStatistics(app, guard);
  addReplays(app, guard);
  addOAuthClients(app, createSessionGuard(deps));
  return app;
}
