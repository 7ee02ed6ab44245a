/**
 * Lets an operation in, before it is executed: not if it could cost more than one may, nor if its viewer has spent
 * what there is for this minute. Both are told in `extensions.cost` of the answer.
 */
import { GraphQLError } from 'graphql';
import type { Viewer } from '../../accounts/viewer.ts';
import { AppError } from '../../lib/errors.ts';
import { createRateLimiter, networkOf, type RateLimitState } from '../../platform/rate-limit.ts';
import { type Cost, createCostEstimate, type OperationRequest } from './cost.ts';
import type { Limits } from './limits.ts';
import { viewerKey } from './streams.ts';

/** Who an operation is charged to: its viewer, or the address of a request without credentials. */
export type Payer = { readonly viewer: Viewer | null; readonly address: string };

/** What `extensions.cost` says. */
export type CostReport = {
  /** Points of this operation. */
  readonly requested: number;
  /** Points that one operation may have. */
  readonly limit: number;
  /** Points that are left until the minute is over. */
  readonly remaining: number;
  /** Seconds until then. */
  readonly resetSeconds: number;
};

export type Admitted = {
  readonly report: CostReport;
  readonly rate: RateLimitState;
  /** Why it is not to be executed. */
  readonly refusal: GraphQLError | AppError | undefined;
};

export type Admission = {
  /** Estimates the cost of a valid operation and charges it. */
  readonly admit: (operation: OperationRequest, payer: Payer) => Promise<Admitted>;
  /** Charges what came to no operation: it could not be parsed, or had bad credentials. */
  readonly charge: (payer: Payer) => Promise<RateLimitState>;
};

const WINDOW_SECONDS = 60;

export function createAdmission({ maxCost, pointsPerMinute }: Limits): Admission {
  const estimate = createCostEstimate();
  const ofViewers = createRateLimiter({ points: pointsPerMinute, windowSeconds: WINDOW_SECONDS });
  const ofAddresses = createRateLimiter({
    points: Math.ceil(pointsPerMinute / 10),
    windowSeconds: WINDOW_SECONDS,
  });
  const spend = ({ viewer, address }: Payer, points: number): Promise<RateLimitState> =>
    viewer === null
      ? ofAddresses.spend(networkOf(address), points)
      : ofViewers.spend(viewerKey(viewer), points);
  return {
    admit: async (operation, payer) => {
      const cost = estimate(operation);
      const isTooCostly = cost.points > maxCost;
      // What is refused costs no more than to find that out.
      const rate = await spend(payer, isTooCostly ? 1 : cost.points);
      const report = {
        requested: cost.points,
        limit: maxCost,
        remaining: rate.remaining,
        resetSeconds: rate.resetSeconds,
      };
      const refusal = rate.isExceeded
        ? rateLimited(rate)
        : isTooCostly
          ? tooCostly(cost, maxCost)
          : undefined;
      return { report, rate, refusal };
    },
    charge: (payer) => spend(payer, 1),
  };
}

/** The refusal of what comes after everything is spent. */
export function rateLimited({ points, windowSeconds, resetSeconds }: RateLimitState): AppError {
  const limit = `${points.toLocaleString('en')} points in ${windowSeconds} seconds`;
  return new AppError(
    'RATE_LIMITED',
    `More than ${limit} were asked for; try again in ${resetSeconds} seconds.`,
    {
      retryAfterSeconds: resetSeconds,
    },
  );
}

function tooCostly({ points, dearest }: Cost, limit: number): GraphQLError {
  const [figure, most] = [points, limit].map((number) => number.toLocaleString('en'));
  const message = `The operation can cost ${figure} points; ${most} are allowed. Most of it is for ${dearest.join('.')}: ask for less of it.`;
  return new GraphQLError(message, {
    extensions: { code: 'OPERATION_TOO_COSTLY', cost: { requested: points, limit }, http: { status: 400 } },
  });
}
