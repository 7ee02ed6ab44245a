/** Claims what is due in all lanes that want more, in one query, and keeps their settings up to date. */
import type { Clock } from '../lib/clock.ts';
import { openTarget, type Target } from './attempt.ts';
import { addClaimed, applySettings, claimSize, dropReady, type Lane } from './lane.ts';
import { noteReached, type Reach, reachedBy } from './lane-reach.ts';
import {
  type Claim,
  type ClaimRequest,
  claimDue,
  loadSubscriptions,
  type SubscriptionRow,
} from './lane-sql.ts';
import { goOn } from './lane-walk.ts';
import type { Lanes, PumpOptions } from './pump-options.ts';

// The clocks of processes agree to some milliseconds only. What one of them emits is due for the others at once, too.
const LEEWAY_MS = 20;

// Claimed and not yet sent, by lanes that answer fast, and by the others: a bound on memory.
const MAX_READY = 1_000;

/** Makes the function that claims once, and answers whether it asked for anything. */
export function createClaimer(lanes: Lanes, options: PumpOptions): () => Promise<boolean> {
  return async () => {
    const asked = claimRequests(lanes.values());
    if (asked.length === 0) return false;
    // Whoever makes a lane hungry while the query runs is heard: it stays hungry.
    for (const { lane, request } of asked) {
      lane.claiming = true;
      if (request.limit > 0) lane.hungry = false;
    }
    try {
      const requests = asked.map(({ request }) => request);
      const claims = await claimDue(options.claimPool, requests, inFlight(asked), soon(options.clock));
      await refresh(lanes, changedLanes(lanes, claims), options);
      const bySubscription = new Map(claims.map((claim) => [claim.subscriptionId, claim]));
      for (const one of asked) receive(one, bySubscription.get(one.request.subscriptionId));
      return true;
    } catch (error) {
      for (const { lane } of asked) lane.hungry = true;
      throw error;
    } finally {
      for (const { lane } of asked) lane.claiming = false;
    }
  };
}

type Asked = { readonly lane: Lane; readonly reach: Reach; readonly request: ClaimRequest };

/** What claims from the beginning leave out. */
function inFlight(asked: readonly Asked[]): readonly string[] {
  const fromTheBeginning = asked.filter(({ request }) => request.limit > 0 && request.after === undefined);
  return fromTheBeginning.flatMap(({ lane }) => [...lane.unsettled]);
}

/**
 * What the lanes ask for. Lanes that answer fast share one room and the others another, so that what is claimed for dead
 * targets cannot fill the memory; where there is not room for all of it, each lane gets an equal share, and one that
 * holds nothing gets one delivery in any case. Lanes that have enough ask for nothing (a limit of 0), but hear how their
 * subscription stands: what they hold of one that was paused, changed or deleted is not sent.
 */
function claimRequests(lanes: Iterable<Lane>): readonly Asked[] {
  const now = performance.now();
  const [fast, others] = partition([...lanes], ({ pace }) => pace === 'fast');
  return [...shareRoom(fast, now), ...shareRoom(others, now)];
}

function shareRoom(lanes: readonly Lane[], now: number): readonly Asked[] {
  const room = MAX_READY - lanes.reduce((sum, lane) => sum + lane.ready.length, 0);
  const wanting = lanes.filter((lane) => claimSize(lane, now) > 0).length;
  const share = Math.max(0, Math.floor(room / wanting));
  return lanes.flatMap((lane) => {
    const limit = Math.min(claimSize(lane, now), Math.max(share, lane.ready.length === 0 ? 1 : 0));
    const { organizationId, subscriptionId } = lane.lease;
    const after = reachedBy(lane.reach, now);
    const request = { organizationId, subscriptionId, limit, fromKey: lane.walk?.fromKey, after };
    return limit > 0 || lane.ready.length > 0 ? [{ lane, reach: lane.reach, request }] : [];
  });
}

function partition<T>(all: readonly T[], fits: (value: T) => boolean): readonly [T[], T[]] {
  return [all.filter(fits), all.filter((value) => !fits(value))];
}

function receive({ lane, reach, request: { limit, after } }: Asked, claim: Claim | undefined): void {
  if (lane.target === undefined || claim === undefined) return;
  const { deliveries, walkedTo, reached } = claim;
  const now = performance.now();
  addClaimed(lane, deliveries);
  if (limit > 0 && lane.walk === undefined) noteReached(reach, after, reached, now);
  if (deliveries.length > 0) lane.quietSince = now;
  if (deliveries.length > 0 && deliveries.length >= limit) lane.hungry = true;
  if (limit > 0 && lane.walk !== undefined && goOn(lane.walk, walkedTo, deliveries.length, now))
    lane.hungry = true;
}

function soon({ now }: Clock): Date {
  return new Date(now().getTime() + LEEWAY_MS);
}

function changedLanes(lanes: Lanes, claims: readonly Claim[]): readonly Lane[] {
  return claims.flatMap(({ subscriptionId, version }) => {
    const lane = lanes.get(subscriptionId);
    return lane === undefined || lane.version === version ? [] : [lane];
  });
}

async function refresh(lanes: Lanes, changed: readonly Lane[], options: PumpOptions): Promise<void> {
  if (changed.length === 0) return;
  const rows = await loadSubscriptions(
    options.pool,
    changed.map((lane) => lane.lease),
  );
  for (const row of rows) {
    const lane = lanes.get(row.id);
    if (lane !== undefined) applySubscription(lane, row, options);
  }
}

/** Takes over the settings of the subscription; what was claimed under the old ones is claimed again. */
function applySubscription(lane: Lane, row: SubscriptionRow, options: PumpOptions): void {
  dropReady(lane);
  lane.hungry = true;
  const settings = {
    target: readTarget(row, options),
    version: row.version,
    maxConcurrency: row.maxConcurrency,
    ratePerSecond: row.rateLimitPerSecond,
    isOrdered: row.orderedBy !== null,
  };
  applySettings(lane, settings, performance.now());
}

/** Undefined: it is not to be sent to. */
function readTarget(row: SubscriptionRow, { keys, retrySeconds, onError }: PumpOptions): Target | undefined {
  if (row.deleted) return undefined;
  try {
    return openTarget(row, keys, retrySeconds);
  } catch (cause) {
    onError(new Error(`The secrets of webhook subscription ${row.id} cannot be opened.`, { cause }));
    return undefined;
  }
}
