import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordAct } from '../../src/accounts/act.ts';
import { createActRecord } from '../../src/accounts/act-record.ts';
import type { Refusal } from '../../src/audit/refusals.ts';
import { newId } from '../../src/lib/ids.ts';
import { inTransaction } from '../../src/platform/database/pool.ts';
import { openPeople, type People } from './people.ts';

let people: People;
let record: RecordAct;
const noted: Refusal[] = [];

beforeAll(async () => {
  people = await openPeople();
  const refusals = { note: (refusal: Refusal) => void noted.push(refusal) };
  record = createActRecord({ pool: people.pool, clock: people.clock, refusals });
});
afterAll(() => people.close());

const entriesOf = (organizationId: string) =>
  people.sql('SELECT * FROM audit_entries WHERE organization_id = $1 ORDER BY id', [organizationId]);

async function addMember() {
  const [organizationId, user] = [await people.addOrganization(), await people.addUser()];
  await people.join(user, organizationId, 'STUDENT');
  return { organizationId, user };
}

const WHERE = { organizationId: null, address: '192.0.2.7' };

describe('the acts of accounts in the audit log', () => {
  it('a session that begins: who, where, and how', async () => {
    const { organizationId, user } = await addMember();
    const sessionId = newId();
    const details = { secondFactor: true };
    await record({ ...WHERE, action: 'session.started', userId: user.id, sessionId, details });
    expect(await entriesOf(organizationId)).toMatchObject([
      {
        action: 'session.started',
        at: people.clock.now(),
        actor_kind: 'USER',
        actor_id: user.id,
        actor_label: user.email,
        target_type: 'Session',
        target_id: sessionId,
        changes: { secondFactor: { from: null, to: true } },
        address: '192.0.2.7',
      },
    ]);
  });

  it('another password: the person, in the transaction that changes it', async () => {
    const { organizationId, user } = await addMember();
    const act = { ...WHERE, action: 'password.changed', userId: user.id, sessionId: newId() } as const;
    const failing = inTransaction(people.pool, async (tx) => {
      await record(act, tx);
      throw new Error('It did not happen.');
    });
    await expect(failing).rejects.toThrow('It did not happen.');
    expect(await entriesOf(organizationId)).toEqual([]);
    await inTransaction(people.pool, (tx) => record(act, tx));
    expect(await entriesOf(organizationId)).toMatchObject([
      { action: 'password.changed', target_type: 'User', target_id: user.id },
    ]);
  });

  it('a refusal is noted and not written; one of nobody is not even noted', async () => {
    const { organizationId, user } = await addMember();
    for (const userId of [user.id, null]) {
      await record({ ...WHERE, action: 'session.refused', userId, sessionId: null });
    }
    expect(noted).toMatchObject([
      { action: 'session.refused', place: { userId: user.id }, origin: { address: '192.0.2.7' } },
    ]);
    expect(await entriesOf(organizationId)).toEqual([]);
  });
});
