/** Mutations that emit events. */
import { type EmittedEvent, type EventInput, emitEvents, MAX_BATCH } from '../../events/emit.ts';
import type { Fault } from '../../lib/errors.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import { given, inputPath, inWordsOfInput, resultOf } from '../mutation.ts';
import {
  ConflictError,
  ForbiddenError,
  NotFoundError,
  PayloadTooLargeError,
  ValidationError,
} from './error.ts';

const MAY_EMIT = { scope: 'write:events', roles: ['ADMIN'] } as const;
const ERRORS = [ValidationError, NotFoundError, ConflictError, ForbiddenError, PayloadTooLargeError];

/** Registers emitEvent and emitEvents. */
export function addEmit(builder: Builder): void {
  const event = addEventInput(builder);
  addEmitEvent(builder, event);
  addEmitEvents(builder, event);
}

type EventInputRef = ReturnType<typeof addEventInput>;

function addEventInput(builder: Builder) {
  return builder.inputType('EmitEventInput', {
    description: 'An event to emit.',
    fields: (t) => ({
      organizationId: t.id({ description: "The organization it occurred in; the viewer's if left out." }),
      type: t.string({ required: true, description: 'Its event type, such as quest.completed.' }),
      data: t.field({ type: 'JSON', required: true, description: "What fits the event type's schema." }),
      occurredAt: t.field({ type: 'DateTime', description: 'When it occurred; now if left out.' }),
      idempotencyKey: t.string({
        description:
          'The same key within 24 hours answers the first event and stores nothing. 1 to 200 characters.',
      }),
    }),
  });
}

function addEmitEvent(builder: Builder, input: EventInputRef): void {
  const payload = addEmitted(builder, 'EmitEventPayload', 'The event that was emitted.');
  builder.mutationField('emitEvent', (t) =>
    t.field({
      ...access(MAY_EMIT),
      description: 'Stores an event and its deliveries, together or not at all.',
      type: payload,
      errors: resultOf('EmitEventResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to emit.' }) },
      resolve: async (_root, args, { features }) => {
        const { context } = features();
        const inputs = [toEvent(args.input)];
        const [emitted] = await inWordsOfInput(() => emitEvents(context, inputs), eventPath);
        if (emitted === undefined) throw new Error('An event was emitted without an answer.');
        return emitted;
      },
    }),
  );
}

function addEmitEvents(builder: Builder, event: EventInputRef): void {
  const input = builder.inputType('EmitEventsInput', {
    description: 'Events to emit together.',
    fields: (t) => ({
      events: t.field({ type: [event], required: true, description: `1 to ${MAX_BATCH} events.` }),
    }),
  });
  const emitted = addEmitted(builder, 'EmittedEvent', 'An event that was emitted.');
  const payload = builder.objectRef<readonly EmittedEvent[]>('EmitEventsPayload').implement({
    description: 'The events that were emitted.',
    fields: (t) => ({
      events: t.field({
        type: [emitted],
        description: 'One for each of the input, in the same order.',
        resolve: (events) => [...events],
      }),
    }),
  });
  builder.mutationField('emitEvents', (t) =>
    t.field({
      ...access(MAY_EMIT),
      description: 'Stores several events and their deliveries, all of them or none.',
      type: payload,
      errors: resultOf('EmitEventsResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to emit.' }) },
      resolve: (_root, args, { features }) => {
        const { context } = features();
        const inputs = args.input.events.map(toEvent);
        return inWordsOfInput(() => emitEvents(context, inputs), batchPath(inputs.length));
      },
    }),
  );
}

function addEmitted(builder: Builder, name: string, description: string) {
  return builder.objectRef<EmittedEvent>(name).implement({
    description,
    fields: (t) => ({
      eventId: t.id({
        description: 'The global id of the event.',
        resolve: ({ id }) => globalId('Event', id),
      }),
      type: t.exposeString('type', { description: 'Its event type.' }),
      deliveryCount: t.exposeInt('deliveryCount', {
        description: 'To how many webhook subscriptions it is delivered.',
      }),
      deduplicated: t.exposeBoolean('deduplicated', {
        description: 'Whether the event was there already, under the same idempotency key.',
      }),
      event: t.field({
        type: 'Event',
        nullable: true,
        description: 'The event itself. Needs the scope read:webhooks.',
        resolve: async ({ id }, _args, { features }) => (await features().loaders.event(id)) ?? null,
      }),
    }),
  });
}

function toEvent(input: EventInputRef['$inferInput']): EventInput {
  const organizationId = given(input.organizationId);
  return {
    type: input.type,
    data: input.data,
    occurredAt: given(input.occurredAt),
    idempotencyKey: given(input.idempotencyKey),
    organizationId: organizationId === undefined ? undefined : localId('Organization', organizationId),
  };
}

/** REST calls the event's type its event. */
function eventPath([setting, ...rest]: Fault['path']): Fault['path'] {
  return inputPath([setting === 'event' ? 'type' : (setting ?? 'data'), ...rest]);
}

/** The feature leaves out the index of an only event, and has none for a fault of the whole batch. */
function batchPath(size: number): (path: Fault['path']) => Fault['path'] {
  return (path) => {
    if (path[0] === 'events') return inputPath(path);
    const [index, ...rest] = size === 1 ? [0, ...path] : path;
    return ['input', 'events', index ?? 0, ...eventPath(rest).slice(1)];
  };
}
