/** GraphQL over HTTP: answers, errors, limits (GraphQL conventions 3, 7). */
import { getIntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AppError } from '../../src/lib/errors.ts';
import { post, REQUEST_ID, startServer, type TestServer } from './support.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
afterEach(() => vi.restoreAllMocks());

const TYPENAME = { query: '{ __typename }' };
const ORGANIZATION = { query: '{ organization { slug } }' };

function send(init: RequestInit & { headers?: Record<string, string> }, query = ''): Promise<Response> {
  return fetch(`${server.url}${query}`, init);
}

describe('Answers', () => {
  test('are application/graphql-response+json, or application/json for who asks for that', async () => {
    for (const accept of ['application/graphql-response+json', 'application/json']) {
      const response = await send({
        method: 'POST',
        headers: { 'content-type': 'application/json', accept },
        body: JSON.stringify(TYPENAME),
      });
      expect(response.headers.get('content-type')).toBe(`${accept}; charset=utf-8`);
      expect(await response.json()).toMatchObject({ data: { __typename: 'Query' } });
    }
  });

  test('are 400 for what cannot be parsed or does not fit the schema', async () => {
    const syntax = await post(server, 'north', { query: '{' });
    expect(syntax).toMatchObject({ status: 400, data: undefined });
    expect(syntax.errors?.[0]?.extensions?.['code']).toBe('GRAPHQL_PARSE_FAILED');
    const unknown = await post(server, 'north', { query: '{ nothing }' });
    expect(unknown).toMatchObject({ status: 400, data: undefined });
    expect(unknown.errors?.[0]?.extensions?.['code']).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  test('are 400 for variables that do not fit, with words that say what does', async () => {
    const { status, errors } = await post(server, 'north', {
      query:
        'query ($since: DateTime) { organization { deliveries(filter: { since: $since }) { nodes { id } } } }',
      variables: { since: 'yesterday' },
    });
    expect(status).toBe(400);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(/Expected an instant such as/),
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  test('are 400 for a day or an hour that there is not', async () => {
    for (const since of ['2026-02-30T00:00:00Z', '2026-01-01T24:30:00Z', '2026-01-01T00:00:00+25:00']) {
      const query = `{ organization { deliveries(filter: { since: "${since}" }) { nodes { id } } } }`;
      expect((await post(server, 'north', { query })).status).toBe(400);
    }
  });

  test('are 405 for a mutation by GET', async () => {
    const query = 'mutation { cancelDelivery(input: { id: "x" }) { __typename } }';
    const response = await send(
      { headers: { authorization: 'Bearer north' } },
      `?query=${encodeURIComponent(query)}`,
    );
    expect(response.status).toBe(405);
  });

  test('come to one operation at a time: batches are refused', async () => {
    expect((await post(server, 'north', [TYPENAME, TYPENAME])).status).toBe(400);
  });

  test('serve no page', async () => {
    const response = await send({ headers: { accept: 'text/html', authorization: 'Bearer north' } });
    expect(response.status).toBe(406);
    expect(await response.text()).not.toMatch(/<html/i);
  });
});

describe('Credentials', () => {
  test('that are bad are 401 with a challenge, whatever is asked', async () => {
    const { status, headers, errors, data } = await post(server, 'wrong', TYPENAME);
    expect({ status, data }).toEqual({ status: 401, data: undefined });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="test"');
    expect(errors?.[0]).toEqual({
      message: 'The access token is not valid.',
      extensions: { code: 'UNAUTHENTICATED' },
    });
  });

  test('that are missing are 401 where they are needed', async () => {
    const { status, headers, data } = await post(server, undefined, ORGANIZATION);
    expect({ status, data }).toEqual({ status: 401, data: { organization: null } });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="test"');
    expect((await post(server, undefined, TYPENAME)).status).toBe(200);
  });
});

describe('Errors', () => {
  test('of the inside are masked, with the id of the request, and logged with their cause', async () => {
    vi.spyOn(server.tenancy, 'read').mockRejectedValue(new Error('password=hunter2'));
    const { errors, data } = await post(server, 'north', ORGANIZATION);
    expect(data).toEqual({ organization: null });
    expect(errors).toEqual([
      {
        message: 'Unexpected error.',
        path: ['organization', 'slug'],
        locations: [{ line: 1, column: 18 }],
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: REQUEST_ID },
      },
    ]);
    expect(server.logged.at(-1)).toMatchObject({
      error: { message: 'password=hunter2' },
      requestId: REQUEST_ID,
    });
  });

  test('of a mutation are masked, too', async () => {
    vi.spyOn(server.tenancy, 'write').mockRejectedValue(new Error('secret'));
    const { errors, data } = await post(server, 'north', {
      query: 'mutation { cancelDelivery(input: { id: "x" }) { __typename } }',
    });
    expect(data).toBeNull();
    expect(errors?.[0]?.message).toBe('Unexpected error.');
  });

  test('of a database that is away are 503 with Retry-After', async () => {
    const away = new AppError('UNAVAILABLE', 'The database cannot be reached.', { retryAfterSeconds: 7 });
    vi.spyOn(server.tenancy, 'read').mockRejectedValue(away);
    const { status, headers, errors } = await post(server, 'north', ORGANIZATION);
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('7');
    expect(errors?.[0]?.extensions).toEqual({ code: 'UNAVAILABLE', retryAfterSeconds: 7 });
  });
});

describe('Limits (convention 7)', () => {
  test('refuse an operation that is too deep, also through fragments', async () => {
    expect((await post(server, 'north', { query: nested(3) })).errors).toBeUndefined();
    const { status, errors } = await post(server, 'north', { query: nested(4) });
    expect(status).toBe(400);
    expect(errors?.[0]).toMatchObject({
      message: 'The operation is 16 levels deep; 15 are allowed.',
      extensions: { code: 'OPERATION_TOO_DEEP' },
    });
    const deep = `{ organization { ...f } } fragment f on Organization ${nested(4).slice('{ organization '.length, -1)}`;
    expect((await post(server, 'north', { query: deep })).errors?.[0]?.extensions?.['code']).toBe(
      'OPERATION_TOO_DEEP',
    );
  });

  test('refuse too many aliases, counting a fragment wherever it is spread', async () => {
    expect((await post(server, 'north', { query: `{ ${aliases(30)} }` })).errors).toBeUndefined();
    const { errors } = await post(server, 'north', { query: `{ ${aliases(31)} }` });
    expect(errors?.[0]).toMatchObject({
      message: 'The operation has 31 aliases; 30 are allowed.',
      extensions: { code: 'TOO_MANY_ALIASES' },
    });
    const spread = `{ ...f ... { ...f } } fragment f on Query { ${aliases(16)} }`;
    expect((await post(server, 'north', { query: spread })).errors?.[0]?.message).toMatch(
      /^The operation has 32/,
    );
  });

  test('refuse a document of too many tokens', async () => {
    const { status, errors } = await post(server, 'north', { query: `{ ${'__typename '.repeat(2_000)} }` });
    expect(status).toBe(400);
    expect(errors?.[0]).toMatchObject({
      message: 'The document has more than 2,000 tokens.',
      extensions: { code: 'GRAPHQL_PARSE_FAILED' },
    });
  });

  test('do not hang on fragments that contain themselves', async () => {
    const query = '{ ...f } fragment f on Query { ...g } fragment g on Query { ...f a: __typename }';
    expect((await post(server, 'north', { query })).status).toBe(400);
  });

  test('let the standard introspection through', async () => {
    const query = getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true, oneOf: true });
    expect((await post(server, 'north', { query })).errors).toBeUndefined();
    // The schema is no secret: who has no credentials may read it, too. It has its price.
    const { data, errors, extensions } = await post(server, undefined, { query });
    expect({ errors, types: Object.keys(data ?? {}) }).toEqual({ errors: undefined, types: ['__schema'] });
    expect(extensions).toMatchObject({ cost: { requested: 201 } });
  });
});

/** An operation of 4 + 3 * `depth` levels. */
function nested(depth: number): string {
  const [opening, closing] = ['organization { webhookSubscriptions(first: 1) { nodes { ', '} } } '];
  return `{ ${opening.repeat(depth + 1)} id ${closing.repeat(depth + 1)} }`;
}

function aliases(count: number): string {
  return Array.from({ length: count }, (_, index) => `a${index}: __typename`).join(' ');
}
