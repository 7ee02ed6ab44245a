import { expect, it } from 'vitest';
import { createPool } from '../../src/platform/database/pool.ts';
import { openStreamBench, takeNumbers, untilReady } from '../support/update-log.ts';
import { openWorld } from '../support/world.ts';

const SUBSCRIBERS = 1_000;
const LINES = 200;

it('reads each line once for 1,000 subscribers of a process: they cost no query each (webhooks rule 38)', async () => {
  const world = await openWorld();
  const bench = await openStreamBench(world);
  const onIdleError = (error: Error) => expect.fail(error.message);
  const pool = createPool({ url: world.database.urls.workerUrl, maxConnections: 4, onIdleError });
  const updates = bench.otherProcess({ pool });
  const streams = Array.from({ length: SUBSCRIBERS }, () => bench.open({}, bench.viewer(), updates));
  await Promise.all(streams.map(untilReady));
  expect(updates.subscriberCount()).toBe(SUBSCRIBERS);

  let queries = 0;
  pool.on('acquire', () => {
    queries += 1;
  });
  const readers = streams.map((stream) => takeNumbers(stream, LINES));
  for (let line = 1; line <= LINES; line += 20) await bench.append(line, line + 19);
  const seen = await Promise.all(readers);
  const expected = Array.from({ length: LINES }, (_, index) => index + 1);
  for (const numbers of seen) expect(numbers).toEqual(expected);
  // A few looks for each ring, however many subscribers there are.
  expect(queries).toBeGreaterThan(0);
  expect(queries).toBeLessThan(SUBSCRIBERS / 4);
  await bench.close();
  await pool.end();
  await world.close();
});
