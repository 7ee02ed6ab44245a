/** What an operation can cost, before it is executed (GraphQL convention 7). */
import { getIntrospectionQuery, isListType, isNonNullType, isObjectType, isScalarType, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { type Cost, createCostEstimate } from '../../../src/graphql/limits/cost.ts';
import { LIST_SIZES, SURCHARGES } from '../../../src/graphql/limits/prices.ts';
import { createSchema } from '../../../src/graphql/schema.ts';

const schema = createSchema();
const estimate = createCostEstimate();

function costOf(query: string, variables?: Record<string, unknown>, operationName?: string): Cost {
  return estimate({ schema, document: parse(query), variables, operationName });
}
const points = (query: string, variables?: Record<string, unknown>): number =>
  costOf(query, variables).points;

describe('An operation costs', () => {
  test('one point, and one for each object; scalars are free', () => {
    expect(points('{ __typename }')).toBe(1);
    expect(points('{ viewer { role scopes } }')).toBe(2);
    expect(points('{ viewer { role organization { id name slug } } }')).toBe(3);
  });

  test('the size of a page times what is in it, beside the connection itself', () => {
    // The operation, the organization, the connection, 50 deliveries.
    expect(points('{ organization { deliveries(first: 50) { nodes { id } } } }')).toBe(53);
    expect(points('{ organization { deliveries(last: 7) { nodes { id } } } }')).toBe(10);
    expect(points('{ organization { deliveries { nodes { id } } } }')).toBe(23);
    expect(points('{ organization { deliveries(first: 5) { edges { cursor node { id } } } } }')).toBe(13);
    expect(points('{ organization { deliveries(first: 5) { pageInfo { hasNextPage } } } }')).toBe(4);
  });

  test('the product of pages within pages', () => {
    const query = `{ organization { webhookSubscriptions(first: 10) { nodes { deliveries(first: 10) { nodes {
      attempts(first: 10) { number } } } } } } }`;
    // 10 subscriptions, each with a connection of 10 deliveries, each with 10 attempts.
    expect(points(query)).toBe(1 + 1 + 1 + 10 * (1 + 1 + 10 * (1 + 10)));
  });

  test('what the sizes in variables say, or their defaults', () => {
    const query = 'query ($n: Int = 30) { organization { deliveries(first: $n) { nodes { id } } } }';
    expect(points(query, { n: 4 })).toBe(7);
    expect(points(query, { n: 80 })).toBe(83);
    expect(points(query)).toBe(33);
    expect(points(query, { n: 'many' })).toBe(23);
  });

  test('as much as 100 items where more are asked for, or none for less than none: both are refused later', () => {
    expect(points('{ organization { deliveries(first: 2147483647) { nodes { id } } } }')).toBe(103);
    expect(points('{ organization { deliveries(first: -5) { nodes { id } } } }')).toBe(3);
  });

  test('one point for each id or event that is given', () => {
    expect(points('{ nodes(ids: ["a", "b", "c"]) { id } }')).toBe(4);
    expect(points('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', 'b'] })).toBe(3);
    const emit = `mutation ($input: EmitEventsInput!) { emitEvents(input: $input) {
      ... on EmitEventsPayload { events { event { id } } } } }`;
    expect(points(emit, { input: { events: [{}, {}, {}] } })).toBe(10 + 1 + 3 * 2);
  });

  test('what is dearer than an object: bodies, counts, the schema', () => {
    expect(points('{ organization { events(first: 3) { nodes { body data } } } }')).toBe(3 + 3 * 101);
    expect(points('{ organization { events(first: 0) { totalCount { value } } } }')).toBe(24);
    expect(points(getIntrospectionQuery())).toBe(201);
  });

  test('ten at least, if it writes or opens a stream', () => {
    expect(points('subscription { deliveryUpdates { __typename } }')).toBe(11);
    expect(points('mutation { cancelDelivery(input: { id: "x" }) { __typename } }')).toBe(11);
  });

  test('the dearest type of an abstract one, not all of them together', () => {
    const query = `{ node(id: "x") {
      ... on Organization { deliveries(first: 5) { nodes { id } } }
      ... on WebhookSubscription { deliveries(first: 9) { nodes { id } } } } }`;
    expect(points(query)).toBe(2 + 1 + 9);
  });

  test('once what is selected twice under one name, and twice under two', () => {
    const page = (alias: string) => `${alias} deliveries(first: 9) { nodes { id } }`;
    expect(points(`{ organization { ${page('')} } organization { ${page('')} } }`)).toBe(12);
    expect(points(`{ organization { ${page('a:')} ${page('b:')} } }`)).toBe(22);
    const fragment = `fragment f on Organization { ${page('')} }`;
    expect(points(`{ organization { ...f ...f } } ${fragment}`)).toBe(12);
  });

  test('nothing for what @skip and @include leave out', () => {
    const query = `query ($more: Boolean!) { organization {
      deliveries(first: 50) @include(if: $more) { nodes { id } }
      events(first: 50) @skip(if: true) { nodes { id } } } }`;
    expect(points(query, { more: false })).toBe(2);
    expect(points(query, { more: true })).toBe(53);
  });

  test('that of the operation that is meant', () => {
    const query = 'query A { viewer { role } } query B { viewer { organization { id } } }';
    expect(costOf(query, {}, 'A').points).toBe(2);
    expect(costOf(query, {}, 'B').points).toBe(3);
  });
});

test('The dearest field is the one that most of it is for', () => {
  const query = `{ viewer { role } organization { slug webhookSubscriptions(first: 50) { nodes {
    health { consecutiveFailures } all: deliveries(first: 90) { nodes { id } } } } } }`;
  expect(costOf(query).dearest.join('.')).toBe('organization.webhookSubscriptions.nodes.all.nodes');
});

test('Fragments that branch at every level are reckoned all the same', () => {
  // 3 to the power of 40 selections, if each were reckoned wherever it is spread: this test would never end.
  const levels = Array.from({ length: 40 }, (_, index) => {
    const next = index === 39 ? 'id' : `...f${index + 1}`;
    return `fragment f${index} on Delivery { replayOf { ${next} } event { deliveries(first: 2) { ${next} } }
      subscription { deliveries(first: 2) { nodes { ${next} } } } }`;
  });
  const query = `{ organization { deliveries(first: 1) { nodes { ...f0 } } } } ${levels.join(' ')}`;
  expect(points(query)).toBeGreaterThan(1e12);
});

describe('The price list', () => {
  const fields = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.startsWith('__')
      ? Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, type, field }))
      : [],
  );

  test('knows the size of every list of objects that no argument bounds', () => {
    const lists = fields.filter(({ type, field }) => {
      const list = isNonNullType(field.type) ? field.type.ofType : field.type;
      if (!isListType(list)) return false;
      const item = isNonNullType(list.ofType) ? list.ofType.ofType : list.ofType;
      const isInPage = /(Connection|EmitEventsPayload)$/.test(type.name);
      return !isScalarType(item) && !isInPage && !field.args.some(({ name }) => /^(first|ids)$/.test(name));
    });
    expect(lists.map(({ name }) => name).toSorted()).toEqual(Object.keys(LIST_SIZES).toSorted());
  });

  test('names no field that is not there', () => {
    const known = new Set([
      ...fields.map(({ name }) => name),
      ...fields.map(({ field }) => `*.${field.name}`),
    ]);
    const unknown = Object.keys(SURCHARGES).filter(
      (name) => !known.has(name) && !name.startsWith('Query.__'),
    );
    expect(unknown).toEqual([]);
  });
});
