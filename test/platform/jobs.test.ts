import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { installJobs, type LaneJobs, type LaneLease, startLaneJobs } from '../../src/platform/jobs.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let pool: Pool;
let jobs: LaneJobs;
const errors: Error[] = [];

const onError = (error: Error) => void errors.push(error);
const connect = (url: string) => createPool({ url, maxConnections: 3, onIdleError: onError });

beforeAll(async () => {
  database = await createTestDatabase();
  const owner = connect(database.ownerUrl);
  await installJobs(owner);
  // Every start does it.
  await installJobs(owner);
  await owner.end();
  pool = connect(database.urls.workerUrl);
  jobs = await startLaneJobs(pool, { supervise: false, onError });
});
afterAll(async () => {
  await jobs.stop();
  await pool.end();
  await database.drop();
});
beforeEach(() => query(database.ownerUrl, 'DELETE FROM pgboss.job'));

const lane = () => ({ organizationId: newId(), subscriptionId: newId() });

async function takeOne(): Promise<LaneLease> {
  const [lease] = await jobs.take(1);
  if (lease === undefined) throw new Error('Expected a lane.');
  return lease;
}

/** What the monitor does with a turn whose heartbeat stopped, without the wait. */
async function giveUp({ job }: LaneLease): Promise<void> {
  await query(database.ownerUrl, "UPDATE pgboss.job SET state = 'retry', start_after = now() WHERE id = $1", [
    job.id,
  ]);
}

describe('the queue', () => {
  it('takes no more than asked for, and gives nothing when there is nothing', async () => {
    expect(await jobs.take(10)).toEqual([]);
    await jobs.enqueue([lane(), lane(), lane()]);
    expect(await jobs.take(2)).toHaveLength(2);
    expect(await jobs.take(10)).toHaveLength(1);
    expect(await jobs.take(10)).toEqual([]);
  });

  it('takes nothing to be queued, completed or renewed for nothing', async () => {
    await jobs.enqueue([]);
    await jobs.complete([]);
    expect(await jobs.renew([])).toEqual([]);
  });

  it('is used with the worker’s rights; tenant and authorization server have none there', async () => {
    for (const url of [database.urls.tenantUrl, database.urls.authUrl]) {
      await expect(query(url, 'SELECT FROM pgboss.job')).rejects.toMatchObject({ code: '42501' });
    }
    await expect(query(database.urls.workerUrl, 'DROP TABLE pgboss.job')).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('is shared by all processes on the database', async () => {
    const otherPool = connect(database.urls.workerUrl);
    const other = await startLaneJobs(otherPool, { supervise: false, onError });
    const one = lane();
    await jobs.enqueue([one]);
    await other.enqueue([one]);
    const taken = await other.take(10);
    expect(taken).toMatchObject([one]);
    expect(await jobs.take(10)).toEqual([]);
    await other.complete(taken);
    await other.stop();
    await otherPool.end();
  });
});

describe('what is taken at once where nobody has it', () => {
  it('is a turn like any other: renewed, completed, and given to nobody else meanwhile', async () => {
    const one = lane();
    const [turn] = await jobs.takeOrQueue([one]);
    if (turn === undefined) throw new Error('Expected a lane.');
    expect(turn).toEqual({ ...one, job: { id: expect.any(String), retryCount: 0 } });
    await jobs.enqueue([one]);
    expect(await jobs.take(10)).toEqual([]);
    expect(await jobs.renew([turn])).toEqual([turn]);
    await jobs.complete([turn]);
    expect(await jobs.renew([turn])).toEqual([]);
    expect(await jobs.take(10)).toMatchObject([one]);
  });

  it('is queued where somebody has it, and comes after that turn', async () => {
    const [mine, others] = [lane(), lane()];
    await jobs.enqueue([others]);
    const theirs = await takeOne();
    expect(await jobs.takeOrQueue([mine, others])).toMatchObject([mine]);
    expect(await jobs.takeOrQueue([mine, others])).toEqual([]);
    expect(await jobs.take(10)).toEqual([]);
    await jobs.complete([theirs]);
    expect(await jobs.take(10)).toMatchObject([others]);
  });

  it('has the heartbeat and the limits of one that was queued and taken', async () => {
    await jobs.takeOrQueue([lane()]);
    await jobs.enqueue([lane()]);
    await takeOne();
    const rows = await query(
      database.ownerUrl,
      `SELECT DISTINCT priority, state, retry_limit, retry_count, retry_delay, retry_backoff, retry_delay_max, expire_seconds,
         deletion_seconds, policy, heartbeat_seconds, blocked, keep_until - created_on AS kept, started_on IS NULL AS unstarted,
         heartbeat_on IS NULL AS silent FROM pgboss.job`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ state: 'active', heartbeat_seconds: 10, policy: 'stately' });
  });

  it('has one owner, however many ask, wait for a job and queue it at the same moment (webhooks rule 19)', async () => {
    for (let round = 0; round < 30; round += 1) {
      const lanes = Array.from({ length: 10 }, lane);
      const asked = await Promise.all([
        jobs.takeOrQueue(lanes),
        jobs.enqueue(lanes.toReversed()).then(() => jobs.take(20)),
        jobs.takeOrQueue(lanes.toReversed()),
        jobs.take(20),
      ]);
      const owned = [...asked.flat(), ...(await jobs.take(20))].map(({ subscriptionId }) => subscriptionId);
      expect(owned.toSorted()).toEqual(lanes.map(({ subscriptionId }) => subscriptionId).toSorted());
    }
  });
});

describe('a turn that was lost to another worker (webhooks rule 15)', () => {
  it('cannot be renewed or completed by who had it; the other one keeps it', async () => {
    await jobs.enqueue([lane()]);
    const frozen = await takeOne();
    await giveUp(frozen);
    const taken = await takeOne();
    expect(taken.job).toEqual({ id: frozen.job.id, retryCount: 1 });
    expect(await jobs.renew([frozen])).toEqual([]);
    await jobs.complete([frozen]);
    expect(await jobs.renew([taken])).toEqual([taken]);
  });

  it('is told apart from those that are still held', async () => {
    await jobs.enqueue([lane(), lane(), lane()]);
    const [first, second, third] = await jobs.take(3);
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('Expected three lanes.');
    await giveUp(second);
    expect(await jobs.renew([first, second, third])).toEqual([first, third]);
  });

  it('does not end the lane: it is queued and given again after the turn of the other', async () => {
    const one = lane();
    await jobs.enqueue([one]);
    await giveUp(await takeOne());
    await jobs.complete([await takeOne()]);
    await jobs.enqueue([one]);
    expect(await takeOne()).toMatchObject({ ...one, job: { retryCount: 0 } });
  });
});

it('met no error in the background', () => {
  expect(errors).toEqual([]);
});
