/** How the REST door writes deliveries and their attempts. */
import { z } from '@hono/zod-openapi';
import type { Delivery, DeliveryAttempt, DeliveryStatus } from '../generated/prisma/client.ts';
import { uuidTime } from '../lib/ids.ts';
import { EXAMPLE_IDS, eventTypeName, id, instant, pageParameters, shownId, shownTime } from './parameters.ts';

const STATUS_WORDS = {
  PENDING: 'pending',
  RETRYING: 'retrying',
  HELD: 'held',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
} as const satisfies Record<DeliveryStatus, string>;

type StatusWord = (typeof STATUS_WORDS)[DeliveryStatus];

const STATUSES: Readonly<Record<StatusWord, DeliveryStatus>> = {
  pending: 'PENDING',
  retrying: 'RETRYING',
  held: 'HELD',
  succeeded: 'SUCCEEDED',
  failed: 'FAILED',
  cancelled: 'CANCELLED',
};

const statusWord = z.enum(['pending', 'retrying', 'held', 'succeeded', 'failed', 'cancelled']);

// Strict: a misspelt filter that was ignored would answer more than was asked for.
export const deliveryQuery = z.strictObject({
  ...pageParameters,
  status: statusWord.transform((word) => STATUSES[word]).optional(),
  subscription_id: id.optional().openapi({ example: EXAMPLE_IDS.subscription }),
  event_type: eventTypeName.optional(),
  replay_id: id.optional().openapi({ description: 'Those that this replay made.' }),
  since: instant.optional().openapi({ description: 'Created at this time or later.' }),
  until: instant.optional().openapi({ description: 'Created before this time.' }),
});

const fields = {
  id: shownId.openapi({ description: 'The same on every attempt: X-Optio-Delivery and webhook-id.' }),
  subscription_id: shownId,
  event_id: shownId,
  event_type: z.string().openapi({ example: 'quest.completed' }),
  replay_of_id: shownId.nullable().openapi({ description: 'The delivery that it replays.' }),
  replay_id: shownId.nullable().openapi({ description: 'The replay that made it.' }),
  status: statusWord,
  attempt_count: z.int(),
  next_attempt_at: shownTime.nullable().openapi({ description: 'Null unless it waits.' }),
  last_response_code: z.int().nullable(),
  last_error: z.string().nullable(),
  created_at: shownTime,
  completed_at: shownTime.nullable(),
};

const milliseconds = z.number().nullable().openapi({ example: 12.4 });
const headers = z
  .record(z.string(), z.string())
  .openapi({ description: 'Several of one name are joined by a comma. Credentials are masked.' });

const attempt = z
  .object({
    number: z.int().openapi({ description: 'From 1.' }),
    started_at: shownTime,
    duration_ms: z.int(),
    timing: z
      .object({
        dns_ms: milliseconds,
        connect_ms: milliseconds,
        tls_ms: milliseconds,
        first_byte_ms: milliseconds,
        total_ms: z.number(),
      })
      .openapi({
        description: 'Null where the phase did not happen, as on a connection that was kept alive.',
      }),
    request_headers: headers,
    request_body: z
      .string()
      .nullable()
      .optional()
      .openapi({ description: 'Only with the scope read:events. Null when it is no longer kept.' }),
    response_code: z.int().nullable(),
    response_headers: headers.nullable(),
    response_body: z.string().nullable().openapi({ description: 'The first 16 KiB.' }),
    error_kind: z.string().nullable().openapi({ example: 'timeout' }),
    error: z.string().nullable(),
  })
  .openapi('DeliveryAttempt');

export const delivery = z.object(fields).openapi('Delivery');
export const deliveryWithAttempts = z
  .object({ ...fields, attempts: z.array(attempt) })
  .openapi('DeliveryWithAttempts');

/** A delivery as it is printed. Its id holds the time of its creation. */
export function printDelivery(row: Delivery): z.infer<typeof delivery> {
  return {
    id: row.id,
    subscription_id: row.subscriptionId,
    event_id: row.eventId,
    event_type: row.eventType,
    replay_of_id: row.replayOfId,
    replay_id: row.replayId,
    status: STATUS_WORDS[row.status],
    attempt_count: row.attemptCount,
    next_attempt_at: row.dueAt?.toISOString() ?? null,
    last_response_code: row.lastResponseCode,
    last_error: row.lastError,
    created_at: new Date(uuidTime(row.id)).toISOString(),
    completed_at: row.completedAt?.toISOString() ?? null,
  };
}

/** An attempt as it is printed; `requestBody` undefined: the viewer may not see it. */
export function printAttempt(
  row: DeliveryAttempt,
  requestBody: string | null | undefined,
): z.infer<typeof attempt> {
  return {
    number: row.number,
    started_at: row.startedAt.toISOString(),
    duration_ms: Math.round(row.totalMs),
    timing: {
      dns_ms: row.dnsMs,
      connect_ms: row.connectMs,
      tls_ms: row.tlsMs,
      first_byte_ms: row.firstByteMs,
      total_ms: row.totalMs,
    },
    request_headers: printHeaders(row.requestHeaders),
    ...(requestBody === undefined ? {} : { request_body: requestBody }),
    response_code: row.responseCode,
    response_headers: row.responseHeaders === null ? null : printHeaders(row.responseHeaders),
    response_body: row.responseBody,
    error_kind: row.errorKind,
    error: row.error,
  };
}

const headerList = z.array(z.tuple([z.string(), z.string()]));

/** Pairs as they are stored become an object; repeated ones are one list (RFC 9110 5.3). */
function printHeaders(stored: unknown): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of headerList.parse(stored)) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(joined);
}
