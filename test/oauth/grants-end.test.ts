import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setPassword } from '../../src/accounts/password.ts';
import { type Harness, inBody, refusal, startHarness, type TestClient } from './harness.ts';
import { addPerson, addUserClient, allow, connect, exchange, opens, type Person, refresh } from './people.ts';

let harness: Harness;
let client: TestClient;
let person: Person;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

/** What somebody with tokens and a code can do with them before and after `act`. */
async function afterwards(act: () => Promise<unknown>): Promise<readonly unknown[]> {
  const tokens = await connect(harness, { client, person });
  const code = await allow(harness, { client, person });
  const before = await opens(harness, tokens.access);
  await act();
  return [
    before,
    await opens(harness, tokens.access),
    (await refresh(harness, client, tokens.refresh)).body.error,
    (await exchange(harness, client, code)).body.error,
  ];
}

const ENDED = [true, false, 'invalid_grant', 'invalid_grant'];

async function newcomers(): Promise<void> {
  [client, person] = await Promise.all([addUserClient(harness), addPerson(harness)]);
}

const sql = (text: string, values: readonly unknown[]) => harness.owner.query(text, [...values]);

describe('all tokens and codes of a person end, in every organization', () => {
  test('with a new password, by whichever way it is set (rule 47)', async () => {
    await newcomers();
    const owner = { id: person.id, email: person.email };
    await setPassword(harness.pool, owner, 'a walk in the rain', harness.clock.now());
    expect(
      await afterwards(() => setPassword(harness.pool, owner, 'a walk in the snow', harness.clock.now())),
    ).toEqual(ENDED);
    expect(
      await afterwards(() =>
        sql(`UPDATE user_passwords SET hash = 'another' WHERE user_id = $1`, [person.id]),
      ),
    ).toEqual(ENDED);
  });

  test('not with the password that a person gets first, nor with the same one', async () => {
    await newcomers();
    const { access } = await connect(harness, { client, person });
    const owner = { id: person.id, email: person.email };
    await setPassword(harness.pool, owner, 'a walk in the rain', harness.clock.now());
    await sql('UPDATE user_passwords SET changed_at = now() WHERE user_id = $1', [person.id]);
    await sql(`UPDATE users SET name = 'Ada King' WHERE id = $1`, [person.id]);
    expect(await opens(harness, access)).toBe(true);
  });

  test('with being deactivated, and do not come back with being activated again (rule 47)', async () => {
    await newcomers();
    expect(
      await afterwards(async () => {
        await sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [person.id]);
        await sql('UPDATE users SET deactivated_at = NULL WHERE id = $1', [person.id]);
      }),
    ).toEqual(ENDED);
  });
});

describe('the tokens and codes of a member end', () => {
  test('with leaving the organization, and do not come back with joining again (rule 47)', async () => {
    await newcomers();
    const key = [harness.organizationId, person.id];
    expect(
      await afterwards(async () => {
        await sql('DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2', key);
        await sql(`INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'STUDENT')`, key);
      }),
    ).toEqual(ENDED);
    const { rows } = await sql('SELECT FROM oauth_consents WHERE user_id = $1', [person.id]);
    expect(rows).toEqual([]);
  });

  test('with the consent, not those of another client or person (rule 23)', async () => {
    await newcomers();
    const [other, others] = [await addUserClient(harness), await addPerson(harness)];
    const kept = [
      await connect(harness, { client: other, person }),
      await connect(harness, { client, person: others }),
    ];
    expect(
      await afterwards(() =>
        sql('DELETE FROM oauth_consents WHERE user_id = $1 AND client_ref = $2', [person.id, client.id]),
      ),
    ).toEqual(ENDED);
    for (const { access } of kept) expect(await opens(harness, access)).toBe(true);
  });
});

