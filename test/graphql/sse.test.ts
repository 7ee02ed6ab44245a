/** GraphQL over server-sent events, with the real client in distinct connections mode (GraphQL convention 9). */
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { AppError } from '../../src/lib/errors.ts';
import { createStreamSource, update } from './stream-source.ts';
import { startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

const source = createStreamSource();
let server: TestServer;

beforeAll(async () => {
  server = await startServer(() => ({ subscribeToUpdates: source.subscribe }));
});
afterAll(() => server.close());

const connect = (token: string) =>
  createClient({ url: server.url, headers: { authorization: `Bearer ${token}` }, retryAttempts: 0 });

const FOLLOW = {
  query: `subscription ($organizationId: ID!, $after: Cursor) {
    deliveryUpdates(organizationId: $organizationId, after: $after) {
      ... on StreamReady { cursor }
      ... on DeliveryUpdated { cursor version }
    }
  }`,
  variables: { organizationId: globalId('Organization', NORTH) },
};

describe('Live updates', () => {
  test('come as they happen, and free their iterator when the client leaves', async () => {
    const items = connect('north').iterate(FOLLOW);
    const first = items.next();
    const stream = await source.nextStream();
    stream.push({ kind: 'ready', cursor: 'c0' });
    expect((await first).value).toMatchObject({ data: { deliveryUpdates: { cursor: 'c0' } } });
    stream.push(update('c1'));
    expect((await items.next()).value).toEqual({ data: { deliveryUpdates: { cursor: 'c1', version: 1 } } });
    await items.return?.();
    await stream.left;
  });

  test('are resumed by the cursor', async () => {
    const client = connect('north');
    void client.iterate({ ...FOLLOW, variables: { ...FOLLOW.variables, after: 'c1' } }).next();
    expect((await source.nextStream()).request.after).toBe('c1');
    client.dispose();
  });

  test('end with the error when the token does', async () => {
    const items = connect('north').iterate(FOLLOW);
    const first = items.next();
    const stream = await source.nextStream();
    stream.fail(new AppError('UNAUTHENTICATED', 'The access token has expired.'));
    expect((await first).value?.errors).toEqual([
      expect.objectContaining({
        message: 'The access token has expired.',
        extensions: { code: 'UNAUTHENTICATED' },
      }),
    ]);
    expect((await items.next()).done).toBe(true);
  });

  test('are refused without the scope', async () => {
    const { value } = await connect('north-nothing').iterate(FOLLOW).next();
    expect(value?.errors?.[0]?.extensions).toEqual({ code: 'FORBIDDEN', requiredScope: 'read:webhooks' });
  });
});

test('Queries are answered, too', async () => {
  const { value } = await connect('north').iterate({ query: '{ viewer { role } }' }).next();
  expect(value?.data).toEqual({ viewer: { role: 'CLIENT' } });
});

test('A stream needs text/event-stream', async () => {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      authorization: 'Bearer north',
    },
    body: JSON.stringify(FOLLOW),
  });
  expect(response.status).toBe(406);
});
