/** For how long an organization keeps its history. */
import {
  changeRetention,
  getRetention,
  MAY_CHANGE_SETTINGS,
  type Retention,
} from '../../accounts/retention.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { expectedVersion, given, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, ValidationError } from './error.ts';

/** Registers Organization.retention and updateRetention. */
export function addRetention(builder: Builder): void {
  const retention = addType(builder);
  builder.objectFields('Organization', (t) => ({
    retention: t.field({
      ...access(MAY_CHANGE_SETTINGS),
      description:
        'For how long it keeps its history. For an ADMIN who has signed in; no token is good for it.',
      type: retention,
      resolve: (_organization, _args, { features }) => {
        const { context, retentionLimits } = features();
        return getRetention(context, retentionLimits);
      },
    }),
  }));
  addUpdate(builder, retention);
}

function addType(builder: Builder) {
  return builder.objectRef<Retention>('Retention').implement({
    description:
      'For how many days history is kept: events, deliveries and attempts, and what they say, their bodies. What a delivery needs that has not ended is kept until it has.',
    fields: (t) => ({
      days: t.exposeInt('days', {
        nullable: true,
        description: 'The choice of the organization for rows; null: what the server does.',
      }),
      bodyDays: t.exposeInt('bodyDays', {
        nullable: true,
        description: 'The choice of the organization for bodies; null: what the server does.',
      }),
      serverDays: t.exposeInt('serverDays', { description: 'What the server does, and allows at most.' }),
      serverBodyDays: t.exposeInt('serverBodyDays', { description: 'Likewise, for bodies.' }),
      effectiveDays: t.exposeInt('effectiveDays', { description: 'What comes of both.' }),
      effectiveBodyDays: t.exposeInt('effectiveBodyDays', {
        description: 'Likewise, for bodies, which end with their rows at the latest.',
      }),
      version: t.exposeInt('version', { description: 'Of the settings of the organization.' }),
    }),
  });
}

function addUpdate(builder: Builder, retention: ReturnType<typeof addType>): void {
  const input = builder.inputType('UpdateRetentionInput', {
    description: 'For how long history is to be kept. What is left out stays as it is.',
    fields: (t) => ({
      days: t.int({
        description: "Rows: 7 days at least, and at most the server's; null: what the server does.",
      }),
      bodyDays: t.int({
        description: "Bodies: 1 day at least, and at most the server's; null: what the server does.",
      }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = builder.objectRef<Retention>('UpdateRetentionPayload').implement({
    description: 'For how long history is kept now.',
    fields: (t) => ({
      retention: t.field({ type: retention, description: 'All of it.', resolve: (changed) => changed }),
    }),
  });
  builder.mutationField('updateRetention', (t) =>
    t.field({
      ...access(MAY_CHANGE_SETTINGS),
      description:
        "Keeps the organization's history for a shorter time than the server does, or for as long again. What is too old goes within the hour, and does not come back.",
      type: payload,
      errors: resultOf('UpdateRetentionResult', [ValidationError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'For how long.' }) },
      resolve: (_root, { input: { days, bodyDays, expectedVersion: version } }, { features }) => {
        const { context, retentionLimits } = features();
        const change = { days, bodyDays, expectedVersion: given(version) };
        return inWordsOfInput(() => changeRetention(context, retentionLimits, change));
      },
    }),
  );
}
