/**
 * Requests that come at the same time, to two servers with a pool each on one database, over real sockets. Repeated,
 * since a race is lost now and then.
 */
import { serve } from '@hono/node-server';
import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createOAuth } from '../../src/oauth/authorization-server.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import {
  type Answer,
  basic,
  GRANT,
  type Harness,
  inBody,
  MASTER_KEYS,
  refusal,
  startHarness,
  type TestClient,
} from './harness.ts';
import {
  addPerson,
  addUserClient,
  allow,
  connect,
  exchange,
  newPkce,
  opens,
  type Person,
  type Tokens,
  tokensOf,
} from './people.ts';

const ROUNDS = 5;
const REFUSED = refusal(400, 'invalid_grant');

type Form = Readonly<Record<string, string>>;

let harness: Harness;
let other: { readonly url: string; readonly close: () => Promise<void> };
let client: TestClient;
let person: Person;

beforeAll(async () => {
  harness = await startHarness();
  other = await startSecondServer();
  client = await addUserClient(harness);
});
afterAll(async () => {
  await other.close();
  await harness.close();
});
beforeEach(async () => {
  person = await addPerson(harness);
});
afterEach(() => {
  harness.reuses.splice(0);
  if (harness.reported.length > 0) throw new Error('The server failed.', { cause: harness.reported[0] });
});

/** One more process on the same database. */
async function startSecondServer(): Promise<typeof other> {
  const pool: Pool = createPool({ url: harness.authUrl, maxConnections: 6, onIdleError: () => undefined });
  const { routes } = createOAuth({
    pool,
    masterKeys: MASTER_KEYS,
    issuer: harness.issuer,
    clock: harness.clock,
    limits: { requestsPerMinute: 1e9, failuresPerMinute: 1e9 },
    refusals: { note: () => undefined },
    reportError: (error) => void harness.reported.push(error),
    onReuse: (report) => void harness.reuses.push(report),
  });
  return new Promise((resolve) => {
    const server = serve(
      { fetch: (request) => routes.fetch(request), port: 0, hostname: '127.0.0.1' },
      ({ port }) =>
        resolve({
          url: `http://127.0.0.1:${port}`,
          close: async () => {
            await new Promise((done) => void server.close(done));
            await pool.end();
          },
        }),
    );
  });
}

/** Sends all forms at once, to each server in turn. */
function atOnce(path: string, forms: readonly Form[]): Promise<readonly Answer[]> {
  return Promise.all(
    forms.map(async (form, index) => {
      const response = await fetch(`${index % 2 === 0 ? harness.issuer : other.url}${path}`, {
        method: 'POST',
        body: new URLSearchParams(form),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: text === '' ? {} : JSON.parse(text),
      };
    }),
  );
}

const times = <T>(count: number, make: () => T): readonly T[] => Array.from({ length: count }, make);
const codeForm = (code: string, more: Form = {}): Form => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: 'https://lms.example/oauth/callback',
  ...inBody(client),
  ...more,
});
const refreshForm = (token: string): Form => ({
  grant_type: 'refresh_token',
  refresh_token: token,
  ...inBody(client),
});
const won = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 200);
const lost = (answers: readonly Answer[]) => answers.filter(({ status }) => status !== 200);

/** The rows of the family that a token belongs to. */
async function familyOf({ refresh }: Tokens) {
  const { rows } = await harness.owner.query(
    `SELECT count(DISTINCT g.id)::int AS grants, count(*)::int AS refresh_tokens,
       (SELECT count(*)::int FROM oauth_access_tokens a WHERE a.grant_id = min(g.id::text)::uuid) AS access_tokens,
       bool_or(g.revoked_at IS NOT NULL) AS is_revoked
     FROM oauth_grants g JOIN oauth_refresh_tokens r ON r.grant_id = g.id
     WHERE g.id = (SELECT grant_id FROM oauth_refresh_tokens WHERE token_hash = sha256($1::bytea))`,
    [refresh],
  );
  return rows[0];
}

describe('fifty exchanges of one code, over two servers', () => {
  test('exactly one succeeds; nothing is revoked, and there is one family (rule 25)', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { verifier, challenge } = newPkce();
      const code = await allow(harness, { client, person, challenge });
      const answers = await atOnce(
        '/api/oauth/token',
        times(50, () => codeForm(code, { code_verifier: verifier })),
      );
      const [only, ...more] = won(answers);
      expect(more).toEqual([]);
      for (const answer of lost(answers)) expect(answer).toMatchObject(REFUSED);
      const tokens = tokensOf(only as Answer);
      expect(await familyOf(tokens)).toEqual({
        grants: 1,
        refresh_tokens: 1,
        access_tokens: 1,
        is_revoked: false,
      });
      expect(await opens(harness, tokens.access)).toBe(true);
    }
    expect(harness.reuses).toEqual([]);
  });

  test('with those that bring a wrong verifier among them, one of the right ones succeeds (rules 25 and 29)', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { verifier, challenge } = newPkce();
      const code = await allow(harness, { client, person, challenge });
      const wrong = times(40, () => codeForm(code, { code_verifier: newPkce().verifier }));
      const right = times(10, () => codeForm(code, { code_verifier: verifier }));
      const answers = await atOnce('/api/oauth/token', [...wrong, ...right]);
      expect(won(answers.slice(0, 40))).toEqual([]);
      expect(won(answers.slice(40))).toHaveLength(1);
    }
  });

  test('replayed later by fifty at once, everything is revoked, and that is told once (rule 26)', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const code = await allow(harness, { client, person });
      const tokens = tokensOf(await exchange(harness, client, code));
      harness.clock.advance(10_001);
      const replays = times(25, () => codeForm(code));
      const refreshes = times(25, () => refreshForm(tokens.refresh));
      const answers = await atOnce('/api/oauth/token', [...replays, ...refreshes]);
      expect(won(answers.slice(0, 25))).toEqual([]);
      // Some refreshes may have come first; what they got ended with the rest.
      for (const { access } of [tokens, ...won(answers).map(tokensOf)]) {
        expect(await opens(harness, access)).toBe(false);
      }
      for (const { refresh } of won(answers).map(tokensOf)) {
        expect((await atOnce('/api/oauth/token', [refreshForm(refresh)]))[0]).toMatchObject(REFUSED);
      }
      expect(harness.reuses.splice(0).filter(({ what }) => what === 'code')).toHaveLength(1);
    }
  });
});

