import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { BELLS, type Bell, openDoorbell } from '../../src/platform/doorbell.ts';
import type { LaneJob, LaneLease } from '../../src/platform/jobs.ts';
import { createLaneQueue, type LaneQueue } from '../../src/webhooks/lane-queue.ts';
import { eventually } from '../support/eventually.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let queue: LaneQueue;
let taken: LaneLease[];
const organizationId = newId();
const [one, two, three] = [newId(), newId(), newId()];

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  taken = [];
  await world.query('DELETE FROM pgboss.job');
  const { jobs, doorbell } = world;
  queue = createLaneQueue({ jobs, doorbell, onError: (error) => expect.fail(error.message) });
});

/** What another process hears from now on. */
async function listenElsewhere(): Promise<readonly Bell[]> {
  const doorbell = openDoorbell({
    pool: world.workerPool,
    url: world.database.urls.workerUrl,
    onError: (error) => expect.fail(error.message),
  });
  onTestFinished(() => doorbell.close());
  const heard: Bell[] = [];
  for (const bell of BELLS) doorbell.listen(bell, () => void heard.push(bell));
  await eventually(() => expect(heard).toEqual(BELLS), 5);
  heard.length = 0;
  return heard;
}

/** A worker of this process that has these lanes; answers what it is told to look at, and how to end it. */
function holdLanes(...held: readonly string[]) {
  const told: string[][] = [];
  const isOthers = ({ subscriptionId }: LaneJob) => !held.includes(subscriptionId);
  const end = queue.serve({
    look: (lanes) => {
      told.push(lanes.filter((lane) => !isOthers(lane)).map(({ subscriptionId }) => subscriptionId));
      return lanes.filter(isOthers);
    },
    takeOrQueue: async (lanes) => {
      taken.push(...(await world.jobs.takeOrQueue(lanes)));
      const ids = new Set(taken.map(({ subscriptionId }) => subscriptionId));
      return lanes.filter(({ subscriptionId }) => !ids.has(subscriptionId));
    },
  });
  return { told, end };
}

async function queued(): Promise<readonly unknown[]> {
  const rows = await world.query(
    "SELECT singleton_key FROM pgboss.job WHERE state = 'created' ORDER BY singleton_key",
  );
  return rows.map((row) => row['singleton_key']);
}

describe('a lane that is woken', () => {
  it('is queued, and rung for twice: for who has it, and for who may take it', async () => {
    const elsewhere = await listenElsewhere();
    queue.wake(organizationId, [one, two]);
    await queue.flush();
    expect(await queued()).toEqual([one, two].toSorted());
    await eventually(() => expect(elsewhere).toContain('updates'), 5);
    expect(elsewhere).toEqual(['lanes', 'queue', 'updates']);
  });

  it('needs neither job nor ring when a worker of this process has it', async () => {
    const elsewhere = await listenElsewhere();
    const { told } = holdLanes(one, two);
    queue.wake(organizationId, [one, two]);
    expect(told).toEqual([[one, two]]);
    await queue.flush();
    expect(await queued()).toEqual([]);
    await eventually(() => expect(elsewhere).toContain('updates'), 5);
    expect(elsewhere).toEqual(['updates']);
  });

  it('is looked at by the worker that has it, and taken where none has it, without a ring', async () => {
    const elsewhere = await listenElsewhere();
    const workers = [holdLanes(two), holdLanes(three)];
    queue.wake(organizationId, [one, two, three]);
    await queue.flush();
    expect(workers.map(({ told }) => told)).toEqual([[[two]], [[three]]]);
    expect(taken).toMatchObject([{ subscriptionId: one }]);
    expect(await queued()).toEqual([]);
    await eventually(() => expect(elsewhere).toContain('updates'), 5);
    expect(elsewhere).toEqual(['updates']);
  });

  it('is queued when another process has it, which is rung for', async () => {
    const elsewhere = await listenElsewhere();
    expect(await world.jobs.takeOrQueue([{ organizationId, subscriptionId: one }])).toHaveLength(1);
    holdLanes();
    queue.wake(organizationId, [one]);
    await queue.flush();
    expect(taken).toEqual([]);
    expect(await queued()).toEqual([one]);
    await eventually(() => expect(elsewhere).toContain('updates'), 5);
    expect(elsewhere).toEqual(['lanes', 'updates']);
  });

  it('is queued again once its worker has ended', async () => {
    holdLanes(one).end();
    queue.wake(organizationId, [one]);
    await queue.flush();
    expect(await queued()).toEqual([one]);
  });

  it('is looked at at once; what is woken within 20 ms after it, together', async () => {
    const { told } = holdLanes(one, two, three);
    queue.wake(organizationId, [one]);
    expect(told).toEqual([[one]]);
    queue.wake(organizationId, [two]);
    queue.wake(organizationId, [three, two]);
    await queue.flush();
    expect(told).toEqual([[one], [two, three]]);
  });
});
