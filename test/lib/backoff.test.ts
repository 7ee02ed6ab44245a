import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_JITTER, withJitter } from '../../src/lib/backoff.ts';

describe('withJitter', () => {
  it('adds nothing when chance gives nothing', () => {
    expect(withJitter(60_000, () => 0)).toBe(60_000);
  });

  it('is never shorter than the delay, and at most a tenth longer', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 86_400_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (delay, chance) => {
          const jittered = withJitter(delay, () => chance);
          expect(jittered).toBeGreaterThanOrEqual(delay);
          expect(jittered).toBeLessThanOrEqual(delay * (1 + MAX_JITTER) + 1e-6);
        },
      ),
    );
  });

  it('spreads equal delays', () => {
    expect(withJitter(60_000, () => 0.25)).not.toBe(withJitter(60_000, () => 0.75));
  });
});
