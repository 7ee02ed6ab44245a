/** The SQL of the demo, run by the owner at a start. Every statement concerns the demo's organization, found by its slug. */
import type { QueryConfig } from 'pg';
import type { History } from './history.ts';
import type { PastAttempt, PastDelivery } from './past-delivery.ts';
import { DEMO_ACCOUNTS, DEMO_CLIENT, DEMO_ORGANIZATION } from './school.ts';

const EMAILS = DEMO_ACCOUNTS.map(({ email }) => email);

export function selectDemoOrganization(): QueryConfig {
  return { text: 'SELECT id FROM organizations WHERE slug = $1', values: [DEMO_ORGANIZATION.slug] };
}

export type AccountRow = {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: string;
};

/** Users with one password and their memberships. An address that somebody has already stays what it is. */
export function insertAccounts(
  organizationId: string,
  accounts: readonly AccountRow[],
  passwordHash: string,
  since: Date,
): QueryConfig {
  return {
    text: `WITH account AS (
             SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS a (id, email, name, role)
           ), created AS (
             INSERT INTO users (id, email, name, created_at, updated_at)
             SELECT id, email, name, $7::timestamptz, $7 FROM account ON CONFLICT (email) DO NOTHING RETURNING id
           ), password AS (
             INSERT INTO user_passwords (user_id, hash, changed_at) SELECT id, $6, $7 FROM created
           )
           INSERT INTO memberships (organization_id, user_id, role, created_at)
           SELECT $1::uuid, c.id, a.role::"Role", $7 FROM created c JOIN account a ON a.id = c.id`,
    values: [
      organizationId,
      accounts.map(({ id }) => id),
      accounts.map(({ email }) => email),
      accounts.map(({ name }) => name),
      accounts.map(({ role }) => role),
      passwordHash,
      since,
    ],
  };
}

/** The members of the demo school, in an order that stays. */
export function selectCast(organizationId: string): QueryConfig {
  return {
    text: `SELECT u.id, m.role FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.organization_id = $1 AND u.email = ANY ($2) ORDER BY u.id`,
    values: [organizationId, EMAILS],
  };
}

/** Opens (`isOpen`) or closes what everybody knows the passwords of: the demo's own accounts and its client. */
export function setDemoOpen(isOpen: boolean, now: Date): QueryConfig {
  return {
    text: `WITH demo AS (SELECT id FROM organizations WHERE slug = $1), account AS (
             UPDATE users u SET deactivated_at = CASE WHEN $4 THEN NULL ELSE $5::timestamptz END, version = u.version + 1, updated_at = $5
             FROM demo, memberships m
             WHERE m.organization_id = demo.id AND m.user_id = u.id AND u.email = ANY ($2)
               AND $4 = (u.deactivated_at IS NOT NULL)
           )
           UPDATE oauth_clients c SET status = CASE WHEN $4 THEN 'APPROVED' ELSE 'SUSPENDED' END::"OAuthClientStatus",
             version = c.version + 1, updated_at = $5
           FROM demo
           WHERE c.organization_id = demo.id AND c.client_id = $3 AND $4 = (c.status <> 'APPROVED')`,
    values: [DEMO_ORGANIZATION.slug, EMAILS, DEMO_CLIENT.clientId, isOpen, now],
  };
}

/** Leads the subscriptions of the demo to where the receiver is now: the port may be another one at each start. */
export function moveTargets(organizationId: string, receiverUrl: string, now: Date): QueryConfig {
  return {
    text: `UPDATE webhook_subscriptions SET version = version + 1, updated_at = $3,
             target_url = regexp_replace(target_url, '^http://[^/]+/demo/receiver', $2)
           WHERE organization_id = $1 AND target_url ~ '^http://[^/]+/demo/receiver/'
             AND NOT starts_with(target_url, $2 || '/')`,
    values: [organizationId, receiverUrl, now],
  };
}

export type SubscriptionRow = {
  readonly id: string;
  readonly targetUrl: string;
  readonly description: string;
  readonly eventTypes: readonly string[];
  readonly status: 'ACTIVE' | 'PAUSED' | 'DISABLED';
  readonly disabledReason: string | null;
  readonly disabledAt: Date | null;
  readonly sealedHeaders: Buffer | null;
  readonly rateLimitPerSecond: number | null;
  readonly createdAt: Date;
  /** Null: never changed. */
  readonly updatedAt: Date | null;
};

export function insertSubscription(organizationId: string, row: SubscriptionRow): QueryConfig {
  return {
    text: `INSERT INTO webhook_subscriptions (organization_id, id, target_url, description, event_types, status,
             disabled_reason, disabled_at, sealed_headers, rate_limit_per_second, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $6::"WebhookSubscriptionStatus", $7, $8, $9, $10, $11::timestamptz, coalesce($12::timestamptz, $11))`,
    values: [
      organizationId,
      row.id,
      row.targetUrl,
      row.description,
      row.eventTypes,
      row.status,
      row.disabledReason,
      row.disabledAt,
      row.sealedHeaders,
      row.rateLimitPerSecond,
      row.createdAt,
      row.updatedAt,
    ],
  };
}

export type SecretRow = {
  readonly id: string;
  readonly subscriptionId: string;
  readonly sealed: Buffer;
  readonly createdAt: Date;
};

