/** The webhook subscriptions of the demo as rows: with secrets of their own, in the state that the past week led to. */
import type { PoolClient } from 'pg';
import { type MasterKeys, seal } from '../lib/crypto.ts';
import { createIdGenerator, newId } from '../lib/ids.ts';
import { maskHeaders } from '../webhooks/custom-headers.ts';
import { generateSecret, parseSecret } from '../webhooks/signature.ts';
import { GONE_REASON, type History } from './history.ts';
import type { Subscriber } from './past-delivery.ts';
import { insertSecret, insertSubscription, type SubscriptionRow } from './statements.ts';
import { DEMO_SUBSCRIPTIONS, type DemoSubscription } from './subscriptions.ts';

const SINCE_MS = 30 * 86_400_000;

export type NewSubscriber = Subscriber & { readonly secretText: string; readonly createdAt: Date };

/** Each subscription with an id, a secret and its URL. */
export function makeSubscribers(receiverUrl: string, now: Date): readonly NewSubscriber[] {
  const createdAt = new Date(now.getTime() - SINCE_MS);
  const nextId = createIdGenerator(() => createdAt.getTime());
  return DEMO_SUBSCRIPTIONS.map((definition) => {
    const secretText = generateSecret();
    const headers = definition.customHeaders ?? [];
    const secrets = [{ secret: parseSecret(secretText), expiresAt: Number.POSITIVE_INFINITY }];
    return {
      id: nextId(),
      targetUrl: `${receiverUrl}/${definition.behaviour}/${definition.name}`,
      definition,
      target: { headers, shownHeaders: maskHeaders(headers), secrets },
      secretText,
      createdAt,
    };
  });
}

export type SubscriptionsOptions = {
  readonly organizationId: string;
  readonly subscribers: readonly NewSubscriber[];
  readonly keys: MasterKeys;
  readonly turns: History['turns'];
};

export async function seedSubscriptions(tx: PoolClient, options: SubscriptionsOptions): Promise<void> {
  const { organizationId, keys } = options;
  for (const subscriber of options.subscribers) {
    const { id, createdAt, secretText } = subscriber;
    await tx.query(insertSubscription(organizationId, toRow(subscriber, options)));
    const sealed = seal(keys, Buffer.from(secretText), id);
    await tx.query(insertSecret(organizationId, { id: newId(), subscriptionId: id, sealed, createdAt }));
  }
}

function toRow(
  { id, targetUrl, definition, createdAt }: NewSubscriber,
  { keys, turns }: SubscriptionsOptions,
): SubscriptionRow {
  const { description, eventTypes, customHeaders, rateLimitPerSecond = null } = definition;
  return {
    id,
    targetUrl,
    description,
    eventTypes,
    ...stateOf(definition, turns.get(id)),
    sealedHeaders:
      customHeaders === undefined ? null : seal(keys, Buffer.from(JSON.stringify(customHeaders)), id),
    rateLimitPerSecond,
    createdAt,
  };
}

type State = Pick<SubscriptionRow, 'status' | 'disabledReason' | 'disabledAt' | 'updatedAt'>;

function stateOf({ turn }: DemoSubscription, turnAt: Date | undefined): State {
  const calm = { disabledReason: null, disabledAt: null, updatedAt: null };
  if (turn === undefined || turn.kind === 'broken' || turnAt === undefined)
    return { ...calm, status: 'ACTIVE' };
  if (turn.kind === 'paused') return { ...calm, status: 'PAUSED', updatedAt: turnAt };
  return { status: 'DISABLED', disabledReason: GONE_REASON, disabledAt: turnAt, updatedAt: turnAt };
}
