/** Webhook subscriptions and events of a benchmark, made through the product's own doors. */
import { z } from 'zod';
import type { Client } from '../../test/support/client.ts';

export type BenchSubscription = { readonly id: string; readonly path: string; readonly secret: string };

export type NewSubscription = {
  readonly origin: string;
  readonly path: string;
  readonly eventType: string;
  readonly maxConcurrency: number;
};

const CREATE = `mutation Create($input: CreateWebhookSubscriptionInput!) {
  createWebhookSubscription(input: $input) {
    ... on CreateWebhookSubscriptionPayload { secret subscription { id } }
  }
}`;
const created = z.object({
  data: z.object({
    createWebhookSubscription: z.object({ secret: z.string(), subscription: z.object({ id: z.string() }) }),
  }),
});

const SET_ACTIVE = `mutation SetActive($input: UpdateWebhookSubscriptionInput!) {
  updateWebhookSubscription(input: $input) {
    ... on UpdateWebhookSubscriptionPayload { subscription { status } }
  }
}`;
const changed = z.object({
  data: z.object({
    updateWebhookSubscription: z.object({
      subscription: z.object({ status: z.enum(['ACTIVE', 'PAUSED', 'DISABLED']) }),
    }),
  }),
});

/** Subscribes a path of the receiver to an event type, or to all (`*`). */
export async function subscribePath(client: Client, options: NewSubscription): Promise<BenchSubscription> {
  const { origin, path, eventType, maxConcurrency } = options;
  const input = { targetUrl: `${origin}${path}`, eventTypes: [eventType], maxConcurrency };
  const { body } = await client.graphql(CREATE, { input });
  const { secret, subscription } = created.parse(body).data.createWebhookSubscription;
  return { id: subscription.id, path, secret };
}

/** Pauses (deliveries are held) or resumes (they are sent). */
export async function setActive(client: Client, { id }: BenchSubscription, active: boolean): Promise<void> {
  const { body } = await client.graphql(SET_ACTIVE, { input: { id, active } });
  changed.parse(body);
}

/** The secrets by path, as the receiver wants them. */
export function secretsOf(subscriptions: readonly BenchSubscription[]): Readonly<Record<string, string>> {
  return Object.fromEntries(subscriptions.map(({ path, secret }) => [path, secret]));
}

/** Emits events one batch after the other through REST. */
export async function emitInBatches(client: Client, events: readonly object[], size: number): Promise<void> {
  for (let first = 0; first < events.length; first += size) {
    const { status, body } = await client.post('/api/events', { events: events.slice(first, first + size) });
    if (status !== 202) throw new Error(`Emitting answered ${status}: ${JSON.stringify(body)}`);
  }
}