describe('the tokens and codes of a client end', () => {
  test.each(['SUSPENDED', 'REJECTED', 'PENDING'])(
    'when it becomes %s, and do not come back when it is approved again (rule 47)',
    async (status) => {
      await newcomers();
      expect(
        await afterwards(async () => {
          await sql(`UPDATE oauth_clients SET status = $2::"OAuthClientStatus" WHERE id = $1`, [
            client.id,
            status,
          ]);
          await sql(`UPDATE oauth_clients SET status = 'APPROVED' WHERE id = $1`, [client.id]);
        }),
      ).toEqual(ENDED);
    },
  );

  test('when it is suspended, those it holds for itself, too; not those of another (rule 47)', async () => {
    const token = async (of: TestClient): Promise<string> => {
      const { body } = await harness.post({ grant_type: 'client_credentials', ...inBody(of) });
      return String(body.access_token);
    };
    const [one, other] = [await harness.addClient(), await harness.addClient()];
    const [ours, theirs] = [await token(one), await token(other)];
    await sql(`UPDATE oauth_clients SET status = 'SUSPENDED' WHERE id = $1`, [one.id]);
    await sql(`UPDATE oauth_clients SET status = 'APPROVED' WHERE id = $1`, [one.id]);
    expect([await opens(harness, ours), await opens(harness, theirs)]).toEqual([false, true]);
  });

  test('when it is deleted (rule 47)', async () => {
    await newcomers();
    const tokens = await connect(harness, { client, person });
    await sql('DELETE FROM oauth_clients WHERE id = $1', [client.id]);
    expect(await opens(harness, tokens.access)).toBe(false);
    expect(await refresh(harness, client, tokens.refresh)).toMatchObject(refusal(401, 'invalid_client'));
  });

  test('not when something else of it changes', async () => {
    await newcomers();
    const { access } = await connect(harness, { client, person });
    await sql(`UPDATE oauth_clients SET name = 'Renamed' WHERE id = $1`, [client.id]);
    expect(await opens(harness, access)).toBe(true);
  });
});

describe('whose hand it is that ends them', () => {
  test('needs no right to grants: an admin who removes a member has none', async () => {
    await newcomers();
    const tenant = await harness.owner.connect();
    expect(
      await afterwards(async () => {
        await tenant.query('BEGIN; SET LOCAL ROLE optio_tenant');
        await tenant.query(
          `SELECT set_config('app.organization_id', $1, true), set_config('app.role', 'ADMIN', true)`,
          [harness.organizationId],
        );
        await tenant.query('DELETE FROM memberships WHERE user_id = $1', [person.id]);
        await tenant.query('COMMIT');
      }),
    ).toEqual(ENDED);
    tenant.release();
  });

  test.each([
    ['ADMIN', 1],
    ['CLIENT', 0],
    ['STUDENT', 0],
  ])('may take back what members allowed as %s: %i rows', async (role, rows) => {
    await newcomers();
    await allow(harness, { client, person });
    const tenant = await harness.owner.connect();
    await tenant.query('BEGIN; SET LOCAL ROLE optio_tenant');
    await tenant.query(
      `SELECT set_config('app.organization_id', $1, true), set_config('app.role', $2, true)`,
      [harness.organizationId, role],
    );
    const { rowCount } = await tenant.query('DELETE FROM oauth_consents WHERE user_id = $1', [person.id]);
    await tenant.query('ROLLBACK');
    tenant.release();
    expect(rowCount).toBe(rows);
  });
});

test('a grant tells when something of it was last exchanged', async () => {
  await newcomers();
  const lastUse = async () =>
    (await sql('SELECT last_used_at AS at FROM oauth_grants WHERE user_id = $1', [person.id])).rows;
  const code = await allow(harness, { client, person });
  expect(await lastUse()).toEqual([{ at: null }]);
  const answer = await exchange(harness, client, code);
  expect(await lastUse()).toEqual([{ at: harness.clock.now() }]);
  harness.clock.advance(3_600_000);
  await refresh(harness, client, answer.body.refresh_token);
  expect(await lastUse()).toEqual([{ at: harness.clock.now() }]);
});
