import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, inBody, refusal, startHarness, type TestClient } from './harness.ts';
import {
  addPerson,
  addUserClient,
  allow,
  connect,
  exchange,
  opens,
  type Person,
  refresh,
  type Tokens,
  tokensOf,
} from './people.ts';

const REFUSED = refusal(400, 'invalid_grant');
const DAY_MS = 86_400_000;
let harness: Harness;
let client: TestClient;
let person: Person;

beforeAll(async () => {
  harness = await startHarness();
  client = await addUserClient(harness);
  person = await addPerson(harness);
});
afterAll(() => harness.close());

describe('rotation', () => {
  test('gives another refresh token each time, and access tokens that all work', async () => {
    const first = await connect(harness, { client, person });
    const second = tokensOf(await refresh(harness, client, first.refresh));
    const third = tokensOf(await refresh(harness, client, second.refresh));
    expect(new Set([first, second, third].map((tokens) => tokens.refresh)).size).toBe(3);
    for (const { access } of [first, second, third]) expect(await opens(harness, access)).toBe(true);
  });

  test('rule 39: answers expires_in as a number, and the scope', async () => {
    const { refresh: token } = await connect(harness, { client, person });
    expect((await refresh(harness, client, token)).body).toMatchObject({
      expires_in: 3_600,
      scope: 'read write:tasks',
      token_type: 'Bearer',
    });
  });

  test('a token that is missing is invalid_request; one that is none of ours invalid_grant', async () => {
    const missing = await harness.post({ grant_type: 'refresh_token', ...inBody(client) });
    expect(missing).toMatchObject(refusal(400, 'invalid_request'));
    for (const token of ['x', 'ü\0', 'x'.repeat(5_000)]) {
      expect(await refresh(harness, client, token)).toMatchObject(REFUSED);
    }
  });

  test('costs one round trip once the client is known', async () => {
    const first = await connect(harness, { client, person });
    let trips = 0;
    const count = (): void => void trips++;
    harness.pool.on('acquire', count);
    expect((await refresh(harness, client, first.refresh)).status).toBe(200);
    harness.pool.off('acquire', count);
    expect(trips).toBe(1);
  });
});

describe('rule 43: bound to client, user and scope', () => {
  test('another client’s token fails and stays good, however late', async () => {
    const thief = await addUserClient(harness);
    const first = await connect(harness, { client, person });
    expect(await refresh(harness, thief, first.refresh)).toMatchObject(REFUSED);
    const second = tokensOf(await refresh(harness, client, first.refresh));
    harness.clock.advance(60_000);
    expect(await refresh(harness, thief, first.refresh)).toMatchObject(REFUSED);
    expect((await refresh(harness, client, second.refresh)).status).toBe(200);
  });

  test('scope may narrow; the successor is good for all of it again', async () => {
    const first = await connect(harness, { client, person });
    const narrow = await refresh(harness, client, first.refresh, { scope: 'read:quests' });
    expect(narrow).toMatchObject({ status: 200, body: { scope: 'read:quests' } });
    const { access, refresh: token } = tokensOf(narrow);
    const asked = { authorization: `Bearer ${access}` };
    expect((await harness.callResource('/guarded/read:grades', asked)).status).toBe(403);
    expect((await refresh(harness, client, token)).body).toMatchObject({ scope: 'read write:tasks' });
  });

  test.each([
    ['one the client holds and the person did not allow', 'read write:tasks'],
    ['one that contains an allowed one', 'read'],
    ['one that nobody knows', 'everything'],
  ])('scope never widens: %s; and the token stays good', async (_, scope) => {
    const first = await connect(harness, { client, person, scopes: ['read:quests'] });
    const answer = await refresh(harness, client, first.refresh, { scope });
    expect(answer).toMatchObject(refusal(400, 'invalid_scope'));
    expect((await refresh(harness, client, first.refresh)).body).toMatchObject({ scope: 'read:quests' });
  });

  test('a client that lost scopes gets those that are left, however it asks', async () => {
    const other = await addUserClient(harness);
    const first = await connect(harness, { client: other, person });
    await harness.owner.query(`UPDATE oauth_clients SET scopes = '{read}' WHERE id = $1`, [other.id]);
    const asking = await refresh(harness, other, first.refresh, { scope: 'write:tasks' });
    expect(asking).toMatchObject(refusal(400, 'invalid_scope'));
    expect((await refresh(harness, other, first.refresh)).body).toMatchObject({ scope: 'read' });
  });
});

