/** Mutations that emit events (GraphQL conventions 3, 4, 6): a payload or typed errors, nothing done by halves. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { createSubscription, DELETE } from './operations.ts';
import { execute, kindOf, read, startServer, type TestServer } from './support.ts';
import { NORTH, SOUTH } from './viewers.ts';

const EMIT = graphql(`
  mutation Emit($input: EmitEventInput!) {
    emitEvent(input: $input) {
      __typename
      ... on EmitEventPayload { eventId type deliveryCount deduplicated event { id idempotencyKey occurredAt } }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
      ... on ForbiddenError { requiredScope }
    }
  }
`);

const EMIT_MANY = graphql(`
  mutation EmitMany($input: EmitEventsInput!) {
    emitEvents(input: $input) {
      __typename
      ... on EmitEventsPayload { events { eventId type deliveryCount deduplicated } }
      ... on ValidationError { faults { path message } }
    }
  }
`);

const BADGE = {
  type: 'badge.earned',
  data: { user_id: 'ada', badge_id: 'b', badge_name: 'Naturalist', earned_at: '2026-11-23T09:00:00Z' },
};

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('emitEvent', () => {
  test('stores the event with its deliveries and wakes their lanes', async () => {
    const { subscription } = await createSubscription(server, { eventTypes: ['badge.earned'] });
    server.woken.length = 0;
    const { emitEvent } = await read(server, 'north', EMIT, { input: BADGE });
    expect(emitEvent).toEqual({
      __typename: 'EmitEventPayload',
      eventId: expect.any(String),
      type: 'badge.earned',
      deliveryCount: 1,
      deduplicated: false,
      event: { id: expect.any(String), idempotencyKey: null, occurredAt: '2026-11-23T09:30:00.000Z' },
    });
    expect(server.woken).toEqual([NORTH]);
    await read(server, 'north', DELETE, { input: { id: subscription.id } });
  });

  test('answers the first event for the same idempotency key (webhooks rule 2)', async () => {
    const input = { ...BADGE, idempotencyKey: 'once' };
    const { emitEvent: first } = await read(server, 'north', EMIT, { input });
    const { emitEvent: second } = await read(server, 'north', EMIT, { input });
    expect(first).toMatchObject({ deduplicated: false });
    expect(second).toMatchObject({ deduplicated: true, eventId: 'eventId' in first ? first.eventId : '' });
    const { emitEvent: other } = await read(server, 'north', EMIT, {
      input: { ...input, occurredAt: '2020-01-01T00:00:00Z' },
    });
    expect(other).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringMatching(/idempotency key/),
    });
  });

  test('names what does not fit, with paths into the input (webhooks rule 3)', async () => {
    const data = { ...BADGE.data, user_id: '', badge_name: 7 };
    const { emitEvent } = await read(server, 'north', EMIT, { input: { type: 'badge.earned', data } });
    expect(emitEvent).toMatchObject({
      __typename: 'ValidationError',
      message: expect.stringMatching(/^input\.data\.user_id: /),
      faults: [{ path: ['input', 'data', 'user_id'] }, { path: ['input', 'data', 'badge_name'] }],
    });
    const { emitEvent: unknown } = await read(server, 'north', EMIT, { input: { type: 'x', data: {} } });
    expect(unknown).toMatchObject({ faults: [{ path: ['input', 'type'] }] });
    const { emitEvent: keyed } = await read(server, 'north', EMIT, {
      input: { ...BADGE, idempotencyKey: '' },
    });
    expect(keyed).toMatchObject({ faults: [{ path: ['input', 'idempotencyKey'] }] });
  });

  test('says that an event is too large', async () => {
    const data = { ...BADGE.data, more: 'x'.repeat(300_000) };
    const { emitEvent } = await read(server, 'north', EMIT, { input: { ...BADGE, data } });
    expect(emitEvent).toMatchObject({
      __typename: 'PayloadTooLargeError',
      message: expect.stringMatching(/256 KiB/),
    });
  });

  test('is refused without the scope, which the error names', async () => {
    const { emitEvent } = await read(server, 'north-reader', EMIT, { input: BADGE });
    expect(emitEvent).toEqual({
      __typename: 'ForbiddenError',
      message: 'This needs the scope write:events.',
      requiredScope: 'write:events',
    });
  });

  test('is refused for a role that may not', async () => {
    const { emitEvent } = await read(server, 'north-student-token', EMIT, { input: BADGE });
    expect(emitEvent).toMatchObject({ __typename: 'ForbiddenError', requiredScope: null });
  });

  test('does not know another organization (convention 6)', async () => {
    const input = { ...BADGE, organizationId: globalId('Organization', SOUTH) };
    expect(kindOf((await read(server, 'north', EMIT, { input })).emitEvent)).toBe('NotFoundError');
    const own = { ...BADGE, organizationId: globalId('Organization', NORTH) };
    expect(kindOf((await read(server, 'north', EMIT, { input: own })).emitEvent)).toBe('EmitEventPayload');
  });

  test('is done although its answer shows less to a token with write:events alone', async () => {
    const { data, errors } = await execute(server, 'north-emitter', EMIT, { input: BADGE });
    expect(data?.emitEvent).toMatchObject({ __typename: 'EmitEventPayload', event: null });
    expect(errors?.[0]?.extensions).toEqual({ code: 'FORBIDDEN', requiredScope: 'read:webhooks' });
  });

  test('without credentials is 401 with a challenge, not a typed error', async () => {
    const { status, headers, data, errors } = await execute(server, undefined, EMIT, { input: BADGE });
    expect({ status, data }).toEqual({ status: 401, data: null });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="test"');
    expect(errors?.[0]?.extensions?.['code']).toBe('UNAUTHENTICATED');
  });
});

describe('emitEvents', () => {
  test('stores all in one go', async () => {
    const { emitEvents } = await read(server, 'north', EMIT_MANY, { input: { events: [BADGE, BADGE] } });
    expect(emitEvents).toMatchObject({ events: [{ type: 'badge.earned' }, { type: 'badge.earned' }] });
  });

  test.for([
    [
      [BADGE, { type: 'badge.earned', data: {} }],
      ['input', 'events', '1', 'data', 'user_id'],
    ],
    [[{ type: 'badge.earned', data: {} }], ['input', 'events', '0', 'data', 'user_id']],
    [[{ type: 'nothing', data: {} }], ['input', 'events', '0', 'type']],
    [[], ['input', 'events']],
  ] as const)('stores none when one does not fit, and says where', async ([events, path]) => {
    const [before] = await server.sql('SELECT count(*) FROM events');
    const { emitEvents } = await read(server, 'north', EMIT_MANY, { input: { events: [...events] } });
    expect(emitEvents).toMatchObject({ __typename: 'ValidationError' });
    expect('faults' in emitEvents ? emitEvents.faults[0]?.path : []).toEqual(path);
    expect(await server.sql('SELECT count(*) FROM events')).toEqual([before]);
  });
});
