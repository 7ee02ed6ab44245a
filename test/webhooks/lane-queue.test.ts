import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { BELLS, type Bell, openDoorbell } from '../../src/platform/doorbell.ts';
import { createLaneQueue, type LaneQueue } from '../../src/webhooks/lane-queue.ts';
import { eventually } from '../support/eventually.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let queue: LaneQueue;
const organizationId = newId();
const [one, two, three] = [newId(), newId(), newId()];

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
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
  const end = queue.tellFirst((lanes) => {
    told.push(lanes.map(({ subscriptionId }) => subscriptionId).filter((id) => held.includes(id)));
    return lanes.filter(({ subscriptionId }) => !held.includes(subscriptionId));
  });
  return { told, end };
}

async function queued(): Promise<readonly unknown[]> {
  const rows = await world.query('SELECT singleton_key FROM pgboss.job ORDER BY singleton_key');
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

  it('is looked at by the worker that has it, and queued where none has it', async () => {
    const workers = [holdLanes(two), holdLanes(three)];
    queue.wake(organizationId, [one, two, three]);
    await queue.flush();
    expect(workers.map(({ told }) => told)).toEqual([[[two]], [[three]]]);
    expect(await queued()).toEqual([one]);
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
