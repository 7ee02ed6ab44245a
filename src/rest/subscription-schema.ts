/** How the REST door writes webhook subscriptions. */
import { z } from '@hono/zod-openapi';
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import type { CustomHeaders } from '../webhooks/custom-headers.ts';
import { DEFAULT_OVERLAP_SECONDS } from '../webhooks/secret-rotation.ts';
import type { SubscriptionSettings } from '../webhooks/subscription-input.ts';
import {
  deduplicated,
  eventTypeName,
  flag,
  organizationId,
  pageParameters,
  shownId,
  shownTime,
} from './parameters.ts';

const eventTypes = z
  .array(z.string())
  .max(100)
  .openapi({ description: 'Names of the catalogue, or `*` alone for all.', example: ['quest.completed'] });

const settings = {
  target_url: z.string().openapi({ format: 'uri', example: 'https://lms.example/hooks/optio' }),
  event_type: z.string().openapi({ description: 'Short for `event_types` with one name.', example: '*' }),
  // "*" is what people try first, and can mean nothing else.
  event_types: z.preprocess((value) => (value === '*' ? ['*'] : value), eventTypes),
  description: z
    .string()
    // PostgreSQL stores every character but this one.
    .refine((text) => !text.includes('\u0000'), 'Expected text without NUL characters.')
    .nullable()
    .openapi({ example: 'Completions for the gradebook' }),
  custom_headers: z.record(z.string(), z.string()).openapi({
    description: 'Sent with each delivery; never shown again.',
    example: { 'X-Tenant': 'north' },
  }),
  max_concurrency: z.number().openapi({
    type: 'integer',
    description: 'How many attempts at most are under way at the same time: 1 to 100.',
    default: 10,
    example: 10,
  }),
  rate_limit_per_second: z
    .number()
    .nullable()
    .openapi({
      type: ['integer', 'null'],
      description: 'How many attempts at most begin within a second: 1 to 1,000; null for no limit.',
      example: null,
    }),
  retry_seconds: z.array(z.number().openapi({ type: 'integer' })).openapi({
    description:
      "The delays before each retry: up to 20 of 1 to 86,400 seconds. Empty: the server's schedule.",
    example: [60, 120, 240, 480, 960],
  }),
  timeout_seconds: z
    .number()
    .nullable()
    .openapi({
      type: ['integer', 'null'],
      description: "How long an attempt may take in all: 1 to 30; null for the server's time limit.",
      example: null,
    }),
  ordered_by: z.string().nullable().openapi({
    description:
      'A path in the envelope, such as `data.user_id`: deliveries with the same value there are sent one after the other, in the order of their events. Null for no order.',
    example: null,
  }),
};

const optionalSettings = {
  description: settings.description.optional(),
  custom_headers: settings.custom_headers.optional(),
  max_concurrency: settings.max_concurrency.optional(),
  rate_limit_per_second: settings.rate_limit_per_second.optional(),
  retry_seconds: settings.retry_seconds.optional(),
  timeout_seconds: settings.timeout_seconds.optional(),
  ordered_by: settings.ordered_by.optional(),
};

type EventTypeFields = { event_type?: string | undefined; event_types?: string[] | undefined };

function atMostOneForm(body: EventTypeFields, context: z.RefinementCtx): void {
  if (body.event_type === undefined || body.event_types === undefined) return;
  const message = 'Give either event_type or event_types, not both.';
  context.addIssue({ code: 'custom', path: ['event_type'], message });
}

// Strict: a misspelt field that was ignored would leave a subscription that does something else than was asked for.
export const newSubscription = z
  .strictObject({
    target_url: settings.target_url,
    event_type: settings.event_type.optional(),
    event_types: settings.event_types.optional(),
    organization_id: organizationId,
    ...optionalSettings,
  })
  .superRefine((body, context) => {
    atMostOneForm(body, context);
    if (body.event_type !== undefined || body.event_types !== undefined) return;
    const message = 'Name the event types that it wants, or "*" for all of them.';
    context.addIssue({ code: 'custom', path: ['event_types'], message });
  })
  .openapi('NewSubscription', { oneOf: [{ required: ['event_type'] }, { required: ['event_types'] }] });

