import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connectClient } from '../support/client.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { converse, sendRaw } from '../support/raw-http.ts';
import { CLIENT, type RunningServer, startServer } from '../support/server.ts';

let database: Omit<TestDatabase, 'urls'>;
let server: RunningServer;
let client: Client;
beforeAll(async () => {
  database = await createEmptyDatabase();
  server = await startServer({ DATABASE_URL: database.ownerUrl });
  client = await connectClient(server);
});
afterAll(async () => {
  await server.stop();
  await database.drop();
});

const MIB = 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const wide = (count: number) => Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',');
const event = (more: string) =>
  `{"event":"webhook.test","data":{"message":"m","requested_by":"u"${more === '' ? '' : `,${more}`}}}`;

type Answer = { readonly status: number; readonly text: string };

async function post(
  path: string,
  body: string,
  headers: Record<string, string> = JSON_TYPE,
): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.token}`, ...headers },
    body,
  });
  return { status: response.status, text: await response.text() };
}

/** How many events there are: what is refused leaves none behind. */
async function countEvents(): Promise<unknown> {
  const { body } = await client.graphql('{ organization { events { totalCount { value } } } }');
  const { data } = body as { data: unknown }; // As GraphQL answers 200.
  return data;
}

describe('REST', () => {
  it.each([
    ['malformed JSON', '{"event":', 400, 'not well-formed JSON'],
    ['JSON that never closes', '['.repeat(500_000), 400, 'not well-formed JSON'],
    ['something else than an object', '"event"', 422, 'expected'],
    ['an array', '[]', 422, 'expected'],
    [
      'an unknown field',
      `${event('').slice(0, -1)},"surprise":1}`,
      422,
      'surprise: There is no such field here.',
    ],
    ['an unknown event', '{"event":"no.such","data":{}}', 422, 'no.such'],
    ['data nested 100 levels', event(`"x":${nested(100)}`), 422, 'at most 64 levels'],
    ['data nested 200,000 levels', event(`"x":${nested(200_000)}`), 422, 'at most 64 levels'],
    [
      'data of half a mebibyte',
      event(`"x":"${'x'.repeat(MIB / 2)}"`),
      413,
      'An event holds at most 256 KiB.',
    ],
    ['a body of two mebibytes', event(`"x":"${'x'.repeat(2 * MIB)}"`), 413, 'at most 1024 KiB'],
    [
      'more events than a batch holds',
      `{"events":[${`${event('')},`.repeat(1_000)}${event('')}]}`,
      422,
      '1,?000',
    ],
  ])('refuses %s and says what is expected', async (_name, body, status, expected) => {
    const before = await countEvents();
    const answer = await post('/api/events', body);
    expect(answer).toEqual({ status, text: expect.stringMatching(expected) });
    expect(JSON.parse(answer.text)).toMatchObject({
      status,
      code: expect.any(String),
      detail: expect.any(String),
    });
    expect(await countEvents()).toEqual(before);
  });

  it.each([
    ['20,000 unknown fields in data, which are kept', event(wide(20_000))],
    ['NUL and half a surrogate pair', event('"x":"\\u0000 \\ud800"')],
    ['__proto__ as a field of data', event('"__proto__":{"polluted":true},"constructor":1')],
    ['a number beyond all numbers', event('"x":1e999')],
  ])('takes %s', async (_name, body) => {
    expect((await post('/api/events', body)).status).toBe(202);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'a/b'])(
    'refuses a body of the type %s: 415',
    async (type) => {
      const answer = await post('/api/events', event(''), { 'content-type': type });
      expect(answer).toEqual({ status: 415, text: expect.stringContaining('application/json') });
    },
  );

  it.each([
    ['/api/webhooks/deliveries?limit=0', 'limit'],
    ['/api/webhooks/deliveries?limit=1e9', 'limit'],
    ['/api/webhooks/deliveries?since=yesterday', 'since'],
    ['/api/webhooks/deliveries?status=lost', 'status'],
    [`/api/webhooks/deliveries?cursor=${'x'.repeat(10_000)}`, 'cursor'],
  ])('refuses %s with the name of the parameter', async (path, name) => {
    const { status, body } = await client.get(path);
    expect([status, body]).toEqual([
      422,
      expect.objectContaining({ errors: [expect.objectContaining({ path: name })] }),
    ]);
  });

  it.each(['/api/webhooks/deliveries/%zz', '/api/webhooks/subscriptions/..%2f..', '/%00', '//evil.example/'])(
    'finds nothing at %s',
    async (path) => {
      const head = `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${client.token}\r\nConnection: close\r\n\r\n`;
      expect((await sendRaw(server.url, head)).status).toBe(404);
    },
  );
});

describe('GraphQL', () => {
  const ask = (query: string, variables = '{}') =>
    post('/graphql', `{"query":${JSON.stringify(query)},"variables":${variables}}`);

  it.each([
    ['malformed JSON', '{"query":', 400, 'JSON'],
    ['a body of two mebibytes', `{"query":"${'x'.repeat(2 * MIB)}"}`, 413, 'at most 1024 KiB'],
    [
      'variables that are no object',
      `{"query":"{ __typename }","variables":${nested(100_000)}}`,
      400,
      'variables',
    ],
  ])('refuses %s', async (_name, body, status, expected) => {
    expect(await post('/graphql', body)).toEqual({ status, text: expect.stringContaining(expected) });
  });

  it('refuses a body that turns out to be more than a mebibyte (convention 7)', async () => {
    const body = `{"query":"{ __typename } # ${'x'.repeat(MIB)}"}`;
    const head = [
      'POST /graphql HTTP/1.1',
      'Host: localhost',
      'Connection: close',
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    ];
    const text = `${head.join('\r\n')}\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const answer = await sendRaw(server.url, text);
    expect([answer.status, answer.body]).toEqual([413, expect.stringContaining('at most 1024 KiB')]);
  });

  it.each([
    ['20,000 levels', `${'{ a '.repeat(20_000)}${'}'.repeat(20_000)}`, 'tokens'],
    [
      '5,000 aliases',
      `{ ${Array.from({ length: 5_000 }, (_, n) => `a${n}: __typename`).join(' ')} }`,
      'tokens',
    ],
    ['200 levels of lists in an argument', `{ node(id: ${nested(200)}) { id } }`, 'ID cannot represent'],
    ['900 levels of lists in an argument', `{ node(id: ${nested(900)}) { id } }`, ''],
    [
      '900 levels of objects in an argument',
      `{ node(id: ${'{a:'.repeat(450)}1${'}'.repeat(450)}) { id } }`,
      '',
    ],
    [
      '20,000 levels of lists in an argument',
      `{ node(id: ${nested(20_000)}) { id } }`,
      'GRAPHQL_PARSE_FAILED',
    ],
    [
      '900 levels of lists in a type',
      `query ($a: ${'['.repeat(900)}ID${']'.repeat(900)}) { __typename }`,
      '',
    ],
    [
      '40 levels of lists',
      `{ organization { ${'deliveries { nodes { subscription { '.repeat(10)}id${' } } }'.repeat(10)} } }`,
      '',
    ],
    [
      'fragments in a circle',
      '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
      'fragment',
    ],
    ['a field that there is not', '{ organisation { name } }', 'Did you mean'],
  ])('refuses %s', async (_name, query, expected) => {
    const { text } = await ask(query);
    const { errors, data } = JSON.parse(text);
    expect([data, errors.length > 0]).toEqual([undefined, true]);
    expect(text).toContain(expected);
    expect(text).not.toContain('INTERNAL');
  });

  it('refuses a variable nested 100,000 levels', async () => {
    const before = await countEvents();
    const mutation = `mutation ($data: JSON!) { emitEvent(input: { type: "webhook.test", data: $data }) { __typename } }`;
    const { status, text } = await ask(
      mutation,
      `{"data":{"message":"m","requested_by":"u","x":${nested(100_000)}}}`,
    );
    expect(status).toBeLessThan(500);
    expect(text).not.toContain('INTERNAL');
    expect(await countEvents()).toEqual(before);
  });
});

