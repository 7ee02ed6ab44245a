import { describe, expect, it } from 'vitest';
import { type Recorded, reckon, type Seen } from './reckoning.ts';

const delivery = (changes: Partial<Recorded> = {}): Recorded => ({
  id: 'd1',
  eventId: 'e1',
  subscriptionId: 's1',
  status: 'SUCCEEDED',
  attemptCount: 1,
  version: 2,
  attempts: [1],
  updates: [1, 2],
  ...changes,
});
const request = (changes: Partial<Seen> = {}): Seen => ({
  deliveryId: 'd1',
  at: 1,
  answeredAt: 2,
  status: 200,
  ...changes,
});
const EMITTED = [{ eventId: 'e1', subscriptionIds: ['s1'] }];
const BALANCED = { lost: [], stuck: [], miscounted: [], repeated: [] };

describe('the reckoning', () => {
  it('balances when everything was delivered once', () => {
    expect(reckon(EMITTED, [delivery()], [request()])).toEqual({
      ...BALANCED,
      deliveries: 1,
      attempts: 1,
      requests: 1,
    });
  });

  it('balances when a failed attempt was followed by a good one', () => {
    const recorded = delivery({ attemptCount: 2, attempts: [1, 2], version: 3, updates: [1, 2, 3] });
    expect(reckon(EMITTED, [recorded], [request({ status: 503 }), request()])).toMatchObject(BALANCED);
  });

  it.each<[string, readonly Recorded[], readonly Seen[], object]>([
    ['a committed event without its delivery', [], [], { lost: ['e1 s1'] }],
    ['a success that the receiver never saw', [delivery()], [], { lost: ['d1'] }],
    ['a success that the receiver refused', [delivery()], [request({ status: 500 })], { lost: ['d1'] }],
    ['a delivery that waits for ever', [delivery({ status: 'RETRYING' })], [request()], { stuck: ['d1'] }],
    [
      'an attempt that was recorded twice',
      [delivery({ attempts: [1, 1] })],
      [request()],
      { miscounted: ['d1'] },
    ],
    [
      'a change that is not in the update log',
      [delivery({ updates: [1] })],
      [request()],
      { miscounted: ['d1'] },
    ],
    ['a request that was not recorded', [delivery()], [request(), request()], { repeated: ['d1'] }],
  ])('notices %s', (_what, recorded, seen, expected) => {
    expect(reckon(EMITTED, recorded, seen)).toMatchObject({ ...BALANCED, ...expected });
  });

  it('takes a second request within an attempt for what it is where the receiver broke the first one off', () => {
    const broken = request({ status: undefined });
    expect(reckon(EMITTED, [delivery()], [broken, request()])).toMatchObject(BALANCED);
  });
});
