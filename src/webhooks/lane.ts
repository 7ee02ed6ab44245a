/**
 * A lane: one subscription, pumped by one worker at a time. That its limits hold across all workers follows from
 * that: they are decided here, in the memory of the one that has it.
 */
import type { LaneLease } from '../platform/jobs.ts';
import type { Target } from './attempt.ts';
import { beginReach, type Reach } from './lane-reach.ts';
import type { ClaimedDelivery } from './lane-sql.ts';
import { beginWalk, noteNews, type Walk } from './lane-walk.ts';

export type Lane = {
  readonly lease: LaneLease;
  /** Undefined: not loaded yet, or not to be sent to. */
  target: Target | undefined;
  /** The version of the subscription that `target` was made of. */
  version: number;
  maxConcurrency: number;
  rate: RateLimit | undefined;
  /** Undefined: its deliveries have no order. */
  walk: Walk | undefined;
  reach: Reach;
  /** Claimed and not yet sent. */
  ready: ClaimedDelivery[];
  /** Attempts on the wire, by delivery: when each began, first one first. Milliseconds of the monotonic clock. */
  readonly onWire: Map<string, number>;
  /** Claimed and not yet settled: what a claim must leave out. */
  readonly unsettled: Set<string>;
  /** A claim may find more. */
  hungry: boolean;
  /** A claim looks for it now, and may find something. */
  claiming: boolean;
  pace: Pace;
  /** Milliseconds of the monotonic clock. */
  readonly openedAt: number;
  turnEndsAt: number;
  renewedAt: number;
  quietSince: number;
};

/**
 * How the receiver answered lately; `new`: not yet. Each pace has its share of the process, so that however many
 * targets are dead, the others go on; and only a fast lane claims ahead.
 */
export type Pace = 'new' | 'fast' | 'slow';

/** A bucket that fills with `perSecond` tokens a second and holds one second's worth. */
export type RateLimit = { readonly perSecond: number; tokens: number; filledAt: number };

const MAX_AHEAD = 100;
const SLOW_MS = 1_000;
// Enough to learn how it answers.
const NEW_CONCURRENCY = 2;
// Less than the heartbeat of the lane's job: whoever was frozen longer may have lost its lane without knowing.
const TRUSTED_MS = 8_000;

// Well below the time after which pg-boss gives an active job up.
const MAX_TURN_MS = 600_000;
// While lanes wait for which there is no room.
const SHORT_TURN_MS = 5_000;

/** What of a subscription decides how its lane is sent to. */
export type LaneSettings = Pick<Lane, 'target' | 'version' | 'maxConcurrency'> & {
  readonly ratePerSecond: number | null;
  readonly isOrdered: boolean;
};

/** What a process knows of a lane from the last time it had it. */
export type LaneMemory = {
  readonly pace?: Pace | undefined;
  /** Should they be old by now, the first claim tells. */
  readonly settings?: LaneSettings | undefined;
  /** What was on the wire when the lane was lost. */
  readonly unsettled?: Set<string> | undefined;
};

/** A lane as it is taken. */
export function openLane(
  lease: LaneLease,
  now: number,
  { pace = 'new', settings = UNKNOWN, unsettled }: LaneMemory = {},
): Lane {
  const lane: Lane = {
    lease,
    target: undefined,
    version: 0,
    maxConcurrency: 10,
    rate: undefined,
    walk: undefined,
    reach: beginReach(),
    ready: [],
    onWire: new Map(),
    unsettled: unsettled ?? new Set(),
    hungry: true,
    claiming: false,
    pace,
    openedAt: now,
    turnEndsAt: now + MAX_TURN_MS,
    renewedAt: now,
    quietSince: now,
  };
  applySettings(lane, settings, now);
  return lane;
}

const UNKNOWN: LaneSettings = {
  target: undefined,
  version: 0,
  maxConcurrency: 10,
  ratePerSecond: null,
  isOrdered: false,
};

/** Takes over settings. What was claimed under other ones is to be claimed again. */
export function applySettings(lane: Lane, settings: LaneSettings, now: number): void {
  lane.target = settings.target;
  lane.version = settings.version;
  lane.maxConcurrency = settings.maxConcurrency;
  lane.rate = rateLimit(settings.ratePerSecond, now, lane.rate);
  lane.walk = settings.isOrdered ? beginWalk() : undefined;
}

/** The settings that the lane has. */
export function settingsOf({ target, version, maxConcurrency, rate, walk }: Lane): LaneSettings {
  return {
    target,
    version,
    maxConcurrency,
    ratePerSecond: rate?.perSecond ?? null,
    isOrdered: walk !== undefined,
  };
}

/** How many deliveries the lane wants to claim now; 0 while enough of them are ready or nothing more is expected. */
export function claimSize(lane: Lane, now: number): number {
  if (!lane.hungry || !isTrusted(lane, now) || isTurnOver(lane, now)) return 0;
  if (lane.walk !== undefined && now < lane.walk.restsUntil) return 0;
  if (lane.pace !== 'fast') return Math.max(0, lane.maxConcurrency - lane.onWire.size - lane.ready.length);
  const ahead = Math.min(MAX_AHEAD, Math.max(20, lane.maxConcurrency * 4), lane.rate?.perSecond ?? MAX_AHEAD);
  return lane.ready.length > ahead / 2 ? 0 : ahead - lane.ready.length;
}

