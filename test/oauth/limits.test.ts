/** How often the authorization server may be asked; the addresses are told by a proxy that is trusted. */
import type { QueryConfig } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Answer,
  basic,
  GRANT,
  type Harness,
  type HarnessOptions,
  inBody,
  startHarness,
  type TestClient,
} from './harness.ts';
import { addPerson, addUserClient, connect, refresh } from './people.ts';

const TOKEN = '/api/oauth/token';
const ENDPOINTS = [TOKEN, '/api/oauth/revoke', '/api/oauth/introspect'] as const;

/** What is answered to who asks too often. */
const TOO_OFTEN = {
  status: 429,
  body: {
    error: 'temporarily_unavailable',
    error_description: expect.stringMatching(/^Too many tries\. Wait \d+ seconds, then try again\.$/),
  },
  headers: {
    'cache-control': 'no-store',
    'content-type': 'application/json',
    'retry-after': expect.stringMatching(/^([1-9]|[1-5]\d|60)$/),
  },
};

let harness: Harness;
let client: TestClient;
/** Where a school and somebody else are: in every test somewhere new. */
let school: string;
let elsewhere: string;
let tests = 0;

beforeEach(async () => {
  tests += 1;
  school = `192.0.2.${tests}`;
  elsewhere = `198.51.100.${tests}`;
  client = await harness.addClient();
});

async function start(limits: NonNullable<HarnessOptions['limits']>): Promise<void> {
  harness = await startHarness({ limits, trustedProxies: '127.0.0.1' });
}

const from = (address: string) => ({ 'x-forwarded-for': address });

async function repeat(times: number, ask: () => Promise<Answer>): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let count = 0; count < times; count++) answers.push(await ask());
  return answers;
}

const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status);

/** The form that each endpoint takes. */
function formOf(endpoint: string, credentials: Record<string, string>): Record<string, string> {
  return { ...(endpoint === TOKEN ? GRANT : { token: 'x' }), ...credentials };
}

describe('failed client authentication', () => {
  beforeAll(() => start({ requestsPerMinute: 1_000, failuresPerMinute: 3 }));
  afterAll(() => harness.close());

  test.each(ENDPOINTS)(
    '%s: is refused with Retry-After when it was tried too often (rule 57)',
    async (endpoint) => {
      const wrong = formOf(endpoint, { client_id: client.clientId, client_secret: 'wrong' });
      const answers = await repeat(5, () => harness.postTo(endpoint, wrong, from(school)));
      expect(statuses(answers)).toEqual([401, 401, 401, 429, 429]);
      expect(answers[4]).toMatchObject(TOO_OFTEN);
    },
  );

  test('locks nobody out: the real client goes on from the same address, and from another one (rule 57)', async () => {
    const wrong = () => harness.post(GRANT, { ...basic(client.clientId, 'wrong'), ...from(school) });
    const right = (address: string) => harness.post({ ...GRANT, ...inBody(client) }, from(address));
    expect(statuses(await repeat(20, wrong)).at(-1)).toBe(429);
    expect((await right(school)).status).toBe(200);
    expect((await right(elsewhere)).status).toBe(200);
    expect((await wrong()).status).toBe(429);
  });

  test('is counted for client and address together (rule 57)', async () => {
    const fail = (clientId: string, address: string) =>
      harness.post(GRANT, { ...basic(clientId, 'wrong'), ...from(address) });
    await repeat(4, () => fail(client.clientId, school));
    expect((await fail(client.clientId, elsewhere)).status).toBe(401);
    expect((await fail('another', school)).status).toBe(401);
  });

  test('of ever more clients from one address is limited, too, and its network of IPv6 is one address (rule 57)', async () => {
    let count = 0;
    const next = () => {
      count += 1;
      return harness.post(GRANT, { ...basic(`made-up-${count}`, 'x'), ...from(`2001:db8::${count}`) });
    };
    const answers = statuses(await repeat(32, next));
    expect(answers.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 401));
    expect(answers.slice(30)).toEqual([429, 429]);
  });

  test('that is malformed, or names no client, counts as well (rule 57)', async () => {
    const answers = [
      ...(await repeat(2, () => harness.post(GRANT, { authorization: 'Basic !', ...from(school) }))),
      ...(await repeat(2, () => harness.post(GRANT, from(school)))),
    ];
    expect(statuses(answers)).toEqual([401, 401, 401, 429]);
  });

  test('looks the same for an unknown client and a wrong secret, beyond the limit as well (rule 36)', async () => {
    const series = async (clientId: string) =>
      (await repeat(5, () => harness.post(GRANT, { ...basic(clientId, 'wrong'), ...from(school) }))).map(
        ({ status, body }) => ({ status, error: body['error'] }),
      );
    expect(await series('nobody')).toEqual(await series(client.clientId));
  });

  test('costs one read a request, and not one write, however often it is tried (rule 57)', async () => {
    const wrong = () => harness.post(GRANT, { ...basic(client.clientId, 'wrong'), ...from(school) });
    await repeat(4, wrong);
    const query = vi.spyOn(harness.pool, 'query');
    await repeat(20, wrong);
    const statements = query.mock.calls.map(([statement]) => statement as unknown as QueryConfig);
    query.mockRestore();
    const others = statements.filter(({ name }) => name !== 'oauth_client');
    expect(statements.length - others.length).toBe(20);
    // The audit log's entries of the tests before may come in between, and one that tells of all refusals here.
    expect(others.filter(({ text }) => !text.startsWith('INSERT INTO audit_entries'))).toEqual([]);
    const told = others.filter(({ values }) => values?.includes(client.id) === true);
    expect(told.length).toBeLessThanOrEqual(1);
  });

  test('evades nothing by a forged X-Forwarded-For (rule 58)', async () => {
    let count = 0;
    const forged = () => {
      count += 1;
      const header = from(`203.0.113.${count}, ${school}`);
      return harness.post(GRANT, { ...basic(client.clientId, 'wrong'), ...header });
    };
    expect(statuses(await repeat(5, forged))).toEqual([401, 401, 401, 429, 429]);
  });
});