describe('a token used twice', () => {
  test('rule 44: reuse after ten seconds revokes the family, and no other', async () => {
    const first = await connect(harness, { client, person });
    const second = tokensOf(await refresh(harness, client, first.refresh));
    const another = await connect(harness, { client, person });
    harness.clock.advance(10_001);
    expect(await refresh(harness, client, first.refresh)).toMatchObject(REFUSED);
    expect(await opens(harness, first.access)).toBe(false);
    expect(await opens(harness, second.access)).toBe(false);
    expect(await refresh(harness, client, second.refresh)).toMatchObject(REFUSED);
    expect(await opens(harness, another.access)).toBe(true);
    expect(harness.reuses.splice(0)).toEqual([
      expect.objectContaining({ what: 'refresh_token', clientId: client.clientId, userId: person.id }),
    ]);
  });

  test('rule 44: an old ancestor is enough', async () => {
    const first = await connect(harness, { client, person });
    let last: Tokens = first;
    for (let step = 0; step < 3; step++) last = tokensOf(await refresh(harness, client, last.refresh));
    harness.clock.advance(DAY_MS);
    expect((await refresh(harness, client, first.refresh)).status).toBe(400);
    expect(await refresh(harness, client, last.refresh)).toMatchObject(REFUSED);
    harness.reuses.splice(0);
  });

  test('rule 45: a retry within ten seconds gets one sibling, the next one nothing, and nothing is revoked', async () => {
    const first = await connect(harness, { client, person });
    const second = tokensOf(await refresh(harness, client, first.refresh));
    harness.clock.advance(10_000);
    const sibling = tokensOf(await refresh(harness, client, first.refresh));
    expect(await refresh(harness, client, first.refresh)).toMatchObject(REFUSED);
    for (const { access } of [first, second, sibling]) expect(await opens(harness, access)).toBe(true);
    expect((await refresh(harness, client, second.refresh)).status).toBe(200);
    expect((await refresh(harness, client, sibling.refresh)).status).toBe(200);
    expect(harness.reuses).toEqual([]);
  });

  test('rule 45: of 50 parallel refreshes exactly two succeed and stay one family, time and again', async () => {
    for (let round = 0; round < 5; round++) {
      const first = await connect(harness, { client, person });
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => refresh(harness, client, first.refresh)),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(2);
      for (const answer of answers.filter(({ status }) => status !== 200))
        expect(answer).toMatchObject(REFUSED);
      expect(await familySize(won)).toEqual([{ grants: 1, parents: 1, children: 2 }]);
      for (const answer of won) expect(await opens(harness, tokensOf(answer).access)).toBe(true);
    }
    expect(harness.reuses).toEqual([]);
  });

  test('rule 45: a wrong secret cannot end a family', async () => {
    const first = await connect(harness, { client, person });
    const second = tokensOf(await refresh(harness, client, first.refresh));
    harness.clock.advance(60_000);
    const wrong = await refresh(harness, client, first.refresh, { client_secret: 'wrong' });
    expect(wrong).toMatchObject(refusal(401, 'invalid_client'));
    expect((await refresh(harness, client, second.refresh)).status).toBe(200);
  });
});

describe('rule 46: both expiries hold', () => {
  test('30 days without use', async () => {
    const [soon, late] = [
      await connect(harness, { client, person }),
      await connect(harness, { client, person }),
    ];
    harness.clock.advance(30 * DAY_MS - 1_000);
    expect((await refresh(harness, client, soon.refresh)).status).toBe(200);
    harness.clock.advance(1_000);
    expect(await refresh(harness, client, late.refresh)).toMatchObject(REFUSED);
  });

  test('90 days in all, however much it is used', async () => {
    let last = await connect(harness, { client, person });
    for (let day = 20; day < 90; day += 20) {
      harness.clock.advance(20 * DAY_MS);
      last = tokensOf(await refresh(harness, client, last.refresh));
    }
    harness.clock.advance(10 * DAY_MS - 1_000);
    last = tokensOf(await refresh(harness, client, last.refresh));
    harness.clock.advance(1_000);
    expect(await refresh(harness, client, last.refresh)).toMatchObject(REFUSED);
  });
});