/** Takes the next delivery that may be sent now: within the lane's concurrency, rate, and lease. */
export function takeNext(lane: Lane, now: number): ClaimedDelivery | undefined {
  if (lane.target === undefined || lane.onWire.size >= concurrency(lane) || lane.ready.length === 0)
    return undefined;
  if (!isTrusted(lane, now) || !takeToken(lane.rate, now)) return undefined;
  const delivery = lane.ready.shift();
  if (delivery !== undefined) lane.onWire.set(delivery.id, now);
  return delivery;
}

/** Notes that the attempt of a delivery ended after `totalMs`. */
export function noteEnded(lane: Lane, deliveryId: string, totalMs: number): void {
  lane.onWire.delete(deliveryId);
  lane.pace = totalMs > SLOW_MS ? 'slow' : 'fast';
}

/** Notes what shows before an attempt ends: one that has taken long by now is slow, however it will end. */
export function noteTime(lane: Lane, now: number): void {
  const [oldest] = lane.onWire.values();
  if (oldest !== undefined && now - oldest > SLOW_MS) lane.pace = 'slow';
}

/** Notes that a claim may find more. */
export function makeHungry(lane: Lane): void {
  lane.hungry = true;
  if (lane.walk !== undefined) noteNews(lane.walk);
}

/** Puts what was claimed into the lane, but for what it has already. */
export function addClaimed(lane: Lane, deliveries: readonly ClaimedDelivery[]): void {
  for (const delivery of deliveries) {
    if (lane.unsettled.has(delivery.id)) continue;
    lane.unsettled.add(delivery.id);
    lane.ready.push(delivery);
  }
}

/** Forgets what was claimed and not sent; it is still in the database. */
export function dropReady(lane: Lane): void {
  for (const delivery of lane.ready) lane.unsettled.delete(delivery.id);
  lane.ready = [];
  lane.reach = beginReach();
}

/** Whether nothing is claimed, on the wire or waiting to be settled. */
export function isIdle(lane: Lane): boolean {
  return lane.unsettled.size === 0;
}

/** Whether the lease was renewed so lately that nobody else can have the lane. */
export function isTrusted(lane: Lane, now: number): boolean {
  return now - lane.renewedAt < TRUSTED_MS;
}

/**
 * Whether the lane is to be given back: dry for a while, or its turn is over, or it may no longer be ours. Not before its
 * bucket is full again, which takes a second at most: so whoever opens it next may begin with a full one.
 * A lane that has run dry is kept for `lingerMs`: what is emitted meanwhile needs no job to be fetched.
 */
export function isFinished(lane: Lane, now: number, lingerMs: number): boolean {
  if (lane.claiming || !isIdle(lane) || !isFull(lane.rate, now)) return false;
  const isDry = !lane.hungry && now - lane.quietSince > lingerMs;
  return isDry || isTurnOver(lane, now) || !isTrusted(lane, now);
}

/** Whether the lane claims nothing more and ends as soon as what is on the wire is settled. */
export function isTurnOver(lane: Lane, now: number): boolean {
  return now > lane.turnEndsAt;
}

/** Ends the turn of a lane that has had it for a while, because others wait. */
export function shortenTurn(lane: Lane, now: number): void {
  if (now - lane.openedAt <= SHORT_TURN_MS) return;
  lane.turnEndsAt = Math.min(lane.turnEndsAt, now - 1);
  dropReady(lane);
}

/** A bucket for `perSecond`, full; undefined for no limit. What an earlier bucket of the lane has spent stays spent. */
export function rateLimit(perSecond: number | null, now: number, earlier?: RateLimit): RateLimit | undefined {
  if (perSecond === null) return undefined;
  const missing = earlier === undefined ? 0 : earlier.perSecond - fill(earlier, now);
  return { perSecond, tokens: Math.max(0, perSecond - missing), filledAt: now };
}

/** Whether the bucket is as if nothing had been sent. */
export function isFull(rate: RateLimit | undefined, now: number): boolean {
  return rate === undefined || fill(rate, now) >= rate.perSecond;
}

function concurrency({ pace, maxConcurrency }: Lane): number {
  return pace === 'new' ? Math.min(NEW_CONCURRENCY, maxConcurrency) : maxConcurrency;
}

function takeToken(rate: RateLimit | undefined, now: number): boolean {
  if (rate === undefined) return true;
  if (fill(rate, now) < 1) return false;
  rate.tokens -= 1;
  return true;
}

/** Puts in what time has given since it was filled last; answers the tokens. */
function fill(rate: RateLimit, now: number): number {
  rate.tokens = Math.min(rate.perSecond, rate.tokens + ((now - rate.filledAt) * rate.perSecond) / 1_000);
  rate.filledAt = now;
  return rate.tokens;
}
