/** Replays: what runs, what was. */
import { DeliveryStatus, ReplayState } from '../../generated/prisma/client.ts';
import { countDeliveries } from '../../webhooks/delivery-batch.ts';
import { countReplays, listReplays, MAX_REPLAYED, previewReplay } from '../../webhooks/replay.ts';
import type { ReplayFilter } from '../../webhooks/replay-input.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId, localId } from '../global-id.ts';
import { type FaultPath, given, inputPath, inWordsOfInput } from '../mutation.ts';

export type ReplayFilterInput = ReturnType<typeof addReplayFilter>;

/** Registers Replay, its connection, and what leads to it; answers the filter. */
export function addReplay(builder: Builder): ReplayFilterInput {
  builder.enumType(ReplayState, {
    name: 'ReplayState',
    description: 'How far a replay has come.',
    values: {
      RUNNING: { description: 'Deliveries are being made of what it is about.' },
      COMPLETED: { description: 'All of it was made into deliveries, which are sent like any others.' },
      CANCELLED: { description: 'It was ended by hand.' },
    },
  });
  addType(builder);
  addOutcome(builder);
  const filter = addReplayFilter(builder);
  addLists(builder, filter);
  return filter;
}

function addReplayFilter(builder: Builder) {
  return builder.inputType('ReplayFilter', {
    description:
      'What is replayed. Of each event to each webhook subscription the latest delivery counts; tests do not.',
    fields: (t) => ({
      subscriptionId: t.id({
        description: 'What went to this webhook subscription; for `missing`: the one that is to get it.',
      }),
      eventTypes: t.stringList({
        description: 'Events of these types. For `missing`: those that it wants, if left out.',
      }),
      statuses: t.field({
        type: [DeliveryStatus],
        description:
          'Deliveries that ended so: SUCCEEDED, FAILED, CANCELLED. Has to be said, but for `missing`.',
      }),
      missing: t.boolean({
        description:
          'true: events that the webhook subscription was never sent, as those from before it was there.',
      }),
      since: t.field({ type: 'DateTime', description: 'What was created at this time or later.' }),
      until: t.field({
        type: 'DateTime',
        description: 'What was created before this time; now if left out.',
      }),
    }),
  });
}

/** The filter in the feature's form. */
export function parseReplayFilter(filter: ReplayFilterInput['$inferInput']): ReplayFilter {
  const subscriptionId = given(filter.subscriptionId);
  return {
    subscriptionId: subscriptionId === undefined ? undefined : localId('WebhookSubscription', subscriptionId),
    eventTypes: given(filter.eventTypes),
    statuses: given(filter.statuses),
    missing: given(filter.missing),
    since: given(filter.since),
    until: given(filter.until),
  };
}

const FILTER_PATH: FaultPath = (path) => ['filter', ...inputPath(path).slice(1)];

function addType(builder: Builder): void {
  builder.objectType('Replay', {
    description: 'Past deliveries, or events that were never delivered, sent in the background.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Replay', id) }),
      state: t.expose('state', { type: ReplayState, description: 'How far it has come.' }),
      total: t.exposeInt('total', { description: 'How many there were to replay when it started.' }),
      replayed: t.exposeInt('replayed', {
        description: 'How many of them were made into new deliveries so far.',
      }),
      missing: t.exposeBoolean('missing', {
        description: 'Whether it is about events that were never sent, rather than deliveries again.',
      }),
      subscriptionId: t.id({
        nullable: true,
        description: 'The global id of the webhook subscription it is about; null: of all.',
        resolve: ({ subscriptionId }) =>
          subscriptionId === null ? null : globalId('WebhookSubscription', subscriptionId),
      }),
      eventTypes: t.exposeStringList('eventTypes', { description: 'The event types; none: all.' }),
      statuses: t.expose('statuses', {
        type: [DeliveryStatus],
        description: 'How the deliveries had ended; none for what was never sent.',
      }),
      since: t.expose('since', { type: 'DateTime', nullable: true, description: 'From when; null: ever.' }),
      until: t.expose('until', { type: 'DateTime', description: 'Up to when.' }),
      ratePerSecond: t.exposeInt('ratePerSecond', { description: 'New deliveries a second, at most.' }),
      userId: t.id({
        nullable: true,
        description: 'The global id of the user who started it; null: a client by itself.',
        resolve: ({ userId }) => (userId === null ? null : globalId('User', userId)),
      }),
      clientId: t.exposeString('clientId', {
        nullable: true,
        description: 'The client_id of the client that started it; null: a person who had signed in.',
      }),
      version: t.exposeInt('version', { description: 'Counts its changes, from 1.' }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was started.' }),
      endedAt: t.expose('endedAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it was completed or cancelled; null until then.',
      }),
    }),
  });
  builder.connectionObject(
    { type: 'Replay', name: 'ReplayConnection', description: 'A page of replays.' },
    { name: 'ReplayEdge', description: 'A replay in a list.' },
  );
}

function addOutcome(builder: Builder): void {
  const outcomes = [
    ['succeeded', ['SUCCEEDED'], 'How many of its deliveries succeeded.'],
    ['failed', ['FAILED'], 'How many of its deliveries failed.'],
    ['waiting', ['PENDING', 'RETRYING', 'HELD'], 'How many of its deliveries have not ended.'],
  ] as const;
  for (const [name, statuses, description] of outcomes) {
    builder.objectField('Replay', name, (t) =>
      t.field({
        type: 'Count',
        description,
        resolve: ({ id }, _args, { features }) =>
          countDeliveries(features().context, { replayId: id, statuses }),
      }),
    );
  }
}

function addLists(builder: Builder, filter: ReplayFilterInput): void {
  builder.objectField('Delivery', 'replay', (t) =>
    t.field({
      type: 'Replay',
      nullable: true,
      description: 'The replay that it was made by; null if by none.',
      resolve: async ({ replayId }, _args, { features }) =>
        replayId === null ? null : ((await features().loaders.replay(replayId)) ?? null),
    }),
  );
  const preview = builder.objectRef<{ value: number; isExact: boolean }>('ReplayPreview').implement({
    description: 'What a replay would do.',
    fields: (t) => ({
      count: t.exposeInt('value', {
        description: `How many deliveries it would make; ${MAX_REPLAYED} at most.`,
      }),
      isExact: t.exposeBoolean('isExact', {
        description: 'false: there are more than one replay sends; take less, by time.',
      }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    replays: t.field({
      description: 'Its replays, newest first.',
      type: 'ReplayConnection',
      args: pageArguments(t.arg),
      resolve: async (_organization, args, { features }) => {
        const page = parsePage(args);
        const replays = await listReplays(features().context, page);
        return toConnection(
          replays,
          page,
          ({ id }) => id,
          () => countReplays(features().context),
        );
      },
    }),
    replayPreview: t.field({
      description: 'How many deliveries a replay would make. Changes nothing. Needs write:webhooks.',
      type: preview,
      args: { filter: t.arg({ type: filter, required: true, description: 'What would be replayed.' }) },
      resolve: (_organization, args, { features }) =>
        inWordsOfInput(() => previewReplay(features().context, parseReplayFilter(args.filter)), FILTER_PATH),
    }),
  }));
}
