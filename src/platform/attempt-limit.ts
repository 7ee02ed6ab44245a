/**
 * How often something may be tried, counted in memory by this process: a limit that costs no write, and that several
 * processes multiply by their number. Each try counts before it is made, so that many at once are no way around it.
 */
import ipaddr from 'ipaddr.js';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../lib/errors.ts';

export type AttemptLimitOptions = { readonly attempts: number; readonly perSeconds: number };

export type AttemptLimit = {
  /** Refuses when no try is left; counts nothing and remembers nothing. Errors: `RATE_LIMITED`. */
  readonly check: (key: string) => Promise<void>;
  /** Counts a try. Errors: `RATE_LIMITED` when none was left. */
  readonly count: (key: string) => Promise<void>;
  /** Takes one try back, since it succeeded. */
  readonly giveBack: (key: string) => Promise<void>;
  /** Forgets all tries of the key. */
  readonly forget: (key: string) => Promise<void>;
};

/** A limit of so many tries in so many seconds, for each key. */
export function createAttemptLimit({ attempts, perSeconds }: AttemptLimitOptions): AttemptLimit {
  const limiter = new RateLimiterMemory({ points: attempts, duration: perSeconds });
  return {
    check: async (key) => {
      const used = await limiter.get(key);
      if (used !== null && used.consumedPoints >= attempts) throw tooMany(used);
    },
    count: async (key) => {
      try {
        await limiter.consume(key);
      } catch (error) {
        throw error instanceof RateLimiterRes ? tooMany(error) : error;
      }
    },
    giveBack: async (key) => void (await limiter.reward(key)),
    forget: async (key) => void (await limiter.delete(key)),
  };
}

/** What stands for a client's address in a limit: of IPv6 the network of a subscriber (/64), who has all of it. */
export function addressKey(address: string | null): string {
  if (address === null || !ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}

function tooMany({ msBeforeNext }: RateLimiterRes): AppError {
  const seconds = Math.max(1, Math.ceil(msBeforeNext / 1_000));
  const wait = seconds <= 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
  return new AppError('RATE_LIMITED', `Too many tries. Wait ${wait}, then try again.`, {
    retryAfterSeconds: seconds,
  });
}
