import { describe, expect, it } from 'vitest';
import type { Target } from '../../src/webhooks/attempt.ts';
import {
  addClaimed,
  claimSize,
  dropReady,
  isFinished,
  isFull,
  isIdle,
  isTrusted,
  type Lane,
  noteEnded,
  noteTime,
  openLane,
  rateLimit,
  settingsOf,
  shortenTurn,
  takeNext,
} from '../../src/webhooks/lane.ts';
import { noteReached, reachedBy } from '../../src/webhooks/lane-reach.ts';
import type { ClaimedDelivery } from '../../src/webhooks/lane-sql.ts';

const LINGER = 500;
const lease = { organizationId: 'o', subscriptionId: 's', job: { id: 'j', retryCount: 0 } };
const target: Target = {
  url: 'https://lms.example/',
  headers: [],
  shownHeaders: [],
  secrets: [],
  retrySeconds: [],
  timeoutMs: undefined,
};

function deliveries(count: number): readonly ClaimedDelivery[] {
  return Array.from({ length: count }, (_, index) => ({
    organizationId: 'o',
    id: `d${index}`,
    subscriptionId: 's',
    eventId: `e${index}`,
    eventType: 'task.completed',
    attemptCount: 0,
    scheduleStart: 0,
    body: '{}',
  }));
}

/** A lane that may send, taken at 0 ms. */
function laneWith(settings: Partial<Lane>, count = 0): Lane {
  const lane = { ...openLane(lease, 0), target, maxConcurrency: 10, pace: 'fast' as const, ...settings };
  addClaimed(lane, deliveries(count));
  return lane;
}

/** Attempts that began at 0 ms. */
function wire(count: number): Map<string, number> {
  return new Map(Array.from({ length: count }, (_, index) => [`w${index}`, 0]));
}

/** Takes until the lane gives nothing more. */
function takeAll(lane: Lane, now: number): number {
  let taken = 0;
  while (takeNext(lane, now) !== undefined) taken += 1;
  return taken;
}

describe('claimSize', () => {
  it('asks for what keeps the lane busy, and no more than 100 ahead', () => {
    expect(claimSize(laneWith({ maxConcurrency: 1 }), 0)).toBe(20);
    expect(claimSize(laneWith({ maxConcurrency: 10 }), 0)).toBe(40);
    expect(claimSize(laneWith({ maxConcurrency: 100 }), 0)).toBe(100);
  });

  it('claims nothing ahead for a receiver that is slow or has not answered yet', () => {
    expect(openLane(lease, 0).pace).toBe('new');
    expect(claimSize(laneWith({ pace: 'new' }), 0)).toBe(10);
    expect(claimSize(laneWith({ pace: 'slow', onWire: wire(7) }, 2), 0)).toBe(1);
    const lane = laneWith({ pace: 'new' });
    noteEnded(lane, 'd0', 1_000);
    expect(lane.pace).toBe('fast');
    noteEnded(lane, 'd0', 1_001);
    expect(lane.pace).toBe('slow');
  });

  it('leaves out what was on the wire when it was lost before, until that is settled', () => {
    const unsettled = new Set(['d0']);
    const lane = openLane(lease, 0, { unsettled });
    expect([...lane.unsettled]).toEqual(['d0']);
    expect(isIdle(lane)).toBe(false);
    unsettled.delete('d0');
    expect(isIdle(lane)).toBe(true);
  });

  it('sends no more than two at once to a receiver that has not answered yet', () => {
    expect(takeAll(laneWith({ pace: 'new' }, 10), 0)).toBe(2);
    expect(takeAll(laneWith({ pace: 'new', maxConcurrency: 1 }, 10), 0)).toBe(1);
    expect(takeAll(laneWith({ pace: 'slow' }, 20), 0)).toBe(10);
  });

  it('takes a receiver for slow that has not answered for a second, before the attempt ends', () => {
    const lane = laneWith({}, 2);
    takeNext(lane, 0);
    noteTime(lane, 1_000);
    expect(lane.pace).toBe('fast');
    noteTime(lane, 1_001);
    expect(lane.pace).toBe('slow');
  });

  it('begins with the pace that it had the last time', () => {
    expect(openLane(lease, 0, { pace: 'slow' }).pace).toBe('slow');
  });

  it('asks for no more than one second of the rate limit', () => {
    expect(claimSize(laneWith({ maxConcurrency: 100, rate: rateLimit(7, 0) }), 0)).toBe(7);
  });

  it('asks for nothing while more than half of it is ready, then for the difference', () => {
    expect(claimSize(laneWith({}, 21), 0)).toBe(0);
    expect(claimSize(laneWith({}, 20), 0)).toBe(20);
  });

  it('asks for nothing when nothing more is expected', () => {
    expect(claimSize(laneWith({ hungry: false }), 0)).toBe(0);
  });

  it('asks for nothing when the lease may be lost', () => {
    expect(claimSize(laneWith({}), 7_999)).toBe(40);
    expect(claimSize(laneWith({}), 8_000)).toBe(0);
  });

  it('asks for nothing when its turn is over, so that it ends', () => {
    expect(claimSize(laneWith({ renewedAt: 600_001 }), 600_001)).toBe(0);
  });
});

