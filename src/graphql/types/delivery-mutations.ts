/** Mutations of deliveries: test, send again, cancel. */
import type { Delivery } from '../../generated/prisma/client.ts';
import { MAY_WRITE } from '../../webhooks/context.ts';
import { cancelDelivery, retryDelivery } from '../../webhooks/delivery.ts';
import { type SentTest, sendTestEvent } from '../../webhooks/test-event.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import {
  DEDUPLICATED,
  expectedVersion,
  given,
  idempotencyKey,
  inWordsOfInput,
  resultOf,
} from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

/** Registers sendTestEvent, retryDelivery and cancelDelivery. */
export function addDeliveryMutations(builder: Builder): void {
  addSendTestEvent(builder);
  addRetryDelivery(builder);
  addCancelDelivery(builder);
}

function addSendTestEvent(builder: Builder): void {
  const input = builder.inputType('SendTestEventInput', {
    description: 'A test of a webhook subscription.',
    fields: (t) => ({
      subscriptionId: t.id({ required: true, description: 'The global id of the webhook subscription.' }),
      eventType: t.string({
        description: 'The event type whose example is sent; webhook.test if left out.',
      }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<SentTest>('SendTestEventPayload').implement({
    description: 'The test that was sent.',
    fields: (t) => ({
      delivery: t.expose('delivery', { type: 'Delivery', description: 'The delivery as it is now.' }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('sendTestEvent', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description:
        'Sends one event to one webhook subscription, whatever it wants and even while it is paused, to see whether its target works.',
      type: payload,
      errors: resultOf('SendTestEventResult', [
        ValidationError,
        NotFoundError,
        ConflictError,
        ForbiddenError,
      ]),
      args: { input: t.arg({ type: input, required: true, description: 'What to test.' }) },
      resolve: (_root, args, { features }) => {
        const test = {
          subscriptionId: localId('WebhookSubscription', args.input.subscriptionId),
          eventType: given(args.input.eventType),
          idempotencyKey: given(args.input.idempotencyKey),
        };
        return inWordsOfInput(() => sendTestEvent(features().context, test));
      },
    }),
  );
}

function addRetryDelivery(builder: Builder): void {
  const input = builder.inputType('RetryDeliveryInput', {
    description: 'A delivery to try again.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the delivery.' }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = addDeliveryPayload(builder, 'RetryDeliveryPayload', 'The delivery that is sent again.');
  builder.mutationField('retryDelivery', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description:
        'Tries a delivery that has not succeeded again, now, under the same id; its retry schedule begins anew. One that waits is sent at once. For one that succeeded there is replayDelivery.',
      type: payload,
      errors: resultOf('RetryDeliveryResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What to send again.' }) },
      resolve: (_root, { input: { id, expectedVersion: version } }, { features }) =>
        retryDelivery(features().context, localId('Delivery', id), given(version)),
    }),
  );
}

function addCancelDelivery(builder: Builder): void {
  const input = builder.inputType('CancelDeliveryInput', {
    description: 'A delivery to cancel.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the delivery.' }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = addDeliveryPayload(builder, 'CancelDeliveryPayload', 'The delivery that was cancelled.');
  builder.mutationField('cancelDelivery', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description: 'Cancels a delivery that waits or is held.',
      type: payload,
      errors: resultOf('CancelDeliveryResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What to cancel.' }) },
      resolve: (_root, { input: { id, expectedVersion: version } }, { features }) =>
        cancelDelivery(features().context, localId('Delivery', id), given(version)),
    }),
  );
}

function addDeliveryPayload(builder: Builder, name: string, description: string) {
  return builder.objectRef<Delivery>(name).implement({
    description,
    fields: (t) => ({
      delivery: t.field({
        type: 'Delivery',
        description: 'The delivery as it is now.',
        resolve: (delivery) => delivery,
      }),
    }),
  });
}
