/** Events: what occurred. */
import { z } from 'zod';
import { MAY_READ_EVENT_DATA } from '../../events/event.ts';
import { uuidTime } from '../../lib/ids.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { parseSize } from '../connection.ts';
import { globalId } from '../global-id.ts';

const ENVELOPE = z.object({ data: z.unknown() });

/** Registers Event and its connection. */
export function addEvent(builder: Builder): void {
  builder.objectType('Event', {
    description: 'Something that occurred in the organization. It never changes.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Event', id) }),
      type: t.exposeString('type', { description: 'Its event type.' }),
      occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When it occurred.' }),
      createdAt: t.field({
        type: 'DateTime',
        description: 'When it was stored.',
        resolve: ({ id }) => new Date(uuidTime(id)),
      }),
      idempotencyKey: t.exposeString('idempotencyKey', {
        nullable: true,
        description: 'The key it was emitted with; null if there was none.',
      }),
    }),
  });
  addContent(builder);
  addDeliveries(builder);
  builder.connectionObject(
    { type: 'Event', name: 'EventConnection', description: 'A page of events.' },
    { name: 'EventEdge', description: 'An event in a list.' },
  );
}

function addContent(builder: Builder): void {
  builder.objectFields('Event', (t) => ({
    data: t.field({
      ...access(MAY_READ_EVENT_DATA),
      type: 'JSON',
      nullable: true,
      description: 'What it contains. Needs the scope read:events. Null once it has passed its retention.',
      resolve: async ({ id }, _args, { features }) => {
        const body = await features().loaders.eventBody(id);
        return typeof body === 'string' ? ENVELOPE.parse(JSON.parse(body)).data : null;
      },
    }),
    body: t.string({
      ...access(MAY_READ_EVENT_DATA),
      nullable: true,
      description:
        'The body of its deliveries, byte for byte. Needs the scope read:events. Null once it has passed its retention.',
      resolve: async ({ id }, _args, { features }) => (await features().loaders.eventBody(id)) ?? null,
    }),
  }));
}

function addDeliveries(builder: Builder): void {
  builder.objectField('Event', 'deliveries', (t) =>
    t.field({
      type: ['Delivery'],
      description: 'Its deliveries, newest first.',
      args: { first: t.arg.int({ defaultValue: 20, description: 'How many: 0 to 100.' }) },
      resolve: async ({ id }, { first }, { features }) => {
        const question = { kind: 'event', filter: {}, page: { limit: parseSize('first', first) } } as const;
        const page = await features().loaders.deliveriesOf(question)(id);
        return [...(page?.items ?? [])];
      },
    }),
  );
}