describe('takeNext', () => {
  it('takes in the order of the claim', () => {
    const lane = laneWith({}, 3);
    expect([takeNext(lane, 0)?.id, takeNext(lane, 0)?.id, takeNext(lane, 0)?.id]).toEqual(['d0', 'd1', 'd2']);
    expect(takeNext(lane, 0)).toBeUndefined();
  });

  it('never takes beyond the concurrency (webhooks rule 19)', () => {
    const lane = laneWith({ maxConcurrency: 3 }, 10);
    expect(takeAll(lane, 0)).toBe(3);
    noteEnded(lane, 'd0', 1);
    expect(takeAll(lane, 0)).toBe(1);
  });

  it('takes nothing before the subscription is loaded, or when it is not to be sent to', () => {
    expect(takeNext(laneWith({ target: undefined }, 1), 0)).toBeUndefined();
  });

  it('takes nothing after a freeze that may have cost the lane, and goes on when the lease was renewed (webhooks rule 15)', () => {
    const lane = laneWith({}, 1);
    expect(takeNext(lane, 8_000)).toBeUndefined();
    expect(isTrusted(lane, 8_000)).toBe(false);
    lane.renewedAt = 8_000;
    expect(takeNext(lane, 8_001)?.id).toBe('d0');
  });
});

describe('the rate limit (webhooks rule 19)', () => {
  it('lets one second through at once, then as much as time gives', () => {
    const lane = laneWith({ maxConcurrency: 1_000, rate: rateLimit(5, 0) }, 100);
    expect(takeAll(lane, 0)).toBe(5);
    expect(takeAll(lane, 199)).toBe(0);
    expect(takeAll(lane, 200)).toBe(1);
    expect(takeAll(lane, 1_000)).toBe(4);
  });

  it('saves up no more than one second', () => {
    const lane = laneWith({ maxConcurrency: 1_000, rate: rateLimit(5, 0), renewedAt: 100_000 }, 100);
    expect(takeAll(lane, 100_000)).toBe(5);
  });

  it('never gives more than the rate and one second more, however often it is asked', () => {
    const lane = laneWith({ maxConcurrency: 1_000, rate: rateLimit(10, 0) }, 1_000);
    let taken = 0;
    for (let now = 0; now <= 5_000; now += 7) taken += takeAll(lane, now);
    expect(taken).toBeLessThanOrEqual(60);
    expect(taken).toBeGreaterThanOrEqual(58);
  });

  it('spends nothing on what could not be sent anyway', () => {
    const lane = laneWith({ maxConcurrency: 1, onWire: wire(1), rate: rateLimit(2, 0) }, 5);
    expect(takeAll(lane, 0)).toBe(0);
    lane.maxConcurrency = 10;
    expect(takeAll(lane, 0)).toBe(2);
  });

  it('holds across changes of the subscription: what is spent stays spent', () => {
    const rate = rateLimit(5, 0);
    const lane = laneWith({ maxConcurrency: 1_000, rate }, 100);
    expect(takeAll(lane, 0)).toBe(5);
    lane.rate = rateLimit(5, 0, rate);
    expect(takeAll(lane, 0)).toBe(0);
    lane.rate = rateLimit(7, 0, lane.rate);
    expect(takeAll(lane, 0)).toBe(2);
  });

  it('holds across turns: a lane is given back when its bucket is full again, not before', () => {
    const lane = laneWith({ hungry: false, turnEndsAt: 0, rate: rateLimit(5, 0) }, 5);
    expect(takeAll(lane, 1)).toBe(5);
    lane.unsettled.clear();
    expect(isFinished(lane, 1_000, LINGER)).toBe(false);
    expect(isFinished(lane, 1_001, LINGER)).toBe(true);
  });

  it('is none for null', () => {
    expect(rateLimit(null, 0)).toBeUndefined();
    expect(takeAll(laneWith({ maxConcurrency: 1_000 }, 500), 0)).toBe(500);
  });
});

