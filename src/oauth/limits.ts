/**
 * How often the authorization server may be asked (oauth rule 57), counted in memory by this process: nothing is written
 * for a request. Nobody can use up what is another's: what a client may is counted once it has proved itself, and what
 * fails is counted for the client and the address together, never for the client alone; see docs/adr/0033.
 */
import type { MiddlewareHandler } from 'hono';
import { sha256 } from '../lib/crypto.ts';
import { addressKey, createAttemptLimit } from '../platform/attempt-limit.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { isClientId } from './client.ts';

export type OAuthLimitSettings = {
  /** Of a client that proved itself, from one address; an address may ask four times as often. */
  readonly requestsPerMinute: number;
  /** Failed authentications of one client from one address; of an address with all its clients ten times as many. */
  readonly failuresPerMinute: number;
};

export type OAuthLimits = {
  /**
   * Middleware for a page or an endpoint that anybody may ask: counts for the address alone, generously, since a
   * school's pupils share one. Errors: `RATE_LIMITED`.
   */
  readonly perAddress: MiddlewareHandler<HttpEnv>;
  /** Counts a request whoever makes it. Errors: `RATE_LIMITED`. */
  readonly countRequest: (address: string | undefined) => Promise<void>;
  /** Counts a request of a client that proved itself. Errors: `RATE_LIMITED`. */
  readonly countClient: (clientId: string, address: string | undefined) => Promise<void>;
  /** Counts an authorization that a person gives; only who is signed in as that person gets here. Errors: `RATE_LIMITED`. */
  readonly countGrant: (userId: string) => Promise<void>;
  /** Counts a client that did not prove itself. Errors: `RATE_LIMITED` when that was one too many. */
  readonly countFailure: (clientId: string, address: string | undefined) => Promise<void>;
};

export const OAUTH_LIMITS: OAuthLimitSettings = { requestsPerMinute: 3_000, failuresPerMinute: 10 };

const MINUTE = 60;
const ADDRESS_SHARE = 4;
const FAILURES_SHARE = 10;
/** Of one person: each writes rows that last. */
const GRANTS_PER_MINUTE = 30;

/** The limits of one process. */
export function createOAuthLimits({ requestsPerMinute, failuresPerMinute }: OAuthLimitSettings): OAuthLimits {
  const perMinute = (attempts: number) => createAttemptLimit({ attempts, perSeconds: MINUTE });
  const requests = perMinute(requestsPerMinute * ADDRESS_SHARE);
  const clientRequests = perMinute(requestsPerMinute);
  const failures = perMinute(failuresPerMinute * FAILURES_SHARE);
  const clientFailures = perMinute(failuresPerMinute);
  const grants = perMinute(GRANTS_PER_MINUTE);
  const countRequest = (address: string | undefined) => requests.count(placeOf(address));
  return {
    perAddress: async (c, next) => {
      await countRequest(c.get('clientAddress'));
      await next();
    },
    countRequest,
    countClient: (clientId, address) => clientRequests.count(`${clientId} ${placeOf(address)}`),
    countGrant: (userId) => grants.count(userId),
    countFailure: async (clientId, address) => {
      const place = placeOf(address);
      // First, so that an address that makes up clients has room for so many in memory and no more.
      await failures.count(place);
      await clientFailures.count(`${isClientId(clientId) ? hashed(clientId) : ''} ${place}`);
    },
  };
}

function placeOf(address: string | undefined): string {
  return addressKey(address ?? null);
}

/** A key of one length, whatever was sent. */
function hashed(clientId: string): string {
  return sha256(clientId).toString('base64');
}
