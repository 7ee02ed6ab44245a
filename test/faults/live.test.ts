/** The short form of `npm run faults:live`. */
import { expect, it } from 'vitest';
import { runLiveTrial } from './live-trial.ts';

it('shows every subscriber every line once and in order, by WebSocket and SSE, from two servers, over many cuts (webhooks rules 36 to 38)', async () => {
  const result = await runLiveTrial({
    seed: 20_261_127,
    subscribers: 12,
    changesPerSecond: 200,
    seconds: 3,
    cutOffEverySeconds: 0.5,
    restarts: false,
  });
  expect(result).toMatchObject({ changes: 600, missed: 0, repeated: 0, disordered: 0, complaints: [] });
  // Each came back again and again.
  expect(result.connections).toBeGreaterThan(2 * 12);
});
