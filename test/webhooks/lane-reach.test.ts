import { describe, expect, it } from 'vitest';
import { beginReach, noteReached, reachedBy } from '../../src/webhooks/lane-reach.ts';

const place = (dueAt: number) => ({ dueAt: new Date(dueAt), id: 'd' });

describe('how far a lane has claimed', () => {
  it('is nowhere at first', () => {
    expect(reachedBy(beginReach(), 0)).toBeUndefined();
  });

  it('is where the last claim ended', () => {
    const reach = beginReach();
    noteReached(reach, undefined, place(1), 0);
    noteReached(reach, place(1), place(2), 10);
    expect(reachedBy(reach, 20)).toEqual(place(2));
  });

  it('is nowhere once nothing more is due: what comes late is found by the next claim', () => {
    const reach = beginReach();
    noteReached(reach, undefined, place(1), 0);
    noteReached(reach, place(1), undefined, 10);
    expect(reachedBy(reach, 20)).toBeUndefined();
  });

  it('is nowhere a second after it began, however far claims went on: what comes late waits no longer', () => {
    const reach = beginReach();
    noteReached(reach, undefined, place(1), 500);
    noteReached(reach, place(1), place(2), 1_400);
    expect(reachedBy(reach, 1_499)).toEqual(place(2));
    expect(reachedBy(reach, 1_500)).toBeUndefined();
    noteReached(reach, undefined, place(1), 1_500);
    expect(reachedBy(reach, 2_499)).toEqual(place(1));
  });
});
