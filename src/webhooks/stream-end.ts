/** Why and when a live stream ends by itself (webhooks rule 39). */
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Milliseconds until then, as a timer takes them. */
export function timeUntil(time: Date, clock: Clock): number {
  return Math.min(Math.max(0, time.getTime() - clock.now().getTime()), LONGEST_TIMEOUT_MS);
}

export function tokenEnded(): AppError {
  return new AppError(
    'UNAUTHENTICATED',
    'The access token has expired or was revoked; the stream has ended.',
  );
}

export function serverStops(): AppError {
  return new AppError(
    'UNAVAILABLE',
    'The server is stopping; connect again and go on after the last cursor.',
  );
}
