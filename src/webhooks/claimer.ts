/** Claims what is due in all lanes that want more, in one query, and keeps their settings up to date. */
import { openTarget } from './attempt.ts';
import { addClaimed, claimSize, dropReady, type Lane, rateLimit } from './lane.ts';
import {
  type Claim,
  type ClaimRequest,
  claimDue,
  loadSubscriptions,
  type SubscriptionRow,
} from './lane-sql.ts';
import type { Lanes, PumpOptions } from './pump-options.ts';

// Claimed and not yet sent, all lanes together: a bound on memory.
const MAX_READY = 1_000;

/** Makes the function that claims once, and answers whether it asked for anything. */
export function createClaimer(lanes: Lanes, options: PumpOptions): () => Promise<boolean> {
  return async () => {
    const asked = claimRequests(lanes.values());
    if (asked.length === 0) return false;
    const askedLanes = asked.flatMap(({ subscriptionId }) => lanes.get(subscriptionId) ?? []);
    const inFlight = askedLanes.flatMap((lane) => [...lane.unsettled]);
    // Whoever makes a lane hungry while the query runs is heard: it stays hungry.
    for (const { subscriptionId, limit } of asked) {
      const lane = lanes.get(subscriptionId);
      if (lane !== undefined && limit > 0) lane.hungry = false;
    }
    try {
      const claims = await claimDue(options.pool, asked, inFlight, options.clock.now());
      await refresh(lanes, changedLanes(lanes, claims), options);
      const limits = new Map(asked.map(({ subscriptionId, limit }) => [subscriptionId, limit]));
      for (const claim of claims)
        receive(lanes.get(claim.subscriptionId), claim, limits.get(claim.subscriptionId));
      return true;
    } catch (error) {
      for (const lane of askedLanes) lane.hungry = true;
      throw error;
    }
  };
}

/**
 * What the lanes ask for; when there is not room for all of it, each gets an equal share of the room. Lanes that have
 * enough ask for nothing (a limit of 0), but hear how their subscription stands: what they hold of one that was paused,
 * changed or deleted is not sent.
 */
function claimRequests(lanes: Iterable<Lane>): readonly ClaimRequest[] {
  const now = performance.now();
  const all = [...lanes];
  const room = MAX_READY - all.reduce((sum, lane) => sum + lane.ready.length, 0);
  const wanting = all.filter((lane) => claimSize(lane, now) > 0);
  const share = Math.max(1, Math.floor(room / wanting.length));
  // Not even one for each: whoever is left out stays hungry, and those that get something move on meanwhile.
  const claiming = new Set(wanting.slice(0, Math.max(0, room)));
  return all
    .filter((lane) => claiming.has(lane) || lane.ready.length > 0)
    .map((lane) => ({
      organizationId: lane.lease.organizationId,
      subscriptionId: lane.lease.subscriptionId,
      limit: claiming.has(lane) ? Math.min(claimSize(lane, now), share) : 0,
    }));
}

function receive(lane: Lane | undefined, { deliveries }: Claim, limit: number | undefined): void {
  if (lane?.target === undefined) return;
  addClaimed(lane, deliveries);
  if (deliveries.length > 0) lane.quietSince = performance.now();
  if (deliveries.length > 0 && deliveries.length === limit) lane.hungry = true;
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
  lane.version = row.version;
  lane.maxConcurrency = row.maxConcurrency;
  lane.rate = rateLimit(row.rateLimitPerSecond, performance.now());
  try {
    lane.target = row.deleted ? undefined : openTarget(row, options.keys, options.retrySeconds);
  } catch (cause) {
    lane.target = undefined;
    options.onError(new Error(`The secrets of webhook subscription ${row.id} cannot be opened.`, { cause }));
  }
}
