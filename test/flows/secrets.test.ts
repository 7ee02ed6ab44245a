import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectClient, emitBadges, type Subscription, subscribe } from '../support/client.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import {
  type Credentials,
  createDataDirectory,
  type DataDirectory,
  type RunningServer,
  startServer,
} from '../support/server.ts';

const CREDENTIALS = /export CLIENT_ID=(\S+) CLIENT_SECRET=(\S+)/;
const PASSWORD = /password (\S+) \(shown only now\)/;

let data: DataDirectory;
let receiver: Receiver;
let server: RunningServer;

beforeAll(async () => {
  data = await createDataDirectory();
  receiver = await startReceiver();
  server = await startServer({
    DATA_DIR: data.path,
    LOG_LEVEL: 'debug',
    BOOTSTRAP_CLIENT_ID: '',
    BOOTSTRAP_CLIENT_SECRET: '',
  });
});

afterAll(async () => {
  await server.stop();
  await receiver.close();
  await data.remove();
});

describe('what the server prints', () => {
  let token: string;
  let subscription: Subscription;
  let client: Credentials;
  let password: string;

  beforeAll(async () => {
    const [, id = '', secret = ''] = (await server.said(CREDENTIALS)) ?? [];
    password = PASSWORD.exec(server.output())?.[1] ?? '';
    client = { id, secret };
    const connected = await connectClient(server, client);
    token = connected.token;
    subscription = await subscribe(connected, receiver.url);
    await emitBadges(connected, 2);
    await receiver.received(2);
    await connected.get(`/api/me?access_token=${token}`);
    await connected.graphql(`{ viewer { __typename } wrong(token: "${token}") }`);
    await connected.post(`/api/webhooks/subscriptions/${token}/rotate-secret`, { secret });
    await connected.post('/api/webhooks/subscriptions', { target_url: `http://x:${secret}@127.0.0.1/` });
    await connectClient(server, { id, secret: `${secret}x` }).catch(() => undefined);
    await server.stop();
  });

  it('has the credentials that it made, once', () => {
    expect(client.secret).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(password).toMatch(/^\S{16,}$/);
    expect(occurrences(client.secret)).toBe(1);
    expect(occurrences(password)).toBe(1);
  });

  it('has no token, nor a part of one', () => {
    expect(server.output()).toContain('/api/me');
    expect(token.split('.')).toHaveLength(3);
    for (const part of token.split('.')) expect(occurrences(part)).toBe(0);
  });

  it('has no webhook secret and no body', () => {
    expect(occurrences(subscription.secret)).toBe(0);
    expect(occurrences(subscription.secret.slice('whsec_'.length))).toBe(0);
    expect(occurrences('Naturalist')).toBe(0);
  });

  it('has no Basic credentials', () => {
    for (const secret of [client.secret, `${client.secret}x`]) {
      expect(occurrences(Buffer.from(`${client.id}:${secret}`).toString('base64'))).toBe(0);
    }
  });

  it('has no credentials on a second start', async () => {
    const again = await startServer({
      DATA_DIR: data.path,
      BOOTSTRAP_CLIENT_ID: '',
      BOOTSTRAP_CLIENT_SECRET: '',
    });
    await again.stop();
    expect(again.output()).toContain(client.id);
    expect(again.output()).not.toMatch(CREDENTIALS);
    expect(again.output()).not.toMatch(PASSWORD);
  });

  function occurrences(text: string): number {
    return server.output().split(text).length - 1;
  }
});
