import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { call, startServer, type TestServer } from './support.ts';

const ID = '019a0000-0000-7000-8000-0000000000ff';
const WITH_BODY = [
  'POST /api/events',
  'POST /api/webhooks/subscriptions',
  `PUT /api/webhooks/subscriptions/${ID}`,
  `POST /api/webhooks/subscriptions/${ID}/rotate-secret`,
  'POST /api/webhooks/test',
];

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('Bodies', () => {
  it.each(WITH_BODY)('%s with malformed JSON: 400', async (route) => {
    for (const rawBody of ['{"a":', '{a:1}', '\u0000']) {
      const answer = await call(server, route, { token: 'north', rawBody });
      expect(answer).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST', title: 'Bad Request' } });
    }
  });

  it.each(WITH_BODY)('%s with another type: 415', async (route) => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/jsonx', '']) {
      const answer = await call(server, route, {
        token: 'north',
        rawBody: '{}',
        headers: { 'Content-Type': type },
      });
      expect(answer).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    }
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'Application/JSON ; charset=iso-8859-1',
    'application/json;',
    'application/cloudevents+json',
  ])('of the type %s are read', async (type) => {
    const answer = await call(server, 'POST /api/events', {
      token: 'north',
      body: {
        event: 'webhook.test',
        data: { message: 'Hello', requested_by: 'u1' },
      },
      headers: { 'Content-Type': type },
    });
    expect(answer).toMatchObject({ status: 202 });
  });

  it.each(WITH_BODY)('%s with more than 1 MiB: 413', async (route) => {
    const rawBody = JSON.stringify({ a: 'x'.repeat(1024 * 1024) });
    const answer = await call(server, route, { token: 'north', rawBody });
    expect(answer).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } });
  });

  it('that are broken off are no failure of ours', async () => {
    const { port } = new URL(server.origin);
    const socket = connect(Number(port), '127.0.0.1', () => {
      const head =
        'Host: a\r\nX-Request-Id: broken-off\r\nAuthorization: Bearer north\r\nContent-Type: application/json';
      socket.write(
        `POST /api/events HTTP/1.1\r\n${head}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n`,
        () => socket.resetAndDestroy(),
      );
    });
    const lines = await eventually(() => {
      const found = server.logLines.filter((line) => line.includes('broken-off'));
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
    expect(lines.filter((line) => /"level":"(error|warn)"/.test(line))).toEqual([]);
  });

  it('that do not tell their length are limited, too', async () => {
    expect(await postChunks(70)).toMatch(/^HTTP\/1.1 413 /);
    expect(await postChunks(1)).toMatch(/^HTTP\/1.1 400 /);
  });
});

/** Chunks of 16 KiB; fetch would tell the length. */
function postChunks(count: number): Promise<string> {
  const { port } = new URL(server.origin);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(
        'POST /api/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer north\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
      );
      for (let index = 0; index < count; index += 1) socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
      socket.write('0\r\n\r\n');
    });
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (answer.includes('\r\n\r\n')) {
        socket.destroy();
        resolve(answer);
      }
    });
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });
}