describe('fifty refreshes of one token, over two servers', () => {
  test('in the grace period two succeed and stay one family (rule 45)', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await connect(harness, { client, person });
      const answers = await atOnce(
        '/api/oauth/token',
        times(50, () => refreshForm(first.refresh)),
      );
      expect(won(answers)).toHaveLength(2);
      for (const answer of lost(answers)) expect(answer).toMatchObject(REFUSED);
      expect(await familyOf(first)).toEqual({
        grants: 1,
        refresh_tokens: 3,
        access_tokens: 3,
        is_revoked: false,
      });
      for (const { access } of won(answers).map(tokensOf)) expect(await opens(harness, access)).toBe(true);
    }
    expect(harness.reuses).toEqual([]);
  });

  test('after it the family is revoked, and that is told once (rule 44)', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await connect(harness, { client, person });
      const [second] = await atOnce('/api/oauth/token', [refreshForm(first.refresh)]);
      harness.clock.advance(10_001);
      const answers = await atOnce(
        '/api/oauth/token',
        times(50, () => refreshForm(first.refresh)),
      );
      expect(won(answers)).toEqual([]);
      expect(await familyOf(first)).toMatchObject({ grants: 1, refresh_tokens: 2, is_revoked: true });
      expect(await opens(harness, tokensOf(second as Answer).access)).toBe(false);
      expect(harness.reuses.splice(0)).toHaveLength(1);
    }
  });

  test('none that was answered before or after a revocation opens anything when it is over (rules 45 and 53)', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await connect(harness, { client, person });
      const refreshing = atOnce(
        '/api/oauth/token',
        times(20, () => refreshForm(first.refresh)),
      );
      const revoking = atOnce(
        '/api/oauth/revoke',
        times(2, () => ({ token: first.refresh, ...inBody(client) })),
      );
      const [answers, revocations] = await Promise.all([refreshing, revoking]);
      expect(revocations.map(({ status }) => status)).toEqual([200, 200]);
      for (const { access } of [first, ...won(answers).map(tokensOf)]) {
        expect(await opens(harness, access)).toBe(false);
      }
    }
  });
});

test('A secret that is taken away while two hundred ask: none that asks afterwards gets a token (rule 36)', async () => {
  const machine = await harness.addClient();
  const form = { ...GRANT, ...inBody(machine) };
  await atOnce('/api/oauth/token', [form, form]); // Both servers remember it.
  const asking = atOnce(
    '/api/oauth/token',
    times(200, () => form),
  );
  await harness.owner.query('DELETE FROM oauth_client_secrets WHERE client_ref = $1', [machine.id]);
  const late = await atOnce(
    '/api/oauth/token',
    times(20, () => form),
  );
  expect(won(late)).toEqual([]);
  await asking;
  expect((await harness.post(GRANT, basic(machine.clientId, machine.secret))).status).toBe(401);
});

test('What many ask for at once is decided for each of them: the suspended get nothing, the others their own (rule 36)', async () => {
  const machines = await Promise.all(times(6, () => harness.addClient()));
  const forms = times(10, () => machines.map((machine) => ({ ...GRANT, ...inBody(machine) }))).flat();
  await atOnce('/api/oauth/token', forms); // Both servers remember all of them.
  const isSuspended = (index: number) => index % machines.length < 3;
  const suspended = machines.filter((_, index) => isSuspended(index)).map(({ id }) => id);
  await harness.owner.query(`UPDATE oauth_clients SET status = 'SUSPENDED' WHERE id = ANY ($1::uuid[])`, [
    suspended,
  ]);
  const answers = await atOnce('/api/oauth/token', forms);
  expect(answers.map(({ status }) => status)).toEqual(
    forms.map((_, index) => (isSuspended(index) ? 400 : 200)),
  );
  const viewers = await Promise.all(
    won(answers).map(({ body }) =>
      harness.callResource('/viewer', { authorization: `Bearer ${String(body['access_token'])}` }),
    ),
  );
  expect(viewers.map(({ body }) => body['clientId'])).toEqual(
    forms.filter((_, index) => !isSuspended(index)).map((form) => form.client_id),
  );
});