export function insertSecret(organizationId: string, secret: SecretRow): QueryConfig {
  return {
    text: `INSERT INTO webhook_secrets (organization_id, id, subscription_id, sealed, created_at)
           VALUES ($1, $2, $3, $4, $5)`,
    values: [organizationId, secret.id, secret.subscriptionId, secret.sealed, secret.createdAt],
  };
}

/** All events in one statement; their columns run in parallel. */
export function insertEvents(organizationId: string, events: History['events']): QueryConfig {
  return {
    text: `INSERT INTO events (organization_id, id, type, occurred_at, body)
           SELECT $1::uuid, * FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[])`,
    values: [
      organizationId,
      events.map(({ id }) => id),
      events.map(({ type }) => type),
      events.map(({ occurredAt }) => occurredAt),
      events.map(({ body }) => body),
    ],
  };
}

export function insertDeliveries(organizationId: string, deliveries: readonly PastDelivery[]): QueryConfig {
  const last = ({ attempts }: PastDelivery): PastAttempt | undefined => attempts.at(-1);
  return {
    text: `INSERT INTO deliveries (organization_id, version, id, subscription_id, event_id, event_type, status, due_at,
             attempt_count, last_response_code, last_error, completed_at, is_test)
           SELECT $1::uuid, 1 + d.attempt_count, d.* FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::"DeliveryStatus"[],
             $7::timestamptz[], $8::int[], $9::int[], $10::text[], $11::timestamptz[], $12::boolean[])
             AS d (id, subscription_id, event_id, event_type, status, due_at,
               attempt_count, last_response_code, last_error, completed_at, is_test)`,
    values: [
      organizationId,
      deliveries.map(({ id }) => id),
      deliveries.map(({ subscriptionId }) => subscriptionId),
      deliveries.map(({ eventId }) => eventId),
      deliveries.map(({ eventType }) => eventType),
      deliveries.map(({ status }) => status),
      deliveries.map(({ dueAt }) => dueAt),
      deliveries.map(({ attempts }) => attempts.length),
      deliveries.map((delivery) => responseCode(last(delivery))),
      deliveries.map((delivery) => errorOf(last(delivery))),
      deliveries.map(({ completedAt }) => completedAt),
      deliveries.map(({ isTest }) => isTest),
    ],
  };
}

export function insertAttempts(organizationId: string, deliveries: readonly PastDelivery[]): QueryConfig {
  const rows = deliveries.flatMap(({ id, attempts }) => attempts.map((attempt) => ({ id, ...attempt })));
  const results = rows.map(({ result }) => result);
  return {
    text: `INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, connect_ms, first_byte_ms,
             total_ms, request_headers, response_code, response_headers, response_body, error_kind, error)
           SELECT $1::uuid, * FROM unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::real[], $6::real[], $7::real[],
             $8::jsonb[], $9::int[], $10::jsonb[], $11::text[], $12::text[], $13::text[])`,
    values: [
      organizationId,
      rows.map(({ id }) => id),
      rows.map(({ number }) => number),
      rows.map(({ startedAt }) => startedAt),
      results.map(({ timing }) => timing.connectMs),
      results.map(({ timing }) => timing.firstByteMs),
      results.map(({ timing }) => timing.totalMs),
      rows.map(({ requestHeaders }) => JSON.stringify(requestHeaders)),
      rows.map(responseCode),
      results.map((result) => (result.kind === 'response' ? JSON.stringify(result.headers) : null)),
      results.map((result) => (result.kind === 'response' ? result.body : null)),
      rows.map(({ outcome }) => (outcome.kind === 'succeeded' ? null : outcome.errorKind)),
      rows.map(errorOf),
    ],
  };
}

// What settlement would have written, from the deliveries that have ended.
export function insertHealth(organizationId: string): QueryConfig {
  return {
    text: `WITH ended AS (
             SELECT subscription_id, status, completed_at,
               max(completed_at) FILTER (WHERE status = 'SUCCEEDED') OVER (PARTITION BY subscription_id) AS last_success_at
             FROM deliveries WHERE organization_id = $1 AND status IN ('SUCCEEDED', 'FAILED')
           ), failed AS (
             SELECT *, last_success_at IS NULL OR completed_at > last_success_at AS counts FROM ended WHERE status = 'FAILED'
           )
           INSERT INTO webhook_subscription_health
             (organization_id, subscription_id, consecutive_failures, failing_since, last_success_at, last_failure_at)
           SELECT $1, e.subscription_id,
             (SELECT count(*) FROM failed f WHERE f.subscription_id = e.subscription_id AND f.counts),
             (SELECT min(completed_at) FROM failed f WHERE f.subscription_id = e.subscription_id AND f.counts),
             max(e.last_success_at), max(e.completed_at) FILTER (WHERE e.status = 'FAILED')
           FROM ended e GROUP BY e.subscription_id`,
    values: [organizationId],
  };
}

function responseCode(attempt: PastAttempt | undefined): number | null {
  return attempt?.result.kind === 'response' ? attempt.result.status : null;
}

function errorOf(attempt: PastAttempt | undefined): string | null {
  return attempt === undefined || attempt.outcome.kind === 'succeeded' ? null : attempt.outcome.error;
}
