/** Mutations of webhook subscriptions. */
import type { WebhookSubscription } from '../../generated/prisma/client.ts';
import { MAY_WRITE } from '../../webhooks/context.ts';
import { type Rotation, rotateSecret } from '../../webhooks/secret-rotation.ts';
import {
  type CreatedSubscription,
  createSubscription,
  deleteSubscription,
  updateSubscription,
} from '../../webhooks/subscription.ts';
import type { SubscriptionSettings } from '../../webhooks/subscription-input.ts';
import { access } from '../access.ts';
import type { Builder, InputFields } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import {
  DEDUPLICATED,
  expectedVersion,
  given,
  idempotencyKey,
  inWordsOfInput,
  resultOf,
} from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

const ERRORS = [ValidationError, NotFoundError, ConflictError, ForbiddenError];

/** Registers createWebhookSubscription, updateWebhookSubscription, deleteWebhookSubscription, rotateWebhookSecret. */
export function addWebhookSubscriptionMutations(builder: Builder): void {
  const header = addHeaderInput(builder);
  addCreate(builder, header);
  addUpdate(builder, header);
  addDelete(builder);
  addRotate(builder);
}

function addHeaderInput(builder: Builder) {
  return builder.inputType('HeaderInput', {
    description: 'A header to send with every delivery.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name.' }),
      value: t.string({ required: true, description: 'Its value.' }),
    }),
  });
}

type HeaderInputRef = ReturnType<typeof addHeaderInput>;

function addCreate(builder: Builder, header: HeaderInputRef): void {
  const input = builder.inputType('CreateWebhookSubscriptionInput', {
    description: 'A webhook subscription to create.',
    fields: (t) => ({
      organizationId: t.id({ description: "The organization it is for; the viewer's if left out." }),
      targetUrl: t.field({ type: 'URL', required: true, description: 'Where its deliveries go.' }),
      eventTypes: t.stringList({
        required: true,
        description: 'The event types it wants, or "*" alone for all.',
      }),
      ...optionalSettings(t, header),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<CreatedSubscription>('CreateWebhookSubscriptionPayload').implement({
    description: 'The webhook subscription that was created.',
    fields: (t) => ({
      subscription: t.expose('subscription', {
        type: 'WebhookSubscription',
        description: 'The webhook subscription.',
      }),
      secret: t.exposeString('secret', {
        description: 'The secret that signs its deliveries. It is shown here only.',
      }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('createWebhookSubscription', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description: 'Creates a webhook subscription.',
      type: payload,
      errors: resultOf('CreateWebhookSubscriptionResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to create.' }) },
      resolve: (_root, args, { features }) => {
        const { organizationId, targetUrl, eventTypes } = args.input;
        const subscription = {
          ...toSettings(args.input),
          targetUrl,
          eventTypes,
          idempotencyKey: given(args.input.idempotencyKey),
          organizationId:
            organizationId === null || organizationId === undefined
              ? undefined
              : localId('Organization', organizationId),
        };
        return inWordsOfInput(() => createSubscription(features().context, subscription));
      },
    }),
  );
}

function addHeldDeliveries(builder: Builder) {
  return builder.enumType('HeldDeliveries', {
    description: 'What becomes of deliveries that were held.',
    values: {
      SEND: { value: 'send', description: 'They are sent now, the oldest first.' },
      DISCARD: { value: 'discard', description: 'They are cancelled. Each can be sent again by itself.' },
    } as const,
  });
}

function addUpdate(builder: Builder, header: HeaderInputRef): void {
  const held = addHeldDeliveries(builder);
  const input = builder.inputType('UpdateWebhookSubscriptionInput', {
    description: 'Changes of a webhook subscription. What is left out stays as it is.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the webhook subscription.' }),
      expectedVersion: expectedVersion(t),
      active: t.boolean({
        description: 'false pauses: deliveries are held. true resumes (or enables what was disabled).',
      }),
      held: t.field({
        type: held,
        description: 'With `active: true`: what becomes of the deliveries that were held; SEND if left out.',
      }),
      targetUrl: t.field({ type: 'URL', description: 'Where its deliveries go.' }),
      eventTypes: t.stringList({ description: 'The event types it wants, or "*" alone for all.' }),
      ...optionalSettings(t, header),
    }),
  });
  const payload = builder.objectRef<WebhookSubscription>('UpdateWebhookSubscriptionPayload').implement({
    description: 'The webhook subscription as it is now.',
    fields: (t) => ({
      subscription: t.field({
        type: 'WebhookSubscription',
        description: 'The webhook subscription.',
        resolve: (subscription) => subscription,
      }),
    }),
  });
  builder.mutationField('updateWebhookSubscription', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description: 'Changes the settings of a webhook subscription, pauses or resumes it.',
      type: payload,
      errors: resultOf('UpdateWebhookSubscriptionResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to change.' }) },
      resolve: (_root, args, { features }) => {
        const { id, active, targetUrl, eventTypes } = args.input;
        const changes = {
          ...toSettings(args.input),
          targetUrl: given(targetUrl),
          eventTypes: given(eventTypes),
          active: given(active),
          held: given(args.input.held),
          expectedVersion: given(args.input.expectedVersion),
        };
        const key = localId('WebhookSubscription', id);
        return inWordsOfInput(() => updateSubscription(features().context, key, changes));
      },
    }),
  );
}

