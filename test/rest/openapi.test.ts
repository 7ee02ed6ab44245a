import { Hono } from 'hono';
import { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SCOPES } from '../../src/accounts/scope.ts';
import { mountDoors } from '../../src/door-routes.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createAuthorization } from '../../src/oauth/authorization.ts';
import { createOAuth } from '../../src/oauth/authorization-server.ts';
import { createLog } from '../../src/platform/log.ts';
import { describeApi } from '../../src/rest/openapi.ts';
import { createRestRoutes } from '../../src/rest/routes.ts';
import { createRoutes } from '../../src/routes.ts';
import { REST_DEPENDENCIES } from './unused.ts';

const PUBLIC_URL = 'https://connect.optio.example';

const unused = (): never => {
  throw new Error('Nothing is called.');
};

const document = describeApi({ rest: createRestRoutes(REST_DEPENDENCIES), publicUrl: PUBLIC_URL });
const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods ?? {}).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
);
const withToken = operations.filter(({ operation }) =>
  operation.security?.some((one: object) => 'oauth2' in one),
);

/** What a page of ours posts to, and no program. */
const FORMS = ['post /api/oauth/authorize'];

/** The routes as they are mounted, `METHOD /path/{id}`; middleware and handlers of every method are none. */
function mountedRoutes(): readonly string[] {
  const pool = new Pool(); // Connects when it is first asked, which it is not.
  const oauth = createOAuth({
    pool,
    masterKeys: [Buffer.alloc(32)],
    issuer: PUBLIC_URL,
    clock: systemClock,
    refusals: { note: () => undefined },
    reportError: unused,
    onReuse: unused,
  });
  const { pages } = createAuthorization({
    pool,
    keys: [Buffer.alloc(32)],
    issuer: PUBLIC_URL,
    clock: systemClock,
    guard: { requiresSecondFactor: false, find: unused, enter: unused },
    limits: oauth.limits,
  });
  const app: Hono = new Hono().route(
    '/',
    createRoutes({
      log: createLog({ level: 'error', pretty: false }),
      clock: systemClock,
      publicUrl: PUBLIC_URL,
      trustedProxies: [],
      health: { pingDatabase: unused, isMigrated: unused, isStopping: () => false },
      metrics: { print: unused, token: undefined },
      observeRequest: unused,
      trace: undefined,
      mountDoors: (doors) =>
        mountDoors(doors, {
          publicUrl: PUBLIC_URL,
          graphql: unused,
          pages: [pages],
          oauth: oauth.routes,
          rest: REST_DEPENDENCIES,
        }),
    }),
  );
  return app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`);
}

describe('The OpenAPI 3.1 document', () => {
  it('holds every route under /api and /.well-known, and nothing that is not mounted', () => {
    const mounted = new Set(mountedRoutes());
    const described = operations.map(({ name }) => name);
    expect(described.filter((name) => !mounted.has(name))).toEqual([]);
    const ours = [...mounted].filter(
      (name) => / \/(api|\.well-known|healthz|readyz)\b/.test(name) && !FORMS.includes(name),
    );
    expect(ours.length).toBeGreaterThan(15);
    expect(ours.filter((name) => !described.includes(name))).toEqual([]);
  });

  it('names each operation once, with a summary and a tag that is explained', () => {
    const tags = document.tags?.map(({ name }) => name) ?? [];
    for (const { operation } of operations) {
      expect(operation).toMatchObject({ operationId: expect.any(String), summary: expect.any(String) });
      expect(operation.tags).toHaveLength(1);
      expect(tags).toContain(operation.tags?.[0]);
    }
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  it('says of every route with a token how it refuses, by examples with its own status', () => {
    expect(withToken.length).toBeGreaterThan(12);
    for (const { name, operation } of withToken) {
      for (const status of [400, 401, 429, 503])
        expect([name, operation.responses[status]]).not.toContain(undefined);
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        expect(response).toHaveProperty(
          ['content', 'application/problem+json', 'example', 'status'],
          Number(status),
        );
      }
    }
  });

  it('names the scope of each route, which the security scheme explains', () => {
    const flows = z.object({
      clientCredentials: z.object({ tokenUrl: z.url(), scopes: z.record(z.string(), z.string()) }),
    });
    const scheme = z.object({ flows }).parse(document.components?.securitySchemes?.['oauth2']);
    const { scopes, tokenUrl } = scheme.flows.clientCredentials;
    expect(tokenUrl).toBe(`${PUBLIC_URL}/api/oauth/token`);
    expect(Object.keys(scopes)).toEqual(SCOPES.map(({ name }) => name));
    const securityOf = (name: string) => operations.find((one) => one.name === name)?.operation.security;
    const needs = (...names: string[]) => [{ oauth2: names }, { bearer: names }];
    expect(securityOf('get /api/me')).toEqual(needs());
    expect(securityOf('post /api/events')).toEqual(needs('write:events'));
    expect(securityOf('get /api/webhooks/deliveries')).toEqual(needs('read:webhooks'));
    expect(securityOf('put /api/webhooks/subscriptions/{id}')).toEqual(needs('write:webhooks'));
  });

  it('gives an example for each body', () => {
    const bodies = operations.flatMap(({ operation }) => Object.values(operation.requestBody?.content ?? {}));
    expect(bodies).toSatisfy((all: readonly unknown[]) => all.length > 7);
    for (const body of bodies) expect(Object.keys(Object(body).examples ?? {})).not.toEqual([]);
  });
});
