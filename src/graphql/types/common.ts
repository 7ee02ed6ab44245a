/** Small types that several features use. */
import { DeliveryStatus, Role, WebhookSubscriptionStatus } from '../../generated/prisma/client.ts';
import type { Builder } from '../builder.ts';

/** Registers enums, counts and headers. */
export function addCommonTypes(builder: Builder): void {
  builder.enumType(Role, {
    name: 'Role',
    description: 'What a user is in an organization.',
    values: {
      ADMIN: { description: 'Manages the organization.' },
      EDUCATOR: { description: 'Teaches: creates quests, reviews, grades.' },
      STUDENT: { description: 'Learns.' },
    },
  });
  builder.enumType(WebhookSubscriptionStatus, {
    name: 'WebhookSubscriptionStatus',
    description: 'Whether a webhook subscription is sent what it wants.',
    values: {
      ACTIVE: { description: 'Deliveries are sent.' },
      PAUSED: { description: 'Deliveries are held until it is resumed.' },
      DISABLED: { description: 'Deliveries are held, because the target kept failing or wants no more.' },
    },
  });
  builder.enumType(DeliveryStatus, {
    name: 'DeliveryStatus',
    description: 'How far a delivery has come.',
    values: {
      PENDING: { description: 'Waits for its first attempt.' },
      RETRYING: { description: 'An attempt failed; the next one waits for its time.' },
      HELD: { description: 'Held while its webhook subscription is paused or disabled.' },
      SUCCEEDED: { description: 'The target answered 2xx.' },
      FAILED: { description: 'No further attempt will be made.' },
      CANCELLED: { description: 'Taken back before it succeeded.' },
    },
  });
  addCount(builder);
  builder.objectType('Header', {
    description: 'A header of an HTTP message.',
    fields: (t) => ({
      name: t.string({ description: 'Its name.', resolve: ([name]) => name }),
      value: t.string({
        description: 'Its value; dots where it holds credentials.',
        resolve: ([, value]) => value,
      }),
    }),
  });
}

function addCount(builder: Builder): void {
  const accuracy = builder.enumType('CountAccuracy', {
    description: 'How exact a count is.',
    values: {
      EXACT: { description: 'Exactly so many.' },
      AT_LEAST: { description: 'So many or more: counting stops at 10,000.' },
    },
  });
  builder.objectType('Count', {
    description: 'How many there are.',
    fields: (t) => ({
      value: t.exposeInt('value', { description: 'The number; 10,000 at most.' }),
      accuracy: t.field({
        description: 'Whether there may be more.',
        type: accuracy,
        resolve: ({ isExact }) => (isExact ? 'EXACT' : 'AT_LEAST'),
      }),
    }),
  });
  builder.globalConnectionField('totalCount', (t) =>
    t.field({
      description: 'How many there are in all. Counted only if it is asked for.',
      type: 'Count',
      resolve: ({ totalCount }) => totalCount(),
    }),
  );
}
