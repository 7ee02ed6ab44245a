/** The catalogue of scopes. */
import { SCOPES } from '../../accounts/scope.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';

/** Registers Scope and Query.scopes. */
export function addScope(builder: Builder): void {
  const risk = builder.enumType('ScopeRisk', {
    description: 'How much harm a token with a scope could do in the wrong hands.',
    values: {
      LOW: { description: 'Little.' },
      MEDIUM: { description: 'It shows data about people, or how the organization is set up.' },
      HIGH: { description: 'It changes what others rely on, or shows what events contain.' },
    },
  });
  builder.objectType('Scope', {
    description: 'What an access token can be good for.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name, such as read:webhooks.' }),
      description: t.exposeString('description', { description: 'What it allows, for people.' }),
      contains: t.stringList({
        description: 'The names of the scopes that a token with this one is good for as well.',
        resolve: ({ contains }) => [...contains],
      }),
      risk: t.field({
        description: 'How much harm it could do in the wrong hands.',
        type: risk,
        resolve: (scope) => RISKS[scope.risk],
      }),
    }),
  });
  builder.queryField('scopes', (t) =>
    t.field({
      ...access('anyone'),
      description: 'Every scope there is.',
      type: ['Scope'],
      resolve: () => [...SCOPES],
    }),
  );
}

const RISKS = { low: 'LOW', medium: 'MEDIUM', high: 'HIGH' } as const;
