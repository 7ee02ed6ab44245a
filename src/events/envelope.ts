/** The payload exactly as it is sent: `{"event","timestamp","data","organization_id"}`. */
import { AppError } from '../lib/errors.ts';

const MAX_BODY_BYTES = 256 * 1024;

export type Envelope = {
  readonly type: string;
  readonly occurredAt: Date;
  readonly data: unknown;
  readonly organizationId: string;
};

/** Serializes an event; it is done once, so that every attempt sends the same bytes. */
export function envelope({ type, occurredAt, data, organizationId }: Envelope): string {
  const timestamp = occurredAt.toISOString();
  const body = JSON.stringify({ event: type, timestamp, data, organization_id: organizationId });
  if (Buffer.byteLength(body) > MAX_BODY_BYTES) {
    throw new AppError('PAYLOAD_TOO_LARGE', `An event holds at most ${MAX_BODY_BYTES / 1024} KiB.`);
  }
  return body;
}
