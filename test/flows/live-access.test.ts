/** What ends a live stream, from token to client: the server as operators run it, and the clients that people use. */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type Client, connectClient, emitBadges, subscribe } from '../support/client.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { type LiveStream, watchBySse, watchByWebSocket } from '../support/live.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { CLIENT, type RunningServer, startServer } from '../support/server.ts';

const OWN_ORIGIN = 'https://connect.example';
const LISTED_ORIGIN = 'https://admin.example';

let database: TestDatabase;
let receiver: Receiver;
let server: RunningServer;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  server = await startServer({
    DATABASE_URL: database.ownerUrl,
    PUBLIC_URL: OWN_ORIGIN,
    CORS_ORIGINS: LISTED_ORIGIN,
  });
  await subscribe(await connectClient(server), receiver.url);
});
afterAll(async () => {
  await server.stop();
  await receiver.close();
  await database.drop();
});

/** Ends one token, as its client does (RFC 7009). */
async function revoke(token: string): Promise<void> {
  const response = await fetch(`${server.url}/api/oauth/revoke`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
    body: new URLSearchParams({ token }),
  });
  expect(response.status).toBe(200);
}

/** Lets the newest token end so many seconds from now. */
const endNewestToken = (seconds: number) =>
  query(
    database.ownerUrl,
    `UPDATE oauth_access_tokens SET expires_at = now() + make_interval(secs => $1)
     WHERE id = (SELECT id FROM oauth_access_tokens ORDER BY id DESC LIMIT 1)`,
    [seconds],
  );

/** What the stream says instead of a next item. */
const failureOf = async (stream: LiveStream): Promise<string> =>
  stream.next().then(
    (item) => `The stream went on with ${JSON.stringify(item)}`,
    (error: unknown) => (error instanceof Error ? error.message : JSON.stringify(error)),
  );

const ENDED = 'The access token has expired or was revoked; the stream has ended.';

describe.each([
  ['WebSocket', watchByWebSocket],
  ['SSE', watchBySse],
])('a live stream over %s', (_, watch) => {
  async function open(client: Client): Promise<LiveStream> {
    const stream = watch({ url: server.url, token: client.token });
    onTestFinished(() => stream.close());
    expect(await stream.next()).toMatchObject({ __typename: 'StreamReady' });
    return stream;
  }

  it('ends with an error when its token is revoked, and that of another token goes on (webhooks rule 39)', async () => {
    const [revoked, other] = await Promise.all([connectClient(server), connectClient(server)]);
    const [stream, stays] = await Promise.all([open(revoked), open(other)]);
    await revoke(revoked.token);
    const failure = await failureOf(stream);
    expect(failure).toContain(ENDED);
    expect(failure).toContain('UNAUTHENTICATED');
    // What happens from then on is told to who may still hear it.
    await emitBadges(other, 1);
    expect(await stays.next()).toMatchObject({ __typename: 'DeliveryUpdated', status: 'PENDING' });
    expect(await stays.next()).toMatchObject({ __typename: 'DeliveryUpdated', status: 'SUCCEEDED' });
    await expect(stream.next()).rejects.toThrow('has ended');
  });

  it('ends with an error when its token expires (webhooks rule 39)', async () => {
    const client = await connectClient(server);
    await endNewestToken(3);
    const failure = await failureOf(await open(client));
    expect(failure).toContain(ENDED);
    expect(failure).toContain('UNAUTHENTICATED');
  });
});

describe('a WebSocket', () => {
  async function ask(origin: string | undefined): Promise<unknown> {
    const { token } = await connectClient(server);
    const client = createClient({
      url: `${server.url.replace('http:', 'ws:')}/graphql`,
      retryAttempts: 0,
      connectionParams: { authorization: `Bearer ${token}` },
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols: string) {
          super(url, protocols, origin === undefined ? {} : { origin });
        }
      },
    });
    onTestFinished(() => client.dispose());
    const { value } = await client.iterate({ query: '{ viewer { role } }' }).next();
    return value?.data;
  }

  it.each([OWN_ORIGIN, LISTED_ORIGIN, undefined])('is opened for the origin %s', async (origin) => {
    expect(await ask(origin)).toEqual({ viewer: { role: 'CLIENT' } });
  });

  it.each(['https://evil.example', `${OWN_ORIGIN}.evil.example`, 'http://connect.example', 'null'])(
    'is refused to the origin %s, whatever token it has (webhooks rule 39)',
    async (origin) => {
      await expect(ask(origin)).rejects.toMatchObject({ message: expect.stringContaining('403') });
    },
  );
});