describe('OAuth', () => {
  const basic = { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` };
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

  it.each([
    ['JSON', '{"grant_type":"client_credentials"}', JSON_TYPE, 'application/x-www-form-urlencoded'],
    ['a parameter twice', 'grant_type=client_credentials&grant_type=x', FORM, 'more than once'],
    ['percent signs that mean nothing', '%zz=%ff', FORM, 'grant_type is missing'],
  ])('refuses %s: 400', async (_name, body, type, expected) => {
    expect(await post('/api/oauth/token', body, { ...basic, ...type })).toEqual({
      status: 400,
      text: expect.stringContaining(expected),
    });
  });

  it('refuses a body of two mebibytes, and credentials that are no base64', async () => {
    const huge = await post('/api/oauth/token', `grant_type=${'x'.repeat(2 * MIB)}`, { ...basic, ...FORM });
    expect(huge).toEqual({ status: 413, text: expect.stringContaining('at most 1024 KiB') });
    const garbled = await post('/api/oauth/token', 'grant_type=client_credentials', {
      ...FORM,
      authorization: 'Basic ****',
    });
    expect(garbled).toEqual({ status: 401, text: expect.stringContaining('invalid_client') });
  });
});

describe('Connections', () => {
  it.each([
    ['no HTTP', 'HELLO\r\n\r\n', 400, 'Expected a request in HTTP/1.1'],
    ['no Host', 'GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'Host header'],
    [
      '20 KiB of headers',
      `GET /readyz HTTP/1.1\r\nHost: a\r\nX-A: ${'x'.repeat(20_480)}\r\n\r\n`,
      431,
      'at most 16 KiB',
    ],
    [
      'a length and chunks',
      'POST /api/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'Expected a request in HTTP/1.1',
    ],
  ])('that speak %s are told so and closed', async (_name, text, status, expected) => {
    const { body, ...answer } = await sendRaw(server.url, text);
    expect([answer.status, body]).toEqual([status, expect.stringContaining(expected)]);
  });

  it('that upgrade to what there is not, or elsewhere, are closed', async () => {
    for (const path of ['/readyz', '/graphql', '/%zz']) {
      const said = await converse(server.url, (socket) =>
        socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n`),
      );
      expect(said).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    expect(
      await converse(server.url, (socket) => socket.write('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n')),
    ).toBe('');
  });

  it('by the hundred that say nothing do not keep the others waiting', async () => {
    const idle = await Promise.all(
      Array.from({ length: 300 }, () => {
        const opened = Promise.withResolvers<() => void>();
        void converse(server.url, (socket) => opened.resolve(() => socket.destroy()));
        return opened.promise;
      }),
    );
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    for (const close of idle) close();
  });
});

describe('After all of that', () => {
  it('nothing of it was a failure of ours, and the server stops in good order', async () => {
    expect((await client.post('/api/events', JSON.parse(event('')))).status).toBe(202);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.output()).not.toMatch(/ERROR/);
  });
});