export const subscriptionChanges = z
  .strictObject({
    target_url: settings.target_url.optional(),
    event_type: settings.event_type.optional(),
    event_types: settings.event_types.optional(),
    organization_id: organizationId,
    ...optionalSettings,
    active: z.boolean().optional().openapi({
      description: 'false pauses and holds deliveries; true resumes, or enables what was disabled.',
    }),
    held: z.enum(['send', 'discard']).optional().openapi({
      description:
        'With `active: true`: what becomes of the deliveries that were held. They are sent, if left out.',
      example: 'send',
    }),
  })
  .superRefine(atMostOneForm)
  .openapi('SubscriptionChanges');

export const subscriptionQuery = z.strictObject({
  ...pageParameters,
  event_type: eventTypeName.optional().openapi({ description: 'Those that are sent events of this type.' }),
  active: flag.optional(),
});

export const rotation = z
  .strictObject({
    overlap_seconds: z.number().optional().openapi({
      type: 'integer',
      description: 'How long the old secret signs beside the new one.',
      default: DEFAULT_OVERLAP_SECONDS,
      example: 3_600,
    }),
  })
  .openapi('Rotation');

const fields = {
  id: shownId,
  organization_id: shownId,
  target_url: z.string().openapi({ format: 'uri', example: 'https://lms.example/hooks/optio' }),
  event_types: z.array(z.string()).openapi({ example: ['quest.completed'] }),
  description: z.string().nullable(),
  max_concurrency: z.int().openapi({ example: 10 }),
  rate_limit_per_second: z.int().nullable(),
  retry_seconds: z.array(z.int()),
  timeout_seconds: z.int().nullable(),
  ordered_by: z.string().nullable(),
  active: z.boolean(),
  status: z.enum(['active', 'paused', 'disabled']),
  disabled_reason: z.string().nullable(),
  disabled_at: shownTime.nullable(),
  created_at: shownTime,
  updated_at: shownTime,
};

export const subscription = z.object(fields).openapi('Subscription');
export const subscriptionWithSecret = z
  .object({
    ...fields,
    secret: z.string().openapi({ description: 'Signs the deliveries. Shown here and never again.' }),
    deduplicated,
  })
  .openapi('SubscriptionWithSecret');

type Answer = z.infer<typeof subscription>;

/** A subscription as it is printed. Custom headers may hold credentials, and are not. */
export function printSubscription(row: WebhookSubscription): Answer {
  return {
    id: row.id,
    organization_id: row.organizationId,
    target_url: row.targetUrl,
    event_types: row.eventTypes,
    description: row.description,
    max_concurrency: row.maxConcurrency,
    rate_limit_per_second: row.rateLimitPerSecond,
    retry_seconds: row.retrySeconds,
    timeout_seconds: row.timeoutSeconds,
    ordered_by: row.orderedBy,
    active: row.status === 'ACTIVE',
    status: STATUS_WORDS[row.status],
    disabled_reason: row.disabledReason,
    disabled_at: row.disabledAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** The same where it gets a secret, which is shown once. */
export function printWithSecret({
  subscription: row,
  secret,
  deduplicated: wasDone,
}: {
  readonly subscription: WebhookSubscription;
  readonly secret: string;
  readonly deduplicated: boolean;
}): z.infer<typeof subscriptionWithSecret> {
  return { ...printSubscription(row), secret, deduplicated: wasDone };
}

const STATUS_WORDS = { ACTIVE: 'active', PAUSED: 'paused', DISABLED: 'disabled' } as const;

type SettingsBody = EventTypeFields & {
  readonly target_url?: string | undefined;
  readonly description?: string | null | undefined;
  readonly custom_headers?: Record<string, string> | undefined;
  readonly max_concurrency?: number | undefined;
  readonly rate_limit_per_second?: number | null | undefined;
  readonly retry_seconds?: number[] | undefined;
  readonly timeout_seconds?: number | null | undefined;
  readonly ordered_by?: string | null | undefined;
};

/** The settings that the body names. */
export function toSettings(body: SettingsBody): SubscriptionSettings {
  const one = body.event_type === undefined ? undefined : [body.event_type];
  const customHeaders: CustomHeaders | undefined =
    body.custom_headers === undefined ? undefined : Object.entries(body.custom_headers);
  return {
    targetUrl: body.target_url,
    eventTypes: body.event_types ?? one,
    description: body.description,
    customHeaders,
    maxConcurrency: body.max_concurrency,
    rateLimitPerSecond: body.rate_limit_per_second,
    retrySeconds: body.retry_seconds,
    timeoutSeconds: body.timeout_seconds,
    orderedBy: body.ordered_by,
  };
}
