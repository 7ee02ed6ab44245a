import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmittedEvent, type EventInput, emitEvents } from '../../src/events/emit.ts';
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
  organizationId = await world.createOrganization();
});
afterAll(() => world.close());

const emit = (input: EventInput): Promise<readonly EmittedEvent[]> =>
  emitEvents(world.context(organizationId), [input]);
const countEvents = () => world.query('SELECT count(*)::int AS events FROM events');

describe('what no event may be, whichever door it comes through', () => {
  const deep = (levels: number): unknown => (levels === 0 ? 'end' : { a: deep(levels - 1) });

  it('has at most 64 levels of data', async () => {
    const { type, data } = exampleEvent();
    await expect(emit({ type, data: { ...data, more: deep(63) } })).resolves.toHaveLength(1);
    for (const levels of [64, 5_000]) {
      await expect(emit({ type, data: { ...data, more: deep(levels) } })).rejects.toMatchObject({
        code: 'VALIDATION',
        faults: [{ path: ['data'], message: 'Expected at most 64 levels.' }],
      });
    }
  });

  it.each([
    ['before 1970', '1969-12-31T23:59:59.999Z'],
    ['before our era', '0000-01-01T00:00:00+23:00'],
    ['after 9999', '9999-12-31T23:59:59-23:00'],
  ])('occurred %s', async (_, time) => {
    const before = await countEvents();
    await expect(emit({ ...exampleEvent(), occurredAt: new Date(time) })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['occurred_at'], message: 'Expected a time of the years 1970 to 9999.' }],
    });
    expect(await countEvents()).toEqual(before);
  });
});

describe('an idempotency key (webhooks rule 2)', () => {
  const { type, data } = exampleEvent();
  const turned = Object.fromEntries(Object.entries(data).toReversed());
  const idempotencyKey = 'key';

  it('knows data by what it says, not by the order in which it says it', async () => {
    const more = { a: [1, { x: 1, y: 2 }], b: null };
    const [first] = await emit({ type, idempotencyKey, data: { ...data, more } });
    const again = { more: { b: null, a: [1, { y: 2, x: 1 }] }, ...turned };
    expect(await emit({ type, idempotencyKey, data: again })).toMatchObject([
      { id: first?.id, deduplicated: true },
    ]);
  });

  it('does not take a list in another order for the same', async () => {
    const more = { b: null, a: [{ y: 2, x: 1 }, 1] };
    await expect(emit({ type, idempotencyKey, data: { ...data, more } })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});

describe('canonical JSON', () => {
  it.each([
    [{ b: 1, a: [{ d: null, c: 'x' }] }, '{"a":[{"c":"x","d":null}],"b":1}'],
    [JSON.parse('{"__proto__":{"b":1,"a":2},"A":0}'), '{"A":0,"__proto__":{"a":2,"b":1}}'],
    [['b', 'a'], '["b","a"]'],
    ['text', '"text"'],
    [null, 'null'],
  ])('of %j sorts the members of objects, and nothing else', (value, json) => {
    expect(canonicalJson(value)).toBe(json);
  });
});
