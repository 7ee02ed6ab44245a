/** The whole URL map on one page. Each door guards its own routes; the shell is around all of them. */
import type { Hono } from 'hono';
import type { Config } from './config.ts';
import { createGraphiQLRoutes } from './graphql/graphiql/routes.ts';
import type { Clock } from './lib/clock.ts';
import type { HttpEnv } from './platform/http/env.ts';
import { createHealthRoutes, type HealthDeps } from './platform/http/health.ts';
import { createMetricsRoutes, type MetricsRouteDeps, type ObserveRequest } from './platform/http/metrics.ts';
import { createHttpShell } from './platform/http/shell.ts';
import type { Cidr } from './platform/ip-range.ts';
import type { Log } from './platform/log.ts';
import type { Trace } from './platform/tracing/trace.ts';
import { createDocsRoutes } from './rest/docs/routes.ts';
import type { RestDependencies } from './rest/env.ts';
import { createOpenApiRoutes } from './rest/openapi.ts';
import { createRestRoutes } from './rest/routes.ts';

export type RoutesOptions = {
  readonly log: Log;
  readonly clock: Clock;
  readonly publicUrl: string;
  readonly role: Config['role'];
  readonly trustedProxies: readonly Cidr[];
  readonly graphql: (request: Request, requestId: string, address: string) => Promise<Response>;
  readonly oauth: Hono<HttpEnv>;
  readonly pages: readonly Hono<HttpEnv>[];
  /** The built-in receiver, where there is a demo. */
  readonly demo?: Hono<HttpEnv> | undefined;
  readonly rest: RestDependencies;
  readonly health: HealthDeps;
  readonly metrics: MetricsRouteDeps;
  readonly observeRequest: ObserveRequest;
  readonly trace: Trace | undefined;
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
  const { publicUrl, role } = options;
  const app = createHttpShell({ ...options, https: publicUrl.startsWith('https:') });
  app.route('/', createHealthRoutes(options.health));
  app.route('/', createMetricsRoutes(options.metrics));
  if (role === 'worker') return app;
  app.route('/', options.oauth);
  for (const pages of options.pages) app.route('/', pages);
  const rest = createRestRoutes(options.rest);
  app.route('/', rest);
  app.route('/', createOpenApiRoutes({ rest, publicUrl }));
  app.route('/', createDocsRoutes());
  app.route('/', createGraphiQLRoutes());
  if (options.demo !== undefined) app.route('/', options.demo);
  app.all('/graphql', (c) => options.graphql(c.req.raw, c.get('requestId'), c.get('clientAddress')));
  return app;
}
