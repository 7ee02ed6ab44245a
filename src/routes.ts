/** The whole URL map on one page. Each door guards its own routes; the shell is around all of them. */
import type { Hono } from 'hono';
import type { Clock } from './lib/clock.ts';
import type { HttpEnv } from './platform/http/env.ts';
import { createHealthRoutes, type HealthDeps } from './platform/http/health.ts';
import { createMetricsRoutes, type MetricsRouteDeps, type ObserveRequest } from './platform/http/metrics.ts';
import { createHttpShell } from './platform/http/shell.ts';
import type { Cidr } from './platform/ip-range.ts';
import type { Log } from './platform/log.ts';
import type { Trace } from './platform/tracing/trace.ts';

export type RoutesOptions = {
  readonly log: Log;
  readonly clock: Clock;
  readonly publicUrl: string;
  readonly trustedProxies: readonly Cidr[];
  readonly health: HealthDeps;
  readonly metrics: MetricsRouteDeps;
  readonly observeRequest: ObserveRequest;
  readonly trace: Trace | undefined;
  /** Mounts all but health and metrics (door-routes.ts); undefined in a worker. */
  readonly mountDoors: ((app: Hono<HttpEnv>) => void) | undefined;
};

/**
 * | path | what | guard |
 * |---|---|---|
 * | /healthz, /readyz | operations | none |
 * | /metrics | what is measured | loopback, or METRICS_TOKEN |
 * | /api/oauth/*, /.well-known/* | the authorization server | client authentication, where the endpoint asks for it |
 * | /api/me, /api/events, /api/event-types, /api/webhooks/* | REST | bearer token; scope and role in the feature |
 * | /api/oauth/clients | REST for people: OAuth clients | session; Origin or X-Requested-With for what changes something |
 * | /api/openapi.json | what REST and OAuth are made of, as OpenAPI 3.1 | none |
 * | /docs | the same as a page, with the files it is made of | none |
 * | /api/oauth/authorize | the page that asks a person | session; CSRF token and Origin of the decision |
 * | /, /login, /logout, /account, /account/apps | pages for people | session; CSRF token and Origin of every form |
 * | /forgot, /reset, /invitation | pages of links in mails | the token in the link; CSRF token and Origin of every form |
 * | /demo/receiver | the built-in receiver of the demo, where there is one | none to look; signatures to be answered |
 * | /graphql | GraphQL over HTTP, SSE and WebSocket | bearer token or session; scope and role in the feature |
 * | /graphql for a browser | GraphiQL, with the files it is made of | none |
 *
 * A worker serves health and metrics alone.
 */
export function createRoutes(options: RoutesOptions): Hono<HttpEnv> {
  const app = createHttpShell({ ...options, https: options.publicUrl.startsWith('https:') });
  app.route('/', createHealthRoutes(options.health));
  app.route('/', createMetricsRoutes(options.metrics));
  options.mountDoors?.(app);
  return app;
}
