import { buildSchema, parse } from 'graphql';
import { createYoga, isAsyncIterable } from 'graphql-yoga';
import { expect, test } from 'vitest';
import { useSharedEvents } from '../../src/graphql/shared-events.ts';

const schema = buildSchema(`
  type Query { nothing: Int }
  type Item { number: Int, looks: Int, fails: Int }
  type Subscription { deliveryUpdates(after: String): Item, other: Item }
`);
const ITEMS = [1, 2, 3].map(makeItem);
const { deliveryUpdates, other } = schema.getSubscriptionType()?.getFields() ?? {};
for (const field of [deliveryUpdates, other]) {
  if (field === undefined) throw new Error('The schema has both.');
  field.subscribe = async function* stream() {
    yield* ITEMS;
  };
  field.resolve = (item) => item;
}

/** It counts how often it was looked at. */
function makeItem(number: number) {
  let looks = 0;
  return {
    number,
    looks: () => (looks += 1),
    fails: () => {
      looks += 1;
      throw new Error(`look ${looks}`);
    },
  };
}

const yoga = createYoga({ schema, plugins: [useSharedEvents()], maskedErrors: false });
const documents = new Map<string, ReturnType<typeof parse>>();

/** One subscriber's results; the document is parsed once, as the server does. */
async function follow(text: string, variableValues: Record<string, unknown> = {}) {
  const document = documents.get(text) ?? parse(text);
  documents.set(text, document);
  const contextValue = { request: new Request('http://localhost/graphql') };
  const { subscribe } = yoga.getEnveloped(contextValue);
  const stream: unknown = await subscribe({ schema, document, variableValues, contextValue });
  if (!isAsyncIterable(stream)) throw new Error(JSON.stringify(stream));
  const results: unknown[] = [];
  for await (const result of stream) results.push(result);
  return results;
}

const data = (looks: number | undefined) =>
  ITEMS.map(({ number }) => ({ data: { deliveryUpdates: { number, looks } } }));

test('an item is executed once for all who asked in the same words, whatever cursor they came with (webhooks rule 38)', async () => {
  const text = 'subscription ($after: String) { deliveryUpdates(after: $after) { number looks } }';
  expect(await follow(text, { after: 'a' })).toEqual(data(1));
  expect(await follow(text, { after: 'b' })).toEqual(data(1));
  expect(await follow('subscription { deliveryUpdates { number looks } }')).toEqual(data(2));
});

test('not where a variable changes what is selected', async () => {
  const text = 'subscription ($all: Boolean!) { deliveryUpdates { number looks @include(if: $all) } }';
  expect(await follow(text, { all: false })).toEqual(data(undefined));
  expect(await follow(text, { all: true })).toEqual(data(3));
  expect(await follow(text, { all: true })).toEqual(data(4));
});

test('not for another field', async () => {
  const text = 'subscription { other { looks } }';
  const [first, again] = [await follow(text), await follow(text)];
  expect(first).toEqual(ITEMS.map(() => ({ data: { other: { looks: 5 } } })));
  expect(again).toEqual(ITEMS.map(() => ({ data: { other: { looks: 6 } } })));
});

test('nor what failed, which may have been somebody’s own fault', async () => {
  const text = 'subscription { deliveryUpdates { fails } }';
  const messages = (results: readonly unknown[]) => JSON.stringify(results).match(/look \d+/g);
  expect(messages(await follow(text))).toEqual(ITEMS.map(() => 'look 7'));
  expect(messages(await follow(text))).toEqual(ITEMS.map(() => 'look 8'));
});
