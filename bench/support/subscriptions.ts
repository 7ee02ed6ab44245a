/** Webhook subscriptions and events of a benchmark, made through the product's own doors. */
import type { Client as Database } from 'pg';
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

const PAUSE = `mutation Pause($input: UpdateWebhookSubscriptionInput!) {
  updateWebhookSubscription(input: $input) {
    ... on UpdateWebhookSubscriptionPayload { subscription { status } }
  }
}`;
const paused = z.object({
  data: z.object({
    updateWebhookSubscription: z.object({ subscription: z.object({ status: z.literal('PAUSED') }) }),
  }),
});

const DELETE = `mutation Delete($input: DeleteWebhookSubscriptionInput!) {
  deleteWebhookSubscription(input: $input) { ... on DeleteWebhookSubscriptionPayload { deletedId } }
}`;
const deleted = z.object({
  data: z.object({ deleteWebhookSubscription: z.object({ deletedId: z.string() }) }),
});

// In one transaction, so that everything is due at the same moment and none of this work is measured.
const RESUME = `
  WITH resumed AS (
    UPDATE webhook_subscriptions SET status = 'ACTIVE', version = version + 1
    WHERE status = 'PAUSED' AND deleted_at IS NULL
    RETURNING organization_id, id
  )
  SELECT optio.release_deliveries(organization_id, id, now()) FROM resumed`;

/** Subscribes a path of the receiver to an event type, or to all (`*`). */
export async function subscribePath(client: Client, options: NewSubscription): Promise<BenchSubscription> {
  const { origin, path, eventType, maxConcurrency } = options;
  const input = { targetUrl: `${origin}${path}`, eventTypes: [eventType], maxConcurrency };
  const { body } = await client.graphql(CREATE, { input });
  const { secret, subscription } = created.parse(body).data.createWebhookSubscription;
  return { id: subscription.id, path, secret };
}

/** From now on its deliveries are held. */
export async function pauseSubscription(client: Client, { id }: BenchSubscription): Promise<void> {
  const { body } = await client.graphql(PAUSE, { input: { id, active: false } });
  paused.parse(body);
}

/** Makes what all paused subscriptions hold due, at the same moment. */
export async function resumeAll(database: Database): Promise<void> {
  await database.query(RESUME);
}

/** So that it gets nothing of what follows. */
export async function deleteSubscription(client: Client, { id }: BenchSubscription): Promise<void> {
  const { body } = await client.graphql(DELETE, { input: { id } });
  deleted.parse(body);
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
