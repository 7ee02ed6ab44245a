/** The short form of the kit; the long one, with faults at random, is `npm run faults`. */
import { expect, it } from 'vitest';
import { runTrial } from './trial.ts';

it('a PostgreSQL that is restarted, cut off, killed, and replaced by its standby: nothing is lost, and nothing sent twice but for a crash (webhooks rule 14)', async () => {
  const result = await runTrial({
    seed: 20_261_127,
    faults: ['Postgres restarted', 'connections terminated', 'network cut', 'Postgres killed', 'failover'],
  });
  const { events, deliveries, lost, stuck, miscounted, unexplained } = result;
  expect(events).toBeGreaterThan(50);
  expect(deliveries).toBeGreaterThan(3 * events);
  const found = { lost, stuck, miscounted, unexplained };
  expect(found).toEqual({ lost: [], stuck: [], miscounted: [], unexplained: [] });
}, 300_000);
