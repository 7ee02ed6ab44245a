/** Mutations of replays: one delivery, many, and the end of it. */
import type { Replay } from '../../generated/prisma/client.ts';
import { MAY_WRITE } from '../../webhooks/context.ts';
import { cancelReplay, type StartedReplay, startReplay } from '../../webhooks/replay.ts';
import { type ReplayedDelivery, replayDelivery } from '../../webhooks/replay-delivery.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import {
  DEDUPLICATED,
  type FaultPath,
  given,
  idempotencyKey,
  inputPath,
  inWordsOfInput,
  resultOf,
} from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';
import { parseReplayFilter, type ReplayFilterInput } from './replay.ts';

/** Registers replayDelivery, replayDeliveries and cancelReplay. */
export function addReplayMutations(builder: Builder, filter: ReplayFilterInput): void {
  addReplayDelivery(builder);
  addReplayDeliveries(builder, filter);
  addCancelReplay(builder);
}

function addReplayDelivery(builder: Builder): void {
  const input = builder.inputType('ReplayDeliveryInput', {
    description: 'A delivery to replay.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the delivery.' }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<ReplayedDelivery>('ReplayDeliveryPayload').implement({
    description: 'What was made.',
    fields: (t) => ({
      delivery: t.expose('delivery', { type: 'Delivery', description: 'The new delivery as it is now.' }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('replayDelivery', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description:
        'Makes a new delivery of the same event to the same webhook subscription, under an id of its own: a receiver that drops ids it knows takes it as new. A conflict for one that has not ended.',
      type: payload,
      errors: resultOf('ReplayDeliveryResult', [
        ValidationError,
        NotFoundError,
        ConflictError,
        ForbiddenError,
      ]),
      args: { input: t.arg({ type: input, required: true, description: 'What to replay.' }) },
      resolve: (_root, { input: { id, idempotencyKey: key } }, { features }) =>
        inWordsOfInput(() =>
          replayDelivery(features().context, { id: localId('Delivery', id), idempotencyKey: given(key) }),
        ),
    }),
  );
}

const OWN = ['rate_per_second', 'idempotency_key'];
const REPLAY_PATH: FaultPath = (path) =>
  OWN.includes(String(path[0])) ? inputPath(path) : ['input', 'filter', ...inputPath(path).slice(1)];

function addReplayDeliveries(builder: Builder, filter: ReplayFilterInput): void {
  const input = builder.inputType('ReplayDeliveriesInput', {
    description: 'What to replay, and how fast.',
    fields: (t) => ({
      filter: t.field({ type: filter, required: true, description: 'What is replayed.' }),
      ratePerSecond: t.int({ description: 'New deliveries a second at most, 1 to 1,000; 100 if left out.' }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<StartedReplay>('ReplayDeliveriesPayload').implement({
    description: 'What was started.',
    fields: (t) => ({
      replay: t.expose('replay', { type: 'Replay', description: 'The replay as it is now.' }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('replayDeliveries', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description:
        'Starts a replay, which goes on in the background: new deliveries of what the filter finds, 100,000 at most. Ask Organization.replayPreview first how many.',
      type: payload,
      errors: resultOf('ReplayDeliveriesResult', [
        ValidationError,
        NotFoundError,
        ConflictError,
        ForbiddenError,
      ]),
      args: { input: t.arg({ type: input, required: true, description: 'What to replay.' }) },
      resolve: (_root, args, { features }) => {
        const request = {
          ...parseReplayFilter(args.input.filter),
          ratePerSecond: given(args.input.ratePerSecond),
          idempotencyKey: given(args.input.idempotencyKey),
        };
        return inWordsOfInput(() => startReplay(features().context, request), REPLAY_PATH);
      },
    }),
  );
}

function addCancelReplay(builder: Builder): void {
  const input = builder.inputType('CancelReplayInput', {
    description: 'A replay to cancel.',
    fields: (t) => ({ id: t.id({ required: true, description: 'The global id of the replay.' }) }),
  });
  const payload = builder.objectRef<Replay>('CancelReplayPayload').implement({
    description: 'The replay that was cancelled.',
    fields: (t) => ({
      replay: t.field({
        type: 'Replay',
        description: 'The replay as it is now.',
        resolve: (replay) => replay,
      }),
    }),
  });
  builder.mutationField('cancelReplay', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description:
        'Ends a replay: nothing more is replayed, and what of it has not ended is cancelled. One of which everything has ended stays as it is.',
      type: payload,
      errors: resultOf('CancelReplayResult', [NotFoundError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What to cancel.' }) },
      resolve: (_root, args, { features }) =>
        cancelReplay(features().context, localId('Replay', args.input.id)),
    }),
  );
}
