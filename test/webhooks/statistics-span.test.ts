import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { retryDelivery } from '../../src/webhooks/delivery.ts';
import { readStatistics, type StatisticsQuestion } from '../../src/webhooks/statistics.ts';
import { compactStatistics, forgetStatistics } from '../../src/webhooks/statistics-job.ts';
import { FAILED, openStillLane, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

let noon: Date;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  const day = Math.ceil(world.clock.now().getTime() / DAY_MS) + 1;
  noon = new Date((day + 0.5) * DAY_MS);
  world.clock.advance(noon.getTime() - world.clock.now().getTime());
  lane = await openStillLane(world);
});

const statistics = (question: StatisticsQuestion = {}) => readStatistics(lane.context, question);
const compact = () => compactStatistics(world.workerPool, world.clock.now());
const later = (ms: number) => world.clock.advance(ms);

describe('how much is kept, and asked for', () => {
  const daysAgo = (days: number) => new Date(noon.getTime() - days * DAY_MS);

  it.each([
    [{ since: daysAgo.bind(null, 3), bucket: 'minute' }, 'since'],
    [{ since: daysAgo.bind(null, 101), bucket: 'hour' }, 'since'],
    [{ since: daysAgo.bind(null, 70), bucket: 'hour' }, 'bucket'],
    [{ since: daysAgo.bind(null, -1) }, 'until'],
  ] as const)('refuses %j, naming %s (rule 41)', async ({ since, ...question }, path) => {
    await expect(statistics({ since: since(), ...question })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: [path] }],
    });
  });

  it.each([
    [0.2, 'minute'],
    [1, 'hour'],
    [14, 'hour'],
    [30, 'day'],
    [365, 'day'],
  ])('takes the unit that fits a span of %d days: %s (rule 41)', async (days, bucket) => {
    expect(await statistics({ since: daysAgo(days) })).toMatchObject({ bucket });
  });

  it('forgets minutes after 2 days, hours after 100, and keeps the days (rule 41)', async () => {
    await lane.settle(lane.attemptOf(await lane.claimOne(), SUCCEEDED));
    await compact();
    const units = async () =>
      (
        await world.query(
          'SELECT DISTINCT unit FROM delivery_statistics WHERE organization_id = $1 ORDER BY 1',
          [lane.organizationId],
        )
      ).map((row) => row['unit']);
    expect(await units()).toEqual(['day', 'hour', 'minute']);
    later(2 * DAY_MS);
    await forgetStatistics(world.workerPool, world.clock.now());
    expect(await units()).toEqual(['day', 'hour', 'minute']);
    later(MINUTE_MS);
    await forgetStatistics(world.workerPool, world.clock.now());
    expect(await units()).toEqual(['day', 'hour']);
    later(100 * DAY_MS);
    await forgetStatistics(world.workerPool, world.clock.now());
    expect(await units()).toEqual(['day']);
  });

  it('does not bring back what was forgotten: a delivery that failed long ago is retried (rule 41)', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, FAILED));
    await compact();
    later(3 * DAY_MS);
    await forgetStatistics(world.workerPool, world.clock.now());
    await retryDelivery(lane.context, delivery.id);
    await compact();
    const rows = await world.query(
      'SELECT unit, failed::int FROM delivery_statistics WHERE organization_id = $1 AND grouping = 0 ORDER BY unit',
      [lane.organizationId],
    );
    expect(rows).toEqual([
      { unit: 'day', failed: 0 },
      { unit: 'hour', failed: 0 },
    ]);
  });
});

describe('who sees statistics', () => {
  it('another organization and a student see nothing of it (rule 41)', async () => {
    await lane.settle(lane.attemptOf(await lane.claimOne(), SUCCEEDED));
    await compact();
    const other = await world.createOrganization();
    expect((await readStatistics(world.context(other), {})).series).toEqual([]);
    const student = world.context(lane.organizationId, { role: 'STUDENT' });
    await expect(readStatistics(student, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const unscoped = world.context(lane.organizationId, { scopes: ['read:events'] });
    await expect(readStatistics(unscoped, {})).rejects.toMatchObject({ requiredScope: 'read:webhooks' });
  });
});
