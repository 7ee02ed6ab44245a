/** What the doors mount, in the order of the URL map (routes.ts). Each guards its own routes. */
import type { Hono } from 'hono';
import { createGraphiQLRoutes } from './graphql/graphiql/routes.ts';
import type { HttpEnv } from './platform/http/env.ts';
import { createDocsRoutes } from './rest/docs/routes.ts';
import type { RestDependencies } from './rest/env.ts';
import { createOpenApiRoutes } from './rest/openapi.ts';
import { createRestRoutes } from './rest/routes.ts';

export type DoorRoutesOptions = {
  readonly publicUrl: string;
  readonly graphql: (request: Request, requestId: string, address: string) => Promise<Response>;
  readonly oauth: Hono<HttpEnv>;
  readonly pages: readonly Hono<HttpEnv>[];
  /** The built-in receiver, where there is a demo. */
  readonly demo?: Hono<HttpEnv> | undefined;
  readonly rest: RestDependencies;
};

/** Mounts them. */
export function mountDoors(app: Hono<HttpEnv>, options: DoorRoutesOptions): void {
  const { publicUrl } = options;
  app.route('/', options.oauth);
  for (const pages of options.pages) app.route('/', pages);
  const rest = createRestRoutes(options.rest);
  app.route('/', rest);
  app.route('/', createOpenApiRoutes({ rest, publicUrl }));
  app.route('/', createDocsRoutes());
  app.route('/', createGraphiQLRoutes());
  if (options.demo !== undefined) app.route('/', options.demo);
  app.all('/graphql', (c) => options.graphql(c.req.raw, c.get('requestId'), c.get('clientAddress')));
}
