import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/lib/clock.ts';
import { createRestRoutes } from '../../src/rest/routes.ts';

const flowsSchema = z.object({ clientCredentials: z.object({ scopes: z.record(z.string(), z.string()) }) });
const unused = () => {
  throw new Error('Nothing is called.');
};
const app = createRestRoutes({
  tenancy: { read: unused, write: unused, close: unused },
  authenticate: unused,
  challenge: () => undefined,
  clock: systemClock,
  keys: [Buffer.alloc(32)],
  targetPolicy: { allowHttp: false, allow: [] },
  wakeLanes: unused,
});
const document = app.getOpenAPI31Document({
  openapi: '3.1.0',
  info: { title: 'Optio Connect', version: '1' },
});
const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods ?? {}).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
);

describe('The definitions of the routes, as OpenAPI 3.1', () => {
  it('hold every row of the table', () => {
    expect(operations.map(({ name }) => name).toSorted()).toEqual([
      'delete /api/webhooks/subscriptions/{id}',
      'get /api/event-types',
      'get /api/me',
      'get /api/webhooks/deliveries',
      'get /api/webhooks/deliveries/{id}',
      'get /api/webhooks/subscriptions',
      'get /api/webhooks/subscriptions/{id}',
      'post /api/events',
      'post /api/webhooks/deliveries/{id}/retry',
      'post /api/webhooks/subscriptions',
      'post /api/webhooks/subscriptions/{id}/rotate-secret',
      'post /api/webhooks/test',
      'put /api/webhooks/subscriptions/{id}',
    ]);
  });

  it('have names of their own, a summary, tags and the refusals that each route has', () => {
    for (const { operation } of operations) {
      expect(operation).toMatchObject({
        operationId: expect.any(String),
        summary: expect.any(String),
        tags: [expect.any(String)],
        responses: { 401: expect.any(Object), 429: expect.any(Object), 503: expect.any(Object) },
      });
    }
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  it('name the scope, which the security scheme explains', () => {
    const { flows } = z
      .object({ flows: flowsSchema })
      .parse(document.components?.securitySchemes?.['oauth2']);
    const scopeOf = (name: string) => {
      const found = operations.find((one) => one.name === name)?.operation.security?.[0]?.['oauth2'];
      return found?.map((scope: string) => [scope, typeof flows.clientCredentials.scopes[scope]]);
    };
    expect(scopeOf('get /api/me')).toEqual([]);
    expect(scopeOf('post /api/events')).toEqual([['write:events', 'string']]);
    expect(scopeOf('get /api/webhooks/deliveries')).toEqual([['read:webhooks', 'string']]);
    expect(scopeOf('put /api/webhooks/subscriptions/{id}')).toEqual([['write:webhooks', 'string']]);
  });

  it('give an example for each body', () => {
    for (const { operation } of operations.filter(
      ({ operation: { requestBody } }) => requestBody !== undefined,
    )) {
      expect(operation).toHaveProperty(['requestBody', 'content', 'application/json', 'examples']);
    }
  });
});