describe('rule 47: what ends a person’s tokens', () => {
  const ends: readonly (readonly [string, (person: Person) => Promise<unknown>])[] = [
    [
      'leaving the organization, though the person comes back',
      async ({ id }) => {
        await harness.owner.query('DELETE FROM memberships WHERE user_id = $1', [id]);
        await harness.owner.query(
          `INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'STUDENT')`,
          [harness.organizationId, id],
        );
      },
    ],
    [
      'deactivation of the user',
      ({ id }) => harness.owner.query('UPDATE users SET deactivated_at = now() WHERE id = $1', [id]),
    ],
    ['deletion of the user', ({ id }) => harness.owner.query('DELETE FROM users WHERE id = $1', [id])],
  ];

  test.each(ends)('%s', async (_, end) => {
    const one = await addPerson(harness);
    const tokens = await connect(harness, { client, person: one });
    const code = await allow(harness, { client, person: one });
    const others = await connect(harness, { client, person });
    await end(one);
    expect(await opens(harness, tokens.access)).toBe(false);
    expect(await refresh(harness, client, tokens.refresh)).toMatchObject(REFUSED);
    expect(await exchange(harness, client, code)).toMatchObject(REFUSED);
    expect(await opens(harness, others.access)).toBe(true);
  });

  test('revocation stays when the user is active again', async () => {
    const one = await addPerson(harness);
    const tokens = await connect(harness, { client, person: one });
    await harness.owner.query('UPDATE users SET deactivated_at = now() WHERE id = $1', [one.id]);
    await harness.owner.query('UPDATE users SET deactivated_at = NULL WHERE id = $1', [one.id]);
    expect(await opens(harness, tokens.access)).toBe(false);
  });
});

describe('the role of a person’s token is the person’s at the moment of use', () => {
  test('a promotion and a demotion count at once, and end what outlives requests', async () => {
    const one = await addPerson(harness, 'STUDENT');
    const { access } = await connect(harness, { client, person: one });
    const viewerNow = () => harness.oauth.authenticate({ authorization: `Bearer ${access}`, url: '/' });
    const before = await viewerNow();
    await harness.owner.query(`UPDATE memberships SET role = 'EDUCATOR' WHERE user_id = $1`, [one.id]);
    const after = await viewerNow();
    expect([before.role, after.role]).toEqual(['STUDENT', 'EDUCATOR']);
    expect(await harness.oauth.findHeld([before, after])).toEqual(new Set([after]));
  });

  test('suspension of the client ends them, and its return does not bring them back (rule 47)', async () => {
    const other = await addUserClient(harness);
    const tokens = await connect(harness, { client: other, person });
    const setStatus = (status: string) =>
      harness.owner.query(`UPDATE oauth_clients SET status = $2::"OAuthClientStatus" WHERE id = $1`, [
        other.id,
        status,
      ]);
    await setStatus('SUSPENDED');
    expect(await opens(harness, tokens.access)).toBe(false);
    expect(await refresh(harness, other, tokens.refresh)).toMatchObject(refusal(400, 'unauthorized_client'));
    await setStatus('APPROVED');
    expect(await refresh(harness, other, tokens.refresh)).toMatchObject(REFUSED);
  });
});

async function familySize(answers: readonly { readonly body: Record<string, unknown> }[]) {
  const tokens = answers.map(({ body }) => String(body.refresh_token));
  const { rows } = await harness.owner.query(
    `SELECT count(DISTINCT grant_id)::int AS grants, count(DISTINCT parent_id)::int AS parents,
       (SELECT count(*)::int FROM oauth_refresh_tokens c WHERE c.parent_id = min(r.parent_id::text)::uuid) AS children
     FROM oauth_refresh_tokens r WHERE token_hash = ANY (SELECT sha256(t::bytea) FROM unnest($1::text[]) AS t)`,
    [tokens],
  );
  return rows;
}
