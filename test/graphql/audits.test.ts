/** GraphQL over HTTP as its specification has it: the audits of graphql-http, each a test. */
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type TestServer } from './support.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** A client of ours says of each request that no page of another origin made it (convention 8). */
const audits = serverAudits({
  url: () => server.url,
  fetchFn: (url: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set('graphql-require-preflight', '1');
    return fetch(url, { ...init, headers });
  },
});

test('There are 61 of them', () => {
  expect(audits).toHaveLength(61);
});

test.for(audits.map((audit) => [`${audit.id} ${audit.name}`, audit] as const))('%s', async ([, audit]) => {
  const result = await audit.fn();
  expect(result.status === 'ok' ? 'ok' : result.reason).toBe('ok');
});