describe('requests', () => {
  beforeAll(() => start({ requestsPerMinute: 3, failuresPerMinute: 100 }));
  afterAll(() => harness.close());

  test('of a client beyond its limit are refused with Retry-After, from another address they are not (rule 57)', async () => {
    const ask = (address: string) => harness.post({ ...GRANT, ...inBody(client) }, from(address));
    const answers = await repeat(4, () => ask(school));
    expect(statuses(answers)).toEqual([200, 200, 200, 429]);
    expect(answers[3]).toMatchObject(TOO_OFTEN);
    expect((await ask(elsewhere)).status).toBe(200);
    const another = await harness.addClient();
    expect((await harness.post({ ...GRANT, ...inBody(another) }, from(school))).status).toBe(200);
  });

  test('on all endpoints count together, and one counts once, however it ends (rule 57)', async () => {
    const credentials = inBody(await harness.addClient({ grantTypes: ['refresh_token'] }));
    const answers: Answer[] = [];
    for (const endpoint of [...ENDPOINTS, TOKEN]) {
      const form = { ...formOf(endpoint, credentials), grant_type: 'refresh_token', refresh_token: 'x' };
      answers.push(await harness.postTo(endpoint, form, from(school)));
    }
    expect(statuses(answers)).toEqual([400, 200, 200, 429]);
  });

  test('that prove nothing use up nothing of the real client’s (rule 57)', async () => {
    await repeat(6, () => harness.post(GRANT, { ...basic(client.clientId, 'wrong'), ...from(school) }));
    const right = await harness.post({ ...GRANT, ...inBody(client) }, from(school));
    expect(right.status).toBe(200);
  });

  test('of one address are limited in all, generously, whatever they are (rule 57)', async () => {
    const paths = [
      '/api/oauth/jwks',
      '/.well-known/oauth-authorization-server',
      '/.well-known/oauth-protected-resource',
    ];
    const look = async (path: string, address: string) =>
      fetch(`${harness.issuer}${path}`, { headers: from(address) });
    for (const path of [...paths, ...paths, ...paths, ...paths]) {
      expect((await look(path, school)).status).toBe(200);
    }
    for (const path of paths) {
      const refused = await look(path, school);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await look(path, elsewhere)).status).toBe(200);
    }
    expect(await harness.post(GRANT, from(school))).toMatchObject(TOO_OFTEN);
  });

  test('of a page are told by CORS that they were too many (rule 42)', async () => {
    const { clientId } = await addUserClient(harness, { type: 'PUBLIC' });
    const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: clientId };
    const ask = () => harness.post(form, { origin: 'https://lms.example', ...from(school) });
    const answers = await repeat(4, ask);
    expect(statuses(answers)).toEqual([400, 400, 400, 429]);
    expect(answers[3]?.headers['access-control-allow-origin']).toBe('https://lms.example');
  });

  test('that are refused burn no refresh token (rule 57)', async () => {
    const lms = await addUserClient(harness);
    const tokens = await connect(harness, { client: lms, person: await addPerson(harness) });
    const viaSchool = { grant_type: 'refresh_token', refresh_token: tokens.refresh, ...inBody(lms) };
    const spend = { grant_type: 'refresh_token', refresh_token: 'x', ...inBody(lms) };
    await repeat(3, () => harness.post(spend, from(school)));
    expect((await harness.post(viaSchool, from(school))).status).toBe(429);
    expect((await refresh(harness, lms, tokens.refresh)).status).toBe(200);
  });
});
