/** How far a replay has come, over real sockets (GraphQL convention 9; webhooks rule 39). */
import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { globalId } from '../../src/graphql/global-id.ts';
import { newId } from '../../src/lib/ids.ts';
import { openWorld, type World } from '../support/world.ts';
import { startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

let world: World;
let server: TestServer;
let viewers: Viewer[];

beforeAll(async () => {
  world = await openWorld();
  const expiresAt = new Date(world.clock.now().getTime() + 3_600_000);
  server = await startServer(
    ({ authenticate }) => ({
      followReplay: world.updates.followReplay,
      limits: { maxStreams: 2 },
      authenticate: async (headers) => {
        const viewer = await authenticate(headers);
        if (viewer === null) return null;
        const known = { ...viewer, expiresAt };
        viewers.push(known);
        return known;
      },
    }),
    world.database,
  );
});
afterAll(async () => {
  await server.close();
  await world.close();
});
beforeEach(() => {
  viewers = [];
});
// A client that has left is noticed a little later.
afterEach(() => vi.waitUntil(() => world.updates.subscriberCount() === 0));

const QUERY = `subscription ($id: ID!) {
  replayProgress(id: $id) { id state replayed total waiting { value } }
}`;

type Item = { readonly data?: { readonly replayProgress: Progress } | null; readonly errors?: unknown };
type Progress = { readonly state: string; readonly replayed: number };

const transports = {
  WebSocket: (token: string) =>
    createClient({
      url: server.webSocketUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: `Bearer ${token}` },
    }),
  SSE: (token: string) =>
    createSseClient({ url: server.url, headers: { authorization: `Bearer ${token}` }, retryAttempts: 0 }),
};

function follow(transport: keyof typeof transports, replayId: string, token = 'north-reader') {
  const client = transports[transport](token);
  const items = client.iterate<{ replayProgress: Progress }>({
    query: QUERY,
    variables: { id: globalId('Replay', replayId) },
  });
  return {
    next: async (): Promise<{ readonly done?: boolean; readonly value?: Item }> => {
      try {
        return (await items.next()) as { readonly value?: Item }; // What both libraries answer.
      } catch (errors) {
        // graphql-ws throws what a stream ends with.
        return { value: { errors } };
      }
    },
    leave: async () => {
      await items.return?.();
      await client.dispose();
    },
  };
}

/** A replay of North that runs; of which nobody but the test makes anything. */
async function addReplay(organizationId = NORTH): Promise<string> {
  const id = newId();
  await server.sql(
    `INSERT INTO replays (organization_id, id, missing, event_types, statuses, until, rate_per_second, total, position, next_at, created_at)
     VALUES ($1, $2, false, '{}', '{FAILED}', now(), 1, 10, $2, now() + interval '1 day', now())`,
    [organizationId, id],
  );
  return id;
}

const moveOn = (id: string, replayed: number, state = 'RUNNING') =>
  server.sql(
    `UPDATE replays SET replayed = $2, version = version + 1, state = $3::"ReplayState",
       ended_at = CASE WHEN $3 <> 'RUNNING' THEN now() END WHERE id = $1`,
    [id, replayed, state],
  );
const progress = (replayed: number, state = 'RUNNING') => ({
  done: false,
  value: {
    data: { replayProgress: { id: expect.any(String), state, replayed, total: 10, waiting: { value: 0 } } },
  },
});

describe.each(['WebSocket', 'SSE'] as const)('replayProgress over %s', (transport) => {
  test('tells how far it is, of each change, and ends with the replay', async () => {
    const id = await addReplay();
    const stream = follow(transport, id);
    expect(await stream.next()).toMatchObject(progress(0));
    await moveOn(id, 4);
    expect(await stream.next()).toMatchObject(progress(4));
    await moveOn(id, 10, 'COMPLETED');
    expect(await stream.next()).toMatchObject(progress(10, 'COMPLETED'));
    expect(await stream.next()).toMatchObject({ done: true });
    await expect.poll(() => world.updates.subscriberCount()).toBe(0);
    await stream.leave();
  });

  test('of one that has ended is that, and the end', async () => {
    const id = await addReplay();
    await moveOn(id, 3, 'CANCELLED');
    const stream = follow(transport, id);
    expect(await stream.next()).toMatchObject(progress(3, 'CANCELLED'));
    expect(await stream.next()).toMatchObject({ done: true });
    await stream.leave();
  });

  test('holds no transaction between two items', async () => {
    const id = await addReplay();
    const stream = follow(transport, id);
    await stream.next();
    const open =
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()";
    expect(await server.sql(open)).toEqual([{ count: 0 }]);
    await stream.leave();
  });

  test('is freed when the client leaves (rule 39)', async () => {
    const stream = follow(transport, await addReplay());
    await stream.next();
    expect(world.updates.subscriberCount()).toBe(1);
    await stream.leave();
    await expect.poll(() => world.updates.subscriberCount()).toBe(0);
  });

  test.each([
    ['of another organization', 'south', 'NOT_FOUND'],
    ['to a token without read:webhooks', 'north-emitter', 'FORBIDDEN'],
    ['to a session of a student', 'north-student', 'FORBIDDEN'],
  ])('tells nothing %s (rule 39)', async (_whom, token, code) => {
    const stream = follow(transport, await addReplay(), token);
    expect(await stream.next()).toMatchObject({ value: { errors: [{ extensions: { code } }] } });
    await stream.leave();
  });

  test('ends with an error when the token is revoked (rule 39)', async () => {
    const stream = follow(transport, await addReplay());
    await stream.next();
    for (const viewer of viewers) world.revoked.add(viewer);
    expect(await stream.next()).toMatchObject({
      value: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
    });
    await stream.leave();
  });
});

test('Streams of replays count among those that a viewer may have open', async () => {
  const id = await addReplay();
  const streams = [1, 2, 3].map(() => follow('WebSocket', id));
  const first = await Promise.all(streams.map((stream) => stream.next()));
  const refused = first.filter(({ value }) => value?.errors !== undefined);
  expect(refused).toMatchObject([{ value: { errors: [{ extensions: { code: 'RATE_LIMITED' } }] } }]);
  await Promise.all(streams.map((stream) => stream.leave()));
});
