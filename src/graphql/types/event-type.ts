/** The catalogue of event types. */
import { EVENT_TYPES, MAY_READ_CATALOGUE } from '../../events/event-type.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';

/** Registers EventType and Query.eventTypes. */
export function addEventType(builder: Builder): void {
  builder.objectType('EventType', {
    description: 'A kind of event that webhook subscriptions can want.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name, such as quest.completed.' }),
      version: t.exposeInt('version', { description: 'The version of its schema.' }),
      description: t.exposeString('description', { description: 'When such an event occurs.' }),
      jsonSchema: t.expose('jsonSchema', {
        type: 'JSON',
        description: 'The JSON Schema (2020-12) of its data.',
      }),
      example: t.expose('example', { type: 'JSON', description: 'Data that fits the schema.' }),
    }),
  });
  builder.queryField('eventTypes', (t) =>
    t.field({
      ...access(MAY_READ_CATALOGUE),
      description: 'The catalogue of event types.',
      type: ['EventType'],
      resolve: () => [...EVENT_TYPES],
    }),
  );
}
