/**
 * Rate limits in this process's memory: points in a window of time. Nothing is written durably; several processes
 * count each for itself.
 */
import ipaddr from 'ipaddr.js';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

export type RateLimitPolicy = { readonly points: number; readonly windowSeconds: number };

/** How a key stands after it has spent. */
export type RateLimitState = RateLimitPolicy & {
  readonly remaining: number;
  /** When the window ends and all points are there again, rounded up. */
  readonly resetSeconds: number;
  /** It has spent more than there is. */
  readonly isExceeded: boolean;
};

export type RateLimiter = {
  /** Takes points from a key; what is not there any more is told, not taken. A window begins with the first spending. */
  readonly spend: (key: string, points: number) => Promise<RateLimitState>;
};

/** A limiter with full windows. */
export function createRateLimiter(policy: RateLimitPolicy): RateLimiter {
  const limiter = new RateLimiterMemory({ points: policy.points, duration: policy.windowSeconds });
  return {
    spend: async (key, points) => {
      try {
        return stateOf(policy, await limiter.consume(key, points), false);
      } catch (refused) {
        if (refused instanceof RateLimiterRes) return stateOf(policy, refused, true);
        throw refused;
      }
    },
  };
}

/** The headers that tell of it on every answer (draft-ietf-httpapi-ratelimit-headers-10). */
export function rateLimitHeaders(
  name: string,
  state: RateLimitState,
): readonly (readonly [string, string])[] {
  const { points, windowSeconds, remaining, resetSeconds } = state;
  return [
    ['RateLimit-Policy', `"${name}";q=${points};w=${windowSeconds}`],
    ['RateLimit', `"${name}";r=${remaining};t=${resetSeconds}`],
  ];
}

/** Who has an IPv6 address has the 2^64 around it: they count as one (RFC 4291 2.5.1). */
export function networkOf(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  return `${ipaddr.IPv6.parse(address)
    .parts.slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}

function stateOf(policy: RateLimitPolicy, result: RateLimiterRes, isExceeded: boolean): RateLimitState {
  const resetSeconds = Math.max(1, Math.ceil(result.msBeforeNext / 1_000));
  return { ...policy, remaining: result.remainingPoints, resetSeconds, isExceeded };
}