describe('a lane that is taken again', () => {
  const settings = { target, version: 7, maxConcurrency: 3, ratePerSecond: 5, isOrdered: true };

  it('begins with what was known of it when it was given back, and a full bucket', () => {
    const lane = openLane(lease, 0, { settings });
    expect(settingsOf(lane)).toEqual(settings);
    addClaimed(lane, deliveries(9));
    expect(takeAll(lane, 0)).toBe(2);
    expect(settingsOf(openLane(lease, 0, { settings: settingsOf(lane) }))).toEqual(settings);
    expect(isFull(openLane(lease, 0, { settings: settingsOf(lane) }).rate, 0)).toBe(true);
  });

  it('sends nothing while nothing is known of it: its version is none that a claim tells', () => {
    const lane = openLane(lease, 0);
    addClaimed(lane, deliveries(1));
    expect(takeNext(lane, 0)).toBeUndefined();
    expect(lane.version).toBe(0);
  });
});

describe('the end of a turn', () => {
  it('never comes while something is on the wire or not settled', () => {
    const lane = laneWith({ hungry: false }, 1);
    takeNext(lane, 0);
    expect(isIdle(lane)).toBe(false);
    expect(isFinished(lane, 1_000_000, LINGER)).toBe(false);
    lane.unsettled.delete('d0');
    expect(isFinished(lane, 1_000_000, LINGER)).toBe(true);
  });

  it('comes a moment after the lane ran dry, not while more is expected', () => {
    expect(isFinished(laneWith({ hungry: false }), 500, LINGER)).toBe(false);
    expect(isFinished(laneWith({ hungry: false }), 501, LINGER)).toBe(true);
    expect(isFinished(laneWith({ hungry: true }), 501, LINGER)).toBe(false);
  });

  it('never comes while a claim looks: what it finds needs the lane', () => {
    expect(isFinished(laneWith({ hungry: false, claiming: true }), 1_000_000, 0)).toBe(false);
  });

  it('comes at once to a dry lane, and to one that had five seconds, when others wait for room', () => {
    expect(isFinished(laneWith({ hungry: false }), 1, 0)).toBe(true);
    const lane = laneWith({}, 3);
    shortenTurn(lane, 5_000);
    expect(claimSize(lane, 5_000)).toBe(40 - 3);
    shortenTurn(lane, 5_001);
    expect(claimSize(lane, 5_001)).toBe(0);
    expect(takeNext(lane, 5_001)).toBeUndefined();
    expect(isFinished(lane, 5_001, LINGER)).toBe(true);
  });

  it('comes when the lease may be lost', () => {
    expect(isFinished(laneWith({}), 8_000, LINGER)).toBe(true);
  });

  it('claims from the beginning again what was claimed and not sent', () => {
    const lane = laneWith({}, 3);
    noteReached(lane.reach, undefined, { dueAt: new Date(3), id: 'd2' }, 0);
    dropReady(lane);
    expect(reachedBy(lane.reach, 1)).toBeUndefined();
  });

  it('leaves in the database what was claimed and not sent', () => {
    const lane = laneWith({}, 3);
    takeNext(lane, 0);
    dropReady(lane);
    expect([...lane.unsettled]).toEqual(['d0']);
    expect(lane.ready).toEqual([]);
  });
});