function addDelete(builder: Builder): void {
  const input = builder.inputType('DeleteWebhookSubscriptionInput', {
    description: 'A webhook subscription to delete.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the webhook subscription.' }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = builder.objectRef<WebhookSubscription>('DeleteWebhookSubscriptionPayload').implement({
    description: 'What was deleted.',
    fields: (t) => ({
      deletedId: t.id({
        description: 'The global id it had.',
        resolve: ({ id }) => globalId('WebhookSubscription', id),
      }),
    }),
  });
  builder.mutationField('deleteWebhookSubscription', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description:
        'Deletes a webhook subscription. What it waits to be sent is cancelled; its history stays.',
      type: payload,
      errors: resultOf('DeleteWebhookSubscriptionResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What to delete.' }) },
      resolve: (_root, { input: { id, expectedVersion: version } }, { features }) =>
        deleteSubscription(features().context, localId('WebhookSubscription', id), given(version)),
    }),
  );
}

function addRotate(builder: Builder): void {
  const input = builder.inputType('RotateWebhookSecretInput', {
    description: 'A webhook subscription whose secret is to be replaced.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the webhook subscription.' }),
      overlapSeconds: t.int({
        description:
          'How long the old secret goes on signing beside the new one: 0 to 604,800; a day if left out.',
      }),
      expectedVersion: expectedVersion(t),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<Rotation>('RotateWebhookSecretPayload').implement({
    description: 'The new secret.',
    fields: (t) => ({
      subscription: t.expose('subscription', {
        type: 'WebhookSubscription',
        description: 'The webhook subscription.',
      }),
      secret: t.exposeString('secret', { description: 'The new secret. It is shown here only.' }),
      overlapEndsAt: t.expose('overlapEndsAt', {
        type: 'DateTime',
        description: 'When the old secret ends signing.',
      }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('rotateWebhookSecret', (t) =>
    t.field({
      ...access(MAY_WRITE),
      description: 'Gives a webhook subscription a new secret.',
      type: payload,
      errors: resultOf('RotateWebhookSecretResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to rotate.' }) },
      resolve: (_root, { input: { id, ...rotation } }, { features }) => {
        const key = localId('WebhookSubscription', id);
        const options = {
          overlapSeconds: given(rotation.overlapSeconds),
          expectedVersion: given(rotation.expectedVersion),
          idempotencyKey: given(rotation.idempotencyKey),
        };
        return inWordsOfInput(() => rotateSecret(features().context, key, options));
      },
    }),
  );
}

function optionalSettings(t: InputFields, header: HeaderInputRef) {
  return {
    description: t.string({ description: 'What it is for, at most 500 characters; null for nothing.' }),
    customHeaders: t.field({
      type: [header],
      description: 'Headers that every delivery carries beside ours: at most 20, none of which is reserved.',
    }),
    maxConcurrency: t.int({
      description: 'How many attempts at most are under way at the same time: 1 to 100; 10 at first.',
    }),
    rateLimitPerSecond: t.int({
      description: 'How many attempts at most begin within a second: 1 to 1,000; null: no limit.',
    }),
    retrySeconds: t.intList({
      description: "The delays before each retry, in seconds; empty: the server's schedule.",
    }),
    timeoutSeconds: t.int({
      description: "How long an attempt may take in all: 1 to 30; null: the server's time limit.",
    }),
    orderedBy: t.string({
      description:
        'What deliveries are ordered by, from then on: "organization_id", "event", or a path in data such as "data.user_id"; null: in no order.',
    }),
  };
}

type SettingsInput = {
  readonly description?: string | null | undefined;
  readonly customHeaders?: readonly { readonly name: string; readonly value: string }[] | null | undefined;
  readonly maxConcurrency?: number | null | undefined;
  readonly rateLimitPerSecond?: number | null | undefined;
  readonly retrySeconds?: readonly number[] | null | undefined;
  readonly timeoutSeconds?: number | null | undefined;
  readonly orderedBy?: string | null | undefined;
};

/** null empties what can be empty, and means nothing where a value is needed. */
function toSettings(input: SettingsInput): SubscriptionSettings {
  return {
    description: input.description,
    customHeaders: input.customHeaders?.map(({ name, value }) => [name, value] as const),
    maxConcurrency: given(input.maxConcurrency),
    rateLimitPerSecond: input.rateLimitPerSecond,
    retrySeconds: given(input.retrySeconds),
    timeoutSeconds: input.timeoutSeconds,
    orderedBy: input.orderedBy,
  };
}
